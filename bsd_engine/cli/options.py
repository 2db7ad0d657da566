"""Options of each command; the docstring of a field is its help text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bsd_engine.config.checks import check_numbers
from bsd_engine.config.settings import BSDConfig


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Settings start from --preset (default: demo); each option below changes one of them."""

    config: BSDConfig = field(default_factory=BSDConfig)
    out: Path | None = None
    """Run folder to write, new or empty; runs/ID when not given."""
    resume: Path | None = None
    """Run folder to resume; its own settings apply, and all other options are ignored."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, with settings to use instead of a preset. Without other options, that run is
    repeated."""
    branch: Path | None = None
    """Run folder to branch from: its settings, models and epochs up to --from-epoch are copied."""
    from_epoch: int | None = None
    """Epoch (0-based, altruistic warm-up included) to branch after. It must have a checkpoint: the end of a stage or
    one of the last two epochs. The newest one when not given."""


@dataclass(frozen=True, kw_only=True)
class PoisonOptions:
    """Settings start from --preset (default: demo); each option below changes one of them. Only data, attack and seed
    matter."""

    config: BSDConfig = field(default_factory=BSDConfig)
    out: Path | None = None
    """Folder, new or empty, or new .npz file to write; nothing is overwritten."""
    format: Literal["auto", "folder", "npz"] = "auto"
    """folder: PNG files in train/CLASS, test/CLASS and triggered/CLASS, with a poison.csv. npz: arrays in one file,
    with a poison.csv beside it. auto: npz if --out ends in .npz, else folder."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, with settings to use instead of a preset; the saved set is the one that the run
    trained on."""


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Settings start from --preset (default: demo); each option below changes one of them. Later stages do not run."""

    config: BSDConfig = field(default_factory=BSDConfig)
    json: bool = False
    """Print the answers as JSON instead of a table."""
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Run folder, or its config.json, with settings to use instead of a preset."""


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """Make the 2-D UMAP maps of a run folder."""

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    follow: bool = False
    """Continue while the run is being written."""


@dataclass(frozen=True, kw_only=True)
class SuspectsOptions:
    """Rank the samples of a run by how suspect they are, with reasons, and list the samples to keep."""

    folder: tyro.conf.Positional[Path]
    """Run folder, finished or not."""
    out: Path = Path("suspects.csv")
    """Table to write: CSV, or Parquet if the name ends in .parquet. NAME.clean_index.txt beside it lists the numbers of
    the samples to keep."""
    overwrite: bool = False
    """Replace such a table and list if they exist already; other files are never replaced."""
    keep: Literal["strict", "balanced", "generous", "pool"] = "balanced"
    """Samples to keep, unless a person's judgement says otherwise: those whose estimated probability of poison is at
    most 0.05 (strict, which also removes labels that both models contradict), 0.2 (balanced) or 0.5 (generous); pool:
    the clean pool of the newest epoch, whatever the verdict. Without an attack found, balanced and generous keep all,
    and strict keeps what was in the pool for more than half of the epochs from T1 on."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Write a self-contained HTML report on a run."""

    folder: tyro.conf.Positional[Path]
    """Run folder, finished or not."""
    out: Path = Path("report.html")
    """HTML file to write."""
    overwrite: bool = False
    """Replace such a report if it exists already; other files are never replaced."""
    truth: bool = True
    """Whether the report includes statements that need the ground truth, if the run folder holds it."""


@dataclass(frozen=True, kw_only=True)
class CleanedOptions:
    """Save the samples that a run keeps as a folder of images, which folder:PATH reads, and the weights of the clean
    model."""

    folder: tyro.conf.Positional[Path]
    """Run folder that has passed T1."""
    out: Path | None = None
    """Folder to write, new or empty. It gets train/CLASS, clean_index.txt and, if the images came from a folder,
    test/CLASS."""
    keep: Literal["strict", "balanced", "generous", "pool"] = "balanced"
    """As in the command suspects."""
    weights: Path | None = None
    """File for the main model's weights, in the safetensors format; without --out no folder is written."""
    overwrite: bool = False
    """Replace such a file of weights if it exists already; other files and folders are never replaced."""


@dataclass(frozen=True, kw_only=True)
class AdoptOptions:
    """Make a copy of your own from somebody else's run folder, from an old one or from a recording."""

    folder: tyro.conf.Positional[Path]
    """Run folder to copy; it is only read."""
    out: Path
    """Run folder to write, new or empty. Damaged parts are left out and named. The copy can be resumed, judged and
    mapped; exports copy no files that its settings name."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Measure this machine: parts of BSD in images per second, and the engine's iteration against a plain loop's."""

    preset: str = "paper-cifar10"
    """Preset that sets the network, the batches and the augmentation; the images are 32x32 pixels of noise."""
    model: str | None = None
    """Network to use instead of the preset's."""
    width: int | None = None
    """Width to use instead of the preset's."""
    rounds: int = 5
    """Pairs of iterations, engine and plain loop in turn."""
    quick: bool = False
    """Run one round and ignore --rounds."""
    samples: int = 50000
    """N of the split and of the target vote."""
    workers: int = 2
    """Processes for each of the plain loop's two data loaders."""
    landmarks: int = 2000
    """Points of the map that is refitted; 0 skips the map and the ten seconds that umap takes to load."""
    presets: bool = True
    """Whether to extrapolate the total time of each preset from its own network, batches and image size."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    out: Path | None = None
    """JSON file to write."""
    overwrite: bool = False
    """Replace such a file if it exists already; other files are never replaced."""

    def __post_init__(self) -> None:
        check_numbers(
            self, rounds=(1, 1000), samples=(20, 2_000_000), workers=(0, 64), landmarks=(0, min(100_000, self.samples))
        )
