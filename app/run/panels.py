"""The figures of one epoch of a run, made once and kept: a tick without news finds them unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import plotly.graph_objects as go

from app.figures import feature_map as feature_map_figure
from app.figures import pool, target
from app.figures.accuracy import accuracy_curves
from app.figures.facts import Facts
from app.figures.histograms import altruistic_loss_histogram, oss_distance_histogram
from app.figures.scatters import discrepancy_scatter
from app.figures.timeline import Metrics
from app.figures.votes import vote_bars
from app.run import texts
from app.server import run_cache
from app.style.theme import Palette, empty_figure, epoch_number
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import RunReader, Truth

MapKind = Literal["auto", "PCA", "UMAP"]


@dataclass(frozen=True)
class Drawing:
    """A finished figure as `live_plot` wants it: the JSON is made once, not at every tick (35 ms for the six)."""

    json: str

    @classmethod
    def of(cls, figure: go.Figure) -> Drawing:
        """The drawing of a figure."""
        return cls(figure.to_json(validate=False))

    def to_json(self, validate: bool = False) -> str:
        """The figure as JSON."""
        return self.json


@dataclass(frozen=True, kw_only=True)
class View:
    """Which epoch of a run is shown, and how; two equal views have the same figures."""

    path: Path
    version: tuple[int, int, float]
    """`RunReader.version`."""
    epoch: int
    """Global, 0-based."""
    palette: Palette
    truth_shown: bool
    map_kind: MapKind = "auto"

    @property
    def facts(self) -> Facts:
        """What does not change during the run."""
        return _facts(run_cache.reader(self.path))

    @property
    def truth(self) -> Truth | None:
        """Ground truth where it is known and shown."""
        return run_cache.reader(self.path).truth if self.truth_shown else None

    def state(self, epoch: int | None = None) -> EpochState:
        """The shown epoch, or another one."""
        return run_cache.state(self.path, self.epoch if epoch is None else epoch)

    @property
    def metrics(self) -> Metrics:
        """Numbers of all epochs."""
        return {row.epoch: row.metrics for row in run_cache.rows(self.path)}


@lru_cache(maxsize=8)
def _facts(run: RunReader) -> Facts:
    return Facts.of(run)


def altruistic_loss(view: View) -> go.Figure:
    """Histogram of the altruistic loss with the ALS cut."""
    return altruistic_loss_histogram(view.state(), view.facts, view.truth, view.palette)


def oss_distance(view: View) -> go.Figure:
    """Histogram of the OSS distance; after T1, of the epoch T1, in which the split was decided."""
    schedule = view.facts.config.schedule
    decided = schedule.altruistic_epochs + schedule.t1
    state = view.state(min(view.epoch, decided))
    figure = oss_distance_histogram(state, view.facts, view.truth, view.palette)
    if state.epoch < view.epoch:
        when = view.facts.epoch_text(state)
        figure.layout.title.text = figure.layout.title.text.replace(f">{when}", f">decided in {when}")
    return figure


def loss_discrepancy(view: View) -> go.Figure:
    """Main against altruistic loss with the cut of the stage."""
    return discrepancy_scatter(view.state(), view.facts, view.truth, view.palette)


def poison_in_pool(view: View) -> go.Figure:
    """Poison in the clean pool over the run."""
    return pool.poison_in_pool(
        view.metrics, view.facts, view.palette, truth_shown=view.truth is not None, current_epoch=view.epoch
    )


def accuracy(view: View) -> go.Figure:
    """Clean accuracy and attack success over the run."""
    return accuracy_curves(
        view.metrics, view.facts, view.palette, truth_shown=view.truth is not None, current_epoch=view.epoch
    )


def votes(view: View) -> go.Figure:
    """Scores of the classes in the target vote; after the altruistic warm-up, those at its end."""
    last = view.facts.config.schedule.altruistic_epochs - 1
    return vote_bars(view.state(min(view.epoch, last)), view.facts, view.palette)


def warmup_end(view: View) -> EpochState | None:
    """The last epoch of the altruistic warm-up; None where the shown epoch is earlier."""
    last = view.facts.config.schedule.altruistic_epochs - 1
    return view.state(last) if view.epoch >= last else None


def target_strip(view: View) -> go.Figure:
    """The class that every estimator named in each epoch of the altruistic warm-up, up to the shown one."""
    last = view.facts.config.schedule.altruistic_epochs - 1
    return target.vote_strip(run_cache.rows(view.path)[: min(view.epoch, last) + 1], view.facts, view.palette)


def transplant_map(view: View) -> go.Figure:
    """Effect of each class's residual on other images, at the end of the altruistic warm-up."""
    return target.transplant_map(warmup_end(view), view.facts, view.palette)


def feature_map(view: View) -> go.Figure:
    """UMAP of the newest epoch up to the shown one that has a map, otherwise PCA of the shown epoch."""
    mapped = [e for e in run_cache.reader(view.path).map_epochs if e <= view.epoch]
    if mapped and view.map_kind != "PCA":
        xy = run_cache.reader(view.path).map(mapped[-1])
        return feature_map_figure.feature_map(
            xy, view.state(mapped[-1]), view.facts, view.truth, view.palette, kind="UMAP"
        )
    if view.map_kind == "UMAP":
        title = f"{texts.FIGURE_TITLES['feature_map']} (UMAP)"
        return empty_figure(texts.no_umap_yet(epoch_number(view.epoch)), view.palette, title=title)
    state = view.state()
    xy = run_cache.pca_map(view.path, view.epoch)
    if xy is None:
        title = f"{texts.FIGURE_TITLES['feature_map']} (PCA)"
        return empty_figure(texts.NO_FEATURES, view.palette, title=title)
    return feature_map_figure.feature_map(xy, state, view.facts, view.truth, view.palette, kind="PCA")


PANELS: dict[str, Callable[[View], go.Figure]] = {
    "feature_map": feature_map,
    "altruistic_loss": altruistic_loss,
    "oss_distance": oss_distance,
    "loss_discrepancy": loss_discrepancy,
    "poison_in_pool": poison_in_pool,
    "accuracy": accuracy,
    "votes": votes,
    "target_strip": target_strip,
    "transplant_map": transplant_map,
}


@lru_cache(maxsize=128)
def drawing(name: str, view: View) -> Drawing:
    """One of `PANELS`. About 25 kB each; scrubbing back finds the last epochs ready."""
    return Drawing.of(PANELS[name](view))


@lru_cache(maxsize=32)
def waiting(name: str, palette: Palette) -> Drawing:
    """What stands in for one of `PANELS` before the first epoch."""
    return Drawing.of(empty_figure(texts.WAITING_FOR_EPOCH, palette, title=texts.FIGURE_TITLES[name]))
