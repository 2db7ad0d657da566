"""Options of each command; the text under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Settings start from --preset (demo when not given); each option below changes one."""

    config: BSDConfig = field(default_factory=BSDConfig)
    out: Path | None = None
    """Run folder to write, new or empty; runs/ID when not given."""
    resume: Path | None = None
    """Run folder to go on with; its own settings apply and no other option is read."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, whose settings to start from instead of a preset: alone it repeats that run."""
    branch: Path | None = None
    """Run folder to branch from: its settings, models and epochs up to --from-epoch are taken over."""
    from_epoch: int | None = None
    """Epoch (0-based, altruistic warm-up included) to branch after: the end of a stage or one of the last two, which is
    where checkpoints are kept; the newest when not given."""


@dataclass(frozen=True, kw_only=True)
class PoisonOptions:
    """Settings start from --preset (demo when not given); each option below changes one. Only data, attack and seed
    count."""

    config: BSDConfig = field(default_factory=BSDConfig)
    out: Path | None = None
    """Folder, new or empty, or .npz file to write; nothing is written over."""
    format: Literal["auto", "folder", "npz"] = "auto"
    """folder: PNG files in train/CLASS, test/CLASS and triggered/CLASS with a poison.csv; npz: arrays in one file,
    poison.csv beside it; auto: npz where --out ends so."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, whose settings to start from instead of a preset: the set that it trained on."""


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Settings start from --preset (demo when not given); each option below changes one. Later stages do not run."""

    config: BSDConfig = field(default_factory=BSDConfig)
    json: bool = False
    """Print the answers as JSON instead of a table."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, whose settings to start from instead of a preset."""


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """Make the 2-D UMAP maps of a run folder."""

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    follow: bool = False
    """Go on while the run is being written."""


@dataclass(frozen=True, kw_only=True)
class SuspectsOptions:
    """Rank the samples of a run by how suspect its record makes them, with reasons, and list those to keep."""

    folder: tyro.conf.Positional[Path]
    """Run folder, finished or not."""
    out: Path = Path("suspects.csv")
    """Table to write: CSV, or Parquet where the name ends in .parquet. Beside it NAME.clean_index.txt has the numbers
    of the samples to keep. A file of that name is replaced."""
    keep: Literal["pool", "steady"] = "pool"
    """Samples to keep, if no verdict says otherwise. pool: the clean pool of the newest epoch; steady: those of it
    that were in the pool in more than half of the epochs from T1 on."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Write one self-contained HTML page on a run."""

    folder: tyro.conf.Positional[Path]
    """Run folder, finished or not."""
    out: Path = Path("report.html")
    """Page to write; a file of that name is replaced."""
    truth: bool = True
    """Whether the page says what only the truth about the poison tells, where the run folder holds it."""


@dataclass(frozen=True, kw_only=True)
class CleanedOptions:
    """Save the samples that a run keeps as a folder of images, which folder:PATH reads, and the clean model's
    weights."""

    folder: tyro.conf.Positional[Path]
    """Run folder that has passed T1."""
    out: Path | None = None
    """Folder to write, new or empty: train/CLASS, where the images came from a folder also test/CLASS, and
    clean_index.txt."""
    keep: Literal["pool", "steady"] = "pool"
    """As for the command suspects."""
    weights: Path | None = None
    """File to write the main model's weights to, in the safetensors format; alone, no folder is written."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Measure this machine: parts of BSD in images a second, and the engine's iteration against a plain loop's."""

    preset: str = "paper-cifar10"
    """Preset that gives network, batches and augmentation; the images are noise of 32x32 pixels."""
    model: str | None = None
    """Network to take instead of the preset's."""
    width: int | None = None
    """Width to take instead of the preset's."""
    rounds: int = 5
    """Pairs of iterations, engine and plain loop in turn."""
    quick: bool = False
    """One round, whatever --rounds says."""
    samples: int = 50000
    """N of the split and of the target vote."""
    workers: int = 2
    """Processes of each of the plain loop's two data loaders."""
    landmarks: int = 2000
    """Points of the map that is fitted anew; 0 for none: umap takes ten seconds to load."""
    presets: bool = True
    """Whether to extrapolate the time of each preset from its own network, batches and image size."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    out: Path | None = None
    """JSON file to write."""

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("samples", 2 * 10), ("workers", 0), ("landmarks", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected a whole number at least {low}.")
