"""A figure of the dashboard made again in a terminal, as a file: its data as JSON, or a page that shows it offline.

    python -m app.figure_file NAME [--run RUN ...] [--epoch N] [--sample N] [--map auto] [--theme light] [--no-truth] --out FILE
    python -m app.figure_file attack_spectrum --out FILE -- --preset demo --attack wanet     (options of `bsd_engine poison`)

NAME is a chart's name as its saved file has it. RUN is a run folder, or the name of one below runs/ (or $BSD_RUNS). FILE ends in
.json (what the page saves as data) or .html (its bar saves SVG and PNG). Epochs are counted as the pages do, from 1.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from app.attacks.poisoned_view import poisoned_view
from app.components.saving import record
from app.figures.attacks import class_bars, spectrum_figure
from app.figures.audit import passport_figure
from app.paper.figures import CHARTS
from app.run import panels
from app.run.figure_commands import PASSPORT
from app.run.panels import PANELS, View
from app.server import run_cache
from app.server.registry import RunRegistry, runs_root
from app.style.theme import Palette, palette_for
from bsd_engine.audit.history import RunHistory
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, ConfigError
from bsd_engine.files.atomic import write_atomic
from bsd_engine.prepare.spectrum import spectrum
from bsd_engine.runs.reader import RunReader

ATTACK_FIGURES = ("attack_spectrum", "attack_classes")
NAMES = (*PANELS, PASSPORT, *ATTACK_FIGURES, *CHARTS)


def figure(
    name: str,
    runs: Sequence[Path],
    *,
    palette: Palette,
    truth_shown: bool = True,
    epoch: int | None = None,
    sample: int | None = None,
    map_kind: panels.MapKind = "auto",
    config: BSDConfig | None = None,
) -> go.Figure:
    """The figure of that name; raises `ConfigError` for what it cannot be made from."""
    if name not in NAMES:
        raise ConfigError(f"there is no figure {name!r}, expected one of {', '.join(NAMES)}.")
    if name in ATTACK_FIGURES:
        return _attack_figure(name, config, palette)
    if name in CHARTS:
        if CHARTS[name].slots and not runs and name != "figure10":
            raise ConfigError(f"{name} needs --run with a run folder.")
        return CHARTS[name].draw(runs, palette, truth_shown)
    if len(runs) != 1:
        raise ConfigError(f"{name} needs --run with one run folder, found {len(runs)}.")
    history = run_cache.rows(runs[0])
    shown = len(history) - 1 if epoch is None else epoch
    if not 0 <= shown < len(history):
        raise ConfigError(f"epoch is {shown + 1}, expected 1 to {len(history)}, which are recorded.")
    if name == PASSPORT:
        past = RunHistory.of(RunReader(runs[0]))
        if sample is None or not 0 <= sample < past.num_samples:
            raise ConfigError(f"sample is {sample}, expected 0 to {past.num_samples - 1}.")
        return passport_figure(past, sample, shown, palette)
    view = View(
        path=runs[0],
        version=run_cache.reader(runs[0]).version,
        epoch=shown,
        palette=palette,
        truth_shown=truth_shown,
        map_kind=map_kind,
    )
    return PANELS[name](view)


def _attack_figure(name: str, config: BSDConfig | None, palette: Palette) -> go.Figure:
    if config is None or config.attack.attack == "none":
        raise ConfigError(f"{name} needs an attack: add -- and the options of python -m bsd_engine poison.")
    view = poisoned_view(config)
    if name == "attack_spectrum":
        return spectrum_figure(spectrum(view.trigger.difference), palette)
    return class_bars(view.counts(view.poison_mask), view.counts(view.noise_mask), view.prepared.class_names, palette)


def main(arguments: list[str]) -> int:
    """Write one figure; returns the exit status."""
    own, rest = (
        (arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :])
        if "--" in arguments
        else (arguments, [])
    )
    parser = argparse.ArgumentParser(
        prog="python -m app.figure_file", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    parser.add_argument("--run", nargs="*", default=[])
    parser.add_argument("--epoch", type=int)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--map", choices=("auto", "PCA", "UMAP"), default="auto")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--no-truth", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(own)
    try:
        _write(given, rest, shlex.join(["python", "-m", "app.figure_file", *arguments]))
    except BSDError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written: {given.out}")
    return 0


def _write(given: argparse.Namespace, rest: list[str], words: str) -> None:
    if given.out.suffix not in (".json", ".html"):
        raise ConfigError(f"--out is {given.out}, expected a name that ends in .json or .html.")
    runs = [Path(word) if Path(word).is_dir() else RunRegistry(runs_root()).path(word) for word in given.run]
    drawn = figure(
        given.name,
        runs,
        palette=palette_for(given.theme),
        truth_shown=not given.no_truth,
        epoch=None if given.epoch is None else given.epoch - 1,
        sample=given.sample,
        map_kind=given.map,
        config=_poison_config(given.name, rest),
    )
    if given.out.suffix == ".json":
        content = json.dumps(record(drawn, words), indent=1) + "\n"
    else:
        drawn.update_layout(paper_bgcolor=palette_for(given.theme).surface)
        content = drawn.to_html(
            include_plotlyjs=True, config={"toImageButtonOptions": {"format": "svg", "filename": given.name}}
        )
    write_atomic(given.out, content.encode())


def _poison_config(name: str, arguments: list[str]) -> BSDConfig | None:
    if name not in ATTACK_FIGURES:
        return None
    from bsd_engine.cli.poisoning import poison_options

    return poison_options(arguments).config


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
