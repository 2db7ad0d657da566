"""The commands that make the figures of the pages again in a terminal; `app.figure_file` carries them out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from app.run.panels import View
from app.server.registry import is_recording, runs_root
from app.style.theme import Palette
from bsd_engine.config.settings import BSDConfig

PASSPORT = "passport_losses"
"""The one figure that needs a sample."""


def command(
    name: str,
    runs: Sequence[Path] = (),
    *,
    palette: Palette,
    truth_shown: bool = True,
    epoch: int | None = None,
    sample: int | None = None,
    map_kind: str = "auto",
    config: BSDConfig | None = None,
) -> str:
    """The command that makes a figure of a page again.

    Parameters
    ----------
    runs : run folders
    epoch : global, 0-based
    config : of the poisoned set, for figures of the page Attacks
    """
    words = ["python", "-m", "app.figure_file", name]
    words += ["--run", *(_word(path) for path in runs)] if runs else []
    words += ["--epoch", str(epoch + 1)] if epoch is not None else []
    words += ["--sample", str(sample)] if sample is not None else []
    words += ["--map", map_kind] if map_kind != "auto" else []
    words += ["--theme", "dark"] if palette.name == "dark" else []
    words += [] if truth_shown else ["--no-truth"]
    words += ["--out", f"{name}.html"]
    if config is not None:
        from bsd_engine.prepare.export import command as poison_command  # it needs torch, which most pages do not

        options = shlex.split(poison_command(config, "unused"))[4:-2]
        words += ["--", *options]
    return shlex.join(words)


@lru_cache(maxsize=64)
def command_of(name: str, view: View | None) -> str:
    """The command for one of `PANELS` as a page shows it; empty before the first epoch.

    Cached, since resolving links took 8 % of a tick.
    """
    if view is None:
        return ""
    kind = view.map_kind if name == "feature_map" else "auto"
    return command(
        name, [view.path], palette=view.palette, truth_shown=view.truth_shown, epoch=view.epoch, map_kind=kind
    )


def _word(path: Path) -> str:
    """The word for a run folder after --run: the name of a run below the root or of a recording, otherwise the path."""
    return path.name if path.parent == runs_root() or is_recording(path.name) else str(path)
