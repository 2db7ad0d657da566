"""Figures 7, 8 and 11 of the paper, the distributions that the splits read; pure functions, no streamlit.

Figure 7 (a) and (b) are `histograms.altruistic_loss_histogram` and `histograms.oss_distance_histogram`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import (
    BIN_TITLE,
    DISCREPANCY_TITLE,
    LOSS_AXIS,
    LOSS_HIGH,
    LOSS_LOW,
    MAIN_LOSS_TITLE,
    OSS_TITLE,
    Facts,
)
from app.figures.histograms import LOSS_BINS, add_distribution, steps
from app.figures.small_multiples import SmallMultiples
from app.paper import texts
from app.style.theme import Palette, Sketch, count, empty_figure
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import Truth
from bsd_engine.splits import loss_discrepancy

GAP_BINS = 60
PANEL_BINS = 32
MOST_COLUMNS = 4
MOST_CLASSES = 10
DISTANCES = ("smallest", "mean", "largest")
"""Rows of `EpochState.oss_distances`."""


def loss_gap_histogram(state: EpochState, facts: Facts, truth: Truth | None, palette: Palette) -> go.Figure:
    """Figure 7 (c): distribution of the loss discrepancy, altruistic minus main loss, at the start of an epoch."""
    title = "Loss discrepancy"
    if state.main_loss is None:
        return empty_figure(texts.NO_MAIN_MODEL, palette, title=title)
    gap = loss_discrepancy(state.altruistic_loss, state.main_loss)
    edge = float(np.ceil(max(1.0, np.abs(gap[np.isfinite(gap)]).max(initial=1.0))))
    sketch = Sketch(
        palette,
        name="loss_gap",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · small: the altruistic model fits the label better",
        summary=f"Loss discrepancy, altruistic minus main, of {count(len(gap))} samples, {facts.epoch_text(state)}.",
    )
    add_distribution(
        sketch,
        gap.astype(np.float64),
        None if truth is None else truth.is_poison,
        np.linspace(-edge, edge, GAP_BINS + 1),
        palette,
    )
    sketch.layout(xaxis={"range": [-edge, edge], "title.text": DISCREPANCY_TITLE})
    return sketch.figure()


def main_loss_histogram(state: EpochState, facts: Facts, truth: Truth | None, palette: Palette) -> go.Figure:
    """Figure 7 (d): distribution of the main model's loss for the given labels at the start of an epoch."""
    title = "Main loss"
    if state.main_loss is None:
        return empty_figure(texts.NO_MAIN_MODEL, palette, title=title)
    sketch = Sketch(
        palette,
        name="main_loss",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · small: the main model agrees with the label",
        summary=f"Distribution of the main loss of {count(len(state.main_loss))} samples, {facts.epoch_text(state)}.",
    )
    loss = np.clip(state.main_loss.astype(np.float64), LOSS_LOW, LOSS_HIGH)
    add_distribution(
        sketch,
        loss,
        None if truth is None else truth.is_poison,
        np.geomspace(LOSS_LOW, LOSS_HIGH, LOSS_BINS + 1),
        palette,
    )
    sketch.layout(xaxis={**LOSS_AXIS, "title.text": MAIN_LOSS_TITLE})
    return sketch.figure()


def oss_warmup_distances(
    states: Sequence[EpochState], facts: Facts, truth: Truth | None, palette: Palette
) -> go.Figure:
    """Figure 8: the three OSS distances in the suspected class at some epochs of the OSS warm-up, a row a distance.

    Parameters
    ----------
    states : epochs with `oss_distances`, in order; at most four are drawn, including the last
    """
    title = texts.figure_title("8")
    measured = [s for s in states if s.oss_distances is not None and s.pseudo_target is not None]
    if not measured:
        return empty_figure(texts.NO_ALL_DISTANCES, palette, title=title)
    positions = np.linspace(0, len(measured) - 1, MOST_COLUMNS).round().astype(int)
    chosen = [measured[i] for i in sorted(set(positions.tolist()))]
    target, lengths = facts.name(chosen[-1].pseudo_target), ", ".join(str(s.main_epoch) for s in chosen)
    what = f"samples labelled {target}, after {lengths} epochs of the main model"
    sketch = SmallMultiples(
        palette,
        rows=len(DISTANCES),
        columns=len(chosen),
        gap=(0.035, 0.14),
        name="figure8",
        title=title,
        subtitle=what,
        summary=f"Histograms of the smallest, mean and largest distance, {what}.",
    )
    for i, (row, state) in enumerate((row, state) for row in range(len(DISTANCES)) for state in chosen):
        inside = facts.labels == state.pseudo_target
        _add_panel(
            sketch,
            i,
            f"{DISTANCES[row]}, {state.main_epoch} epochs",
            state.oss_distances[row][inside],
            None if truth is None else truth.is_poison[inside],
            palette,
            x_title="OSS distance (feature units)" if row == len(DISTANCES) - 1 else "",
            y_title=BIN_TITLE if state is chosen[0] else "",
        )
    sketch.layout(margin={"t": 78, "b": 44}, legend={"y": 0.99})
    return sketch.figure()


def all_to_all_distances(state: EpochState | None, facts: Facts, truth: Truth | None, palette: Palette) -> go.Figure:
    """Figure 11: the OSS distance in each class with that class as the target, under an all-to-all attack."""
    title = texts.figure_title("11")
    if state is None or state.oss_score is None:
        return empty_figure(texts.NO_OSS_DISTANCES, palette, title=title)
    classes = min(MOST_CLASSES, len(facts.class_names))
    columns = min(5, classes)
    shown_classes = f"{'first ' * (classes < len(facts.class_names))}{classes} classes"
    sketch = SmallMultiples(
        palette,
        rows=-(-classes // columns),
        columns=columns,
        gap=(0.035, 0.2),
        name="figure11",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · {shown_classes}",
        summary=f"OSS distance, {facts.epoch_text(state)}, {shown_classes}, each taken as the target.",
    )
    for c in range(classes):
        inside = facts.labels == c
        _add_panel(
            sketch,
            c,
            facts.name(c),
            state.oss_score[inside],
            None if truth is None else truth.is_poison[inside],
            palette,
            x_title=OSS_TITLE if c >= classes - columns else "",
            y_title=BIN_TITLE if c % columns == 0 else "",
        )
    sketch.layout(margin={"t": 78, "b": 44}, legend={"y": 0.99})
    return sketch.figure()


def _add_panel(
    sketch: SmallMultiples,
    i: int,
    title: str,
    values: np.ndarray,
    is_poison: np.ndarray | None,
    palette: Palette,
    *,
    x_title: str,
    y_title: str,
) -> None:
    """Add a panel with the outlines of clean and poison, or the filled outline of all samples without the truth."""
    top = float(np.nanmax(np.where(np.isfinite(values), values, 0.0), initial=0.0)) or 1.0
    edges = np.linspace(0, top * 1.02, PANEL_BINS + 1)
    axes = sketch.panel(
        i, title, x={"range": [0, edges[-1]], "title.text": x_title}, y={"title.text": y_title, "rangemode": "tozero"}
    )
    groups = [("all", np.ones(len(values), bool), palette.unknown, palette.total)]
    if is_poison is not None:
        groups = [
            ("clean", ~is_poison, palette.clean, "rgba(0,0,0,0)"),
            ("poison", is_poison, palette.poison, "rgba(0,0,0,0)"),
        ]
    for name, mask, colour, fill in groups:
        sketch.trace(
            "scatter",
            x=edges.astype(np.float32),
            y=steps(values[mask], edges),
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=i == 0,
            line={"shape": "hv", "width": 1.5, "color": colour},
            fill="tozeroy" if is_poison is None else None,
            fillcolor=fill,
            hovertemplate=f"from %{{x:.3g}}: %{{y}} {name}<extra></extra>",
            **axes,
        )
