"""Samples as points: the map of features and the two losses against each other; pure functions, no streamlit.

A trace's members do not change while a run goes on (its fill does), so that a selection keeps meaning the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from app.facts import LOSS_AXIS, LOSS_HIGH, LOSS_LOW, Cut, Facts, own
from app.theme import Palette, blank_figure, count, empty_figure, epoch_number, faded, measure, share
from bsd_engine.events import EpochState
from bsd_engine.runs import Truth
from bsd_engine.splits import als_clean_mask, discrepancy_clean_mask, loss_discrepancy

MOST_MAP_LABELS = 20


@dataclass(frozen=True)
class _Group:
    """Samples of the same truth: one hue, one shape."""

    name: str
    colour: str
    symbol: Literal["circle", "diamond"]
    mask: np.ndarray


def _groups(truth: Truth | None, n: int, palette: Palette) -> list[_Group]:
    """Clean below poison, or all unknown."""
    if truth is None:
        return [_Group("truth unknown", palette.unknown, "circle", np.ones(n, bool))]
    return [_Group("clean", palette.clean, "circle", ~truth.is_poison), _Group("poison", palette.poison, "diamond", truth.is_poison)]


def _add_points(figure: go.Figure, group: _Group, xy: tuple[np.ndarray, np.ndarray], sample_idx: np.ndarray, in_pool: np.ndarray | None, *,
                size: float, opacity: float, hover: str, **trace: Any) -> None:
    """One WebGL trace: solid in the clean pool, hollow outside; before there are pools all are solid."""
    fill = np.ones(len(sample_idx), np.uint8) if in_pool is None else in_pool[sample_idx].astype(np.uint8)
    figure.add_scattergl(
        x=xy[0].astype(np.float32), y=xy[1].astype(np.float32), mode="markers", name=group.name, customdata=sample_idx.astype(np.int32),
        marker={
            "color": fill, "cmin": 0, "cmax": 1, "colorscale": [[0, faded(group.colour, 0)], [0.5, faded(group.colour, 0)], [0.5, group.colour],
            [1, group.colour]], "showscale": False, "size": size, "symbol": group.symbol, "opacity": opacity,
            "line": {"width": 1, "color": group.colour},
        },
        showlegend=False, hovertemplate=hover + f"<br>{group.name}<extra></extra>", unselected={"marker": {"opacity": 0.12}}, **trace,
    )


def _add_legend(figure: go.Figure, groups: list[_Group], pools: bool, mistakes: str, palette: Palette) -> None:
    """Words for hue, fill and ring. Traces without points: the real ones would show the fill of their first sample."""
    entries = [(g.name, g.colour, g.symbol, g.colour) for g in groups]
    if pools:
        entries.append(("left out", faded(palette.unknown, 0), "circle", palette.unknown))
    if mistakes:
        entries.append((mistakes, faded(palette.unknown, 0), "circle", palette.ring))
    for name, colour, symbol, outline in entries:
        width = 2 if outline == palette.ring else 1.2
        figure.add_scatter(x=np.full(1, np.nan, np.float32), y=np.full(1, np.nan, np.float32), mode="markers", name=name, hoverinfo="skip",
                           marker={"size": 8, "color": colour, "symbol": symbol, "line": {"width": width, "color": outline}})
    place = {"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}
    figure.update_layout(legend={"itemclick": False, "itemdoubleclick": False, **place}, margin={"t": 70})


def _add_rings(figure: go.Figure, x: np.ndarray, y: np.ndarray, size: float, palette: Palette) -> None:
    """Rings around mistakes, on top and deaf: hover, clicks and selections reach the sample below."""
    figure.add_scatter(
        x=x.astype(np.float32), y=y.astype(np.float32), mode="markers", hoverinfo="skip", showlegend=False, name="mistakes",
        marker={"size": size, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": palette.ring}},
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )


def _mistakes(truth: Truth | None, in_pool: np.ndarray | None, *, left_out_too: bool) -> tuple[np.ndarray | None, str]:
    """(N,) bool of wrongly placed samples and a word for them; None and "" where nobody can tell."""
    if truth is None or in_pool is None:
        return None, ""
    kept = truth.is_poison & in_pool
    return (kept | (~truth.is_poison & ~in_pool), "mistake") if left_out_too else (kept, "poison kept")


def feature_map(xy: np.ndarray, state: EpochState, facts: Facts, truth: Truth | None, palette: Palette, *, kind: Literal["PCA", "UMAP"],
                clean_mask: np.ndarray | None = None, ring_left_out: bool = False) -> go.Figure:
    """Map of the landmarks' features.

    Parameters
    ----------
    xy : (L, 2) float32, in the order of `facts.landmark_idx`
    clean_mask : (N,) bool, the pool to show; the recorded one when not given
    ring_left_out : ring clean samples outside the pool too
    """
    title = f"Map of features ({kind})"
    idx = facts.landmark_idx
    shown = np.isfinite(xy).all(1) if len(xy) == len(idx) else np.zeros(0, bool)
    if not shown.any():
        return empty_figure(f"no map for {facts.epoch_text(state)} yet", palette, title=title)
    in_pool = state.clean_mask if clean_mask is None else clean_mask
    wrong, wrong_name = _mistakes(truth, in_pool, left_out_too=ring_left_out)
    figure = blank_figure(
        palette, name=f"feature_map_{kind}", title=title, subtitle=f"{facts.epoch_text(state)} · distances on it are not OSS distances",
        summary=f"{kind} map of {count(shown.sum())} samples, {facts.epoch_text(state)}. Distances on the map are not OSS distances.",
    )
    groups = _groups(truth, len(facts.labels), palette)
    size = 5.0 if shown.sum() <= 1500 else 4.0
    for group in groups:
        member = shown & group.mask[idx]
        names = np.array([facts.name(c) for c in range(max(len(facts.class_names), int(facts.labels.max()) + 1))], dtype=object)
        _add_points(figure, group, (xy[member, 0], xy[member, 1]), idx[member], in_pool, size=size, opacity=0.8,
                    text=names[facts.labels[idx[member]]], hover="sample %{customdata}, labelled %{text}")
    if wrong is not None:
        member = shown & wrong[idx]
        _add_rings(figure, xy[member, 0], xy[member, 1], size + 5, palette)
    _add_legend(figure, groups, in_pool is not None, wrong_name, palette)
    _add_map_labels(figure, xy[shown], facts.labels[idx[shown]], state.pseudo_target, facts, palette)
    hidden = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    units = {"PCA": ("first component (feature units)", "second component (feature units)"), "UMAP": ("UMAP 1 (no unit)", "UMAP 2 (no unit)")}
    return figure.update_layout(
        xaxis={**hidden, "title.text": units[kind][0], "range": _padded(xy[shown, 0])},
        yaxis={**hidden, "title.text": units[kind][1], "range": _padded(xy[shown, 1])}, margin={"l": 26, "b": 26},
    )


def _padded(values: np.ndarray) -> list[float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 1.0
    return [low - pad, high + pad]


def _add_map_labels(figure: go.Figure, xy: np.ndarray, labels: np.ndarray, pseudo_target: int | None, facts: Facts, palette: Palette) -> None:
    """Names at the class medians on a veil; with very many classes only the suspected one, the rest on hover."""
    present = [int(c) for c in np.unique(labels)]
    if len(present) > MOST_MAP_LABELS:
        present = [c for c in present if c == pseudo_target]
    if not present:
        return
    medians = np.array([np.median(xy[labels == c], axis=0) for c in present])
    for c, (x, y) in zip(present, _spread(medians, np.ptp(xy, axis=0)), strict=True):
        suspected = c == pseudo_target
        text = f"<b>{facts.name(c)}</b> (suspected)" if suspected else facts.name(c)
        figure.add_annotation(text=text, x=x, y=y, font={"size": 12, "color": palette.text}, bgcolor=faded(palette.surface, 0.78), borderpad=1,
                              bordercolor=palette.text if suspected else "rgba(0,0,0,0)", borderwidth=1)


def _spread(points: np.ndarray, extent: np.ndarray, width: float = 0.22, height: float = 0.062) -> np.ndarray:
    """Label positions, moved up or down until none is within a label's box (share of the map) of another."""
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


def discrepancy_scatter(state: EpochState, facts: Facts, truth: Truth | None, palette: Palette, *, clean_mask: np.ndarray | None = None,
                        ring_left_out: bool = False) -> go.Figure:
    """Main loss against altruistic loss, with the cut of the stage; arguments as for `feature_map`.

    The suspected class, and poison wherever it is known, is drawn as points; the other classes as density.
    """
    title = "Loss of both models"
    if state.main_loss is None:
        first = epoch_number(facts.config.schedule.altruistic_epochs)
        return empty_figure(f"needs the main model: from epoch {first}<br>({facts.epoch_text(state)})", palette, title=title)
    in_pool = state.clean_mask if clean_mask is None else clean_mask
    x, y = (np.clip(loss, LOSS_LOW, LOSS_HIGH) for loss in (state.main_loss, state.altruistic_loss))
    suspected = facts.labels == state.pseudo_target if state.pseudo_target is not None else np.ones(len(facts.labels), bool)
    front = suspected if truth is None else suspected | truth.is_poison
    target = "no class suspected" if state.pseudo_target is None else f"points: {facts.name(state.pseudo_target)}, grey: other classes"
    figure = blank_figure(
        palette, name="discrepancy", title=title, subtitle=f"{facts.epoch_text(state)} · {target}",
        summary=f"Main against altruistic loss of {count(len(x))} samples, {facts.epoch_text(state)}; {target}.",
    )
    _add_density(figure, x[~front], y[~front], palette)
    groups = _groups(truth, len(facts.labels), palette)
    for group in groups:
        idx = np.flatnonzero(front & group.mask)
        _add_points(figure, group, (x[idx], y[idx]), idx, in_pool, size=5 if len(idx) < 1500 else 4, opacity=0.85,
                    hover="sample %{customdata}<br>main %{x:.3g}, altruistic %{y:.3g}")
    wrong, wrong_name = _mistakes(truth, in_pool, left_out_too=ring_left_out)
    if wrong is not None:
        _add_rings(figure, x[wrong & front], y[wrong & front], 11, palette)
    _add_legend(figure, groups, in_pool is not None, wrong_name, palette)
    _add_stage_cut(figure, state, facts, palette)
    return figure.update_layout(
        xaxis={**LOSS_AXIS, "title.text": "main loss (SCE, nats, log)"}, yaxis={**LOSS_AXIS, "title.text": "altruistic loss (SCE, nats, log)"},
        margin={"l": 66},
    )


def _add_density(figure: go.Figure, x: np.ndarray, y: np.ndarray, palette: Palette) -> None:
    """Faint squares, darker where there are more samples (root scale, so that thin parts stay visible)."""
    edges = np.geomspace(LOSS_LOW, LOSS_HIGH, 49)
    counts = np.histogram2d(y, x, [edges, edges])[0]
    z = np.where(counts > 0, np.sqrt(counts / max(1.0, counts.max())), np.nan).astype(np.float32)
    figure.add_heatmap(x=edges.astype(np.float32), y=edges.astype(np.float32), z=z, zmin=0, zmax=1, showscale=False, hoverinfo="skip",
                       colorscale=[[0, faded(palette.unknown, 0.08)], [1, faded(palette.unknown, 0.5)]], name="other classes")


def _add_stage_cut(figure: go.Figure, state: EpochState, facts: Facts, palette: Palette) -> None:
    """Initial pools: the ALS cut, a level. Later: the curve altruistic - main = smallest discrepancy kept by share alone."""
    ratio = state.clean_ratio
    if ratio is None or state.main_loss is None:
        return
    grid = np.geomspace(LOSS_LOW, LOSS_HIGH, 300)
    if state.stage == "initial_pools":
        cut = Cut("ALS", ratio, state.altruistic_loss, als_clean_mask(own(state.altruistic_loss), ratio))
        fixed = "" if state.main_epoch == facts.config.schedule.t1 else f" (pool fixed since T1 = {facts.config.schedule.t1})"
        curve = np.full_like(grid, np.nan if cut.value is None else np.clip(cut.value, LOSS_LOW, LOSS_HIGH))
        label = f"ALS {share(ratio)}: above {measure(cut.value or 0.0)}{fixed}"
    elif state.stage in ("class_completion", "selective_drop"):
        gap = loss_discrepancy(state.altruistic_loss, state.main_loss)
        cut = Cut("", ratio, gap, discrepancy_clean_mask(own(gap), own(facts.labels), ratio, "off"))
        curve = grid + (np.nan if cut.value is None else cut.value)
        label = f"alpha<sub>T</sub> {share(ratio)}: above {_difference(cut.value or 0.0)}"
    else:
        return
    inside = (curve >= LOSS_LOW) & (curve <= LOSS_HIGH)
    if cut.value is None or not inside.any():
        return
    figure.add_scatter(x=grid[inside].astype(np.float32), y=curve[inside].astype(np.float32), mode="lines", hoverinfo="skip", showlegend=False,
                       name="cut", line={"width": 1.5, "color": palette.text})
    figure.add_annotation(text=f"<b>{label}</b>", x=0, xref="paper", xanchor="left", xshift=4, y=np.log10(curve[inside][0]), yanchor="bottom", yshift=2,
                          font={"size": 12, "color": palette.text}, bgcolor=faded(palette.surface, 0.7), borderpad=1)


def _difference(gap: float) -> str:
    """ "altruistic - main = -0.31", with a true minus sign."""
    return f"altruistic − main = {'−' if gap < 0 else ''}{measure(abs(gap))}"
