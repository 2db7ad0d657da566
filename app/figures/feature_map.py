"""The 2-D map of the landmark samples' features; pure functions, no streamlit."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.points import Group, add_legend, add_points, add_rings, groups_of, mistakes
from app.style.theme import Palette, Sketch, count, empty_figure, faded
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import Truth

MOST_MAP_LABELS = 20
AXIS_TITLES = {
    "PCA": ("first component (feature units)", "second component (feature units)"),
    "UMAP": ("UMAP 1 (no unit)", "UMAP 2 (no unit)"),
}


def feature_map(
    xy: np.ndarray,
    state: EpochState,
    facts: Facts,
    truth: Truth | None,
    palette: Palette,
    *,
    kind: Literal["PCA", "UMAP"],
    clean_mask: np.ndarray | None = None,
) -> go.Figure:
    """Map of the landmark samples' features.

    Parameters
    ----------
    xy : (L, 2) float32, in the order of `facts.landmark_idx`
    kind : the projection, which names the axes
    clean_mask : (N,) bool, the clean pool to show; the recorded one if not given
    """
    title = f"Map of features ({kind})"
    idx = facts.landmark_idx
    shown = np.isfinite(xy).all(1) if len(xy) == len(idx) else np.zeros(0, bool)
    if not shown.any():
        return empty_figure(f"no {kind} map for {facts.epoch_text(state)} yet", palette, title=title)
    in_pool = state.clean_mask if clean_mask is None else clean_mask
    wrong, wrong_name = mistakes(truth, in_pool)
    sketch = Sketch(
        palette,
        name=f"feature_map_{kind}",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · distances here are not OSS distances",
        summary=f"{kind} map of {count(shown.sum())} samples, {facts.epoch_text(state)}. "
        "Distances on the map are not OSS distances.",
    )
    groups = groups_of(truth, len(facts.labels), palette)
    size = 5.0 if shown.sum() <= 1500 else 4.0
    _add_groups(sketch, groups, xy, shown, in_pool, facts, size)
    if wrong is not None:
        member = shown & wrong[idx]
        add_rings(sketch, xy[member, 0], xy[member, 1], size + 5, palette)
    add_legend(sketch, groups, in_pool is not None, wrong_name, palette)
    _add_map_labels(sketch, xy[shown], facts.labels[idx[shown]], state.pseudo_target, facts, palette)
    bare_axis = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    x_title, y_title = AXIS_TITLES[kind]
    sketch.layout(
        xaxis={**bare_axis, "title.text": x_title, "range": _padded(xy[shown, 0])},
        yaxis={**bare_axis, "title.text": y_title, "range": _padded(xy[shown, 1])},
        margin={"l": 26, "b": 26},
    )
    return sketch.figure()


def _add_groups(
    sketch: Sketch,
    groups: list[Group],
    xy: np.ndarray,
    shown: np.ndarray,
    in_pool: np.ndarray | None,
    facts: Facts,
    size: float,
) -> None:
    """Add the landmark samples that have a place on the map, one trace a group."""
    idx = facts.landmark_idx
    num_labels = max(len(facts.class_names), int(facts.labels.max()) + 1)
    names = np.array([facts.name(c) for c in range(num_labels)], dtype=object)
    for group in groups:
        member = shown & group.mask[idx]
        add_points(
            sketch,
            group,
            (xy[member, 0], xy[member, 1]),
            idx[member],
            in_pool,
            size=size,
            opacity=0.8,
            text=names[facts.labels[idx[member]]],
            hover="sample %{customdata}, labelled %{text}",
        )


def _padded(values: np.ndarray) -> list[float]:
    """Range of an axis, 5 % wider than the values on either side."""
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 1.0
    return [low - pad, high + pad]


def _add_map_labels(
    sketch: Sketch, xy: np.ndarray, labels: np.ndarray, pseudo_target: int | None, facts: Facts, palette: Palette
) -> None:
    """Label each class at its median. With very many classes only the suspected one; hover names the others."""
    present = [int(c) for c in np.unique(labels)]
    if len(present) > MOST_MAP_LABELS:
        present = [c for c in present if c == pseudo_target]
    if not present:
        return
    medians = np.array([np.median(xy[labels == c], axis=0) for c in present])
    for c, (x, y) in zip(present, _spread(medians, np.ptp(xy, axis=0)), strict=True):
        suspected = c == pseudo_target
        text = f"<b>{facts.name(c)}</b> (suspected)" if suspected else facts.name(c)
        sketch.note(
            text,
            x=x,
            y=y,
            font={"size": 12, "color": palette.text},
            bgcolor=faded(palette.surface, 0.78),
            borderpad=1,
            bordercolor=palette.text if suspected else "rgba(0,0,0,0)",
            borderwidth=1,
        )


def _spread(points: np.ndarray, extent: np.ndarray, width: float = 0.22, height: float = 0.062) -> np.ndarray:
    """Label positions, moved up or down until no two boxes of `width` by `height` (shares of the map) overlap."""
    scale = np.where(extent > 0, extent, 1.0)
    placed = points / scale
    for _ in range(60):
        moved = False
        for i in range(len(placed)):
            for j in range(i):
                gap = placed[i] - placed[j]
                overlap = height - abs(gap[1])
                if abs(gap[0]) < width and overlap > 1e-9:
                    push = overlap / 2 * (1 if gap[1] >= 0 else -1)
                    placed[i, 1] += push
                    placed[j, 1] -= push
                    moved = True
        if not moved:
            break
    return placed * scale
