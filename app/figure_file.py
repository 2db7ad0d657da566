"""Redraw a figure of the dashboard in a terminal and write it to a file.

    python -m app.figure_file NAME [--run RUN ...] [--epoch N] [--sample N] [--map auto] [--theme light]
                              [--no-truth] --out FILE
    python -m app.figure_file attack_spectrum --out FILE -- --preset demo --attack wanet

NAME is the name of a chart, as in its saved file. RUN is a run folder, or the name of one in runs/ (or $BSD_RUNS).
FILE ends in .json (the data that the page saves) or .html (a page that works offline and saves SVG and PNG).
Epochs are counted from 1, as on the pages. Options after -- are those of `python -m bsd_engine poison`.
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
from app.components.live_plot import OFFLINE
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
from bsd_engine.cli.exit_status import checked_words, status_of
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from bsd_engine.files.outputs import Kind, check_output, write_output
from bsd_engine.prepare.spectrum import spectrum
from bsd_engine.runs.reader import RunReader

ATTACK_FIGURES = ("attack_spectrum", "attack_classes")
MADE_BY = '<meta name="generator" content="python -m app.figure_file">'
FILES = {
    ".json": Kind(name="the data of a figure", marks=(b'"command": "python -m app.figure_file',)),
    ".html": Kind(name="a figure", marks=(MADE_BY.encode(),)),
}
"""Kinds of files by their ending."""
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
    """The figure of that name; raises `ConfigError` if the arguments do not fit it."""
    if name not in NAMES:
        raise ConfigError(f"there is no figure {name!r}; expected one of {', '.join(NAMES)}.")
    if name in ATTACK_FIGURES:
        return _attack_figure(name, config, palette)
    if name in CHARTS:
        if CHARTS[name].slots and not runs and name != "figure10":
            raise ConfigError(f"{name} needs --run with a run folder, found none.")
        return CHARTS[name].draw(runs, palette, truth_shown)
    if len(runs) != 1:
        raise ConfigError(f"{name} needs --run with one run folder, found {len(runs)}.")
    history = run_cache.rows(runs[0])
    shown = len(history) - 1 if epoch is None else epoch
    if not 0 <= shown < len(history):
        raise ConfigError(f"epoch is {shown + 1}, expected 1 to {len(history)}, the recorded epochs.")
    if name == PASSPORT:
        return _passport_figure(runs[0], sample, shown, palette)
    view = View(
        path=runs[0],
        version=run_cache.reader(runs[0]).version,
        epoch=shown,
        palette=palette,
        truth_shown=truth_shown,
        map_kind=map_kind,
    )
    return PANELS[name](view)


def _passport_figure(path: Path, sample: int | None, epoch: int, palette: Palette) -> go.Figure:
    """The figure of one sample."""
    history = RunHistory.of(RunReader(path))
    if sample is None or not 0 <= sample < history.num_samples:
        raise ConfigError(f"sample is {sample}, expected 0 to {history.num_samples - 1}; name one with --sample.")
    return passport_figure(history, sample, epoch, palette)


def _attack_figure(name: str, config: BSDConfig | None, palette: Palette) -> go.Figure:
    """A figure of the Attacks page."""
    if config is None or config.attack.attack == "none":
        raise ConfigError(f"{name} needs an attack, found none: add -- and the options of python -m bsd_engine poison.")
    view = poisoned_view(config)
    if name == "attack_spectrum":
        return spectrum_figure(spectrum(view.trigger.difference), palette)
    return class_bars(view.counts(view.poison_mask), view.counts(view.noise_mask), view.prepared.class_names, palette)


def main(arguments: list[str]) -> int:
    """Write one figure; returns the exit status."""
    return status_of(lambda: _run(checked_words(arguments)))


def _run(arguments: list[str]) -> None:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    figure_arguments, poison_arguments = arguments[:end], arguments[end + 1 :]
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
    parser.add_argument("--overwrite", action="store_true", help="replace such a figure if it exists already")
    options = parser.parse_args(figure_arguments)
    _write(options, poison_arguments, shlex.join(["python", "-m", "app.figure_file", *arguments]))
    print(f"written: {options.out}")


def _write(options: argparse.Namespace, poison_arguments: list[str], command: str) -> None:
    """Draw the figure and write it, with the command that redraws it in a JSON file."""
    if options.out.suffix not in FILES:
        raise ConfigError(f"--out is {options.out}, expected a name that ends in .json or .html.")
    kind = FILES[options.out.suffix]
    check_output(options.out, kind, overwrite=options.overwrite)
    runs = [Path(word) if Path(word).is_dir() else RunRegistry(runs_root()).path(word) for word in options.run]
    drawn = figure(
        options.name,
        runs,
        palette=palette_for(options.theme),
        truth_shown=not options.no_truth,
        epoch=None if options.epoch is None else options.epoch - 1,
        sample=options.sample,
        map_kind=options.map,
        config=_poison_config(options.name, poison_arguments),
    )
    if options.out.suffix == ".json":
        content = json.dumps(record(drawn, command), indent=1) + "\n"
    else:
        drawn.update_layout(paper_bgcolor=palette_for(options.theme).surface)
        content = drawn.to_html(
            include_plotlyjs=True,
            config={**OFFLINE, "toImageButtonOptions": {"format": "svg", "filename": options.name}},
        ).replace("<head>", f"<head>{MADE_BY}", 1)
    write_output(options.out, content.encode(), kind, overwrite=options.overwrite)


def _poison_config(name: str, arguments: list[str]) -> BSDConfig | None:
    """The settings of a poisoned set, needed only by figures of the Attacks page."""
    if name not in ATTACK_FIGURES:
        return None
    from bsd_engine.cli.poisoning import poison_options

    return poison_options(arguments).config


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
