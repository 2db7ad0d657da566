"""The two losses of each sample against each other; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import ALTRUISTIC_LOSS_TITLE, LOSS_AXIS, LOSS_HIGH, LOSS_LOW, MAIN_LOSS_TITLE, Cut, Facts
from app.figures.points import add_legend, add_points, add_rings, groups_of, mistakes
from app.style.theme import Palette, Sketch, count, empty_figure, epoch_number, faded, share
from bsd_engine.audit.number_format import measure
from bsd_engine.events import EpochState
from bsd_engine.method.pools import later_split, recorded_evidence, split_now
from bsd_engine.method.rules import PoolRules
from bsd_engine.runs.reader import Truth


def discrepancy_scatter(
    state: EpochState, facts: Facts, truth: Truth | None, palette: Palette, *, clean_mask: np.ndarray | None = None
) -> go.Figure:
    """Altruistic loss against main loss of each sample, with the cut of the stage; arguments as for `feature_map`.

    The suspected class and all known poison are drawn as points, the other classes as a density.
    """
    title, when = "Loss of both models", facts.epoch_text(state)
    if state.main_loss is None:
        first = epoch_number(facts.config.schedule.altruistic_epochs)
        return empty_figure(
            f"needs the main model, which trains from epoch {first} on<br>({when})", palette, title=title
        )
    in_pool = state.clean_mask if clean_mask is None else clean_mask
    x, y = (np.clip(loss.astype(np.float64), LOSS_LOW, LOSS_HIGH) for loss in (state.main_loss, state.altruistic_loss))
    if state.pseudo_target is None:
        shown, legend = np.ones(len(facts.labels), bool), "no class suspected"
    else:
        shown = facts.labels == state.pseudo_target
        legend = f"points: {facts.name(state.pseudo_target)}, grey: other classes"
    if truth is not None:
        shown = shown | truth.is_poison
    sketch = Sketch(
        palette,
        name="discrepancy",
        title=title,
        subtitle=f"{when} · {legend}",
        summary=f"Main against altruistic loss of {count(len(x))} samples, {when}; {legend}.",
    )
    _add_density(sketch, x[~shown], y[~shown], palette)
    groups = groups_of(truth, len(facts.labels), palette)
    for group in groups:
        idx = np.flatnonzero(shown & group.mask)
        add_points(
            sketch,
            group,
            (x[idx], y[idx]),
            idx,
            in_pool,
            size=5 if len(idx) < 1500 else 4,
            opacity=0.85,
            hover="sample %{customdata}<br>main loss %{x:.3g} nats, altruistic loss %{y:.3g} nats",
        )
    wrong, wrong_name = mistakes(truth, in_pool)
    if wrong is not None:
        add_rings(sketch, x[wrong & shown], y[wrong & shown], 11, palette)
    add_legend(sketch, groups, in_pool is not None, wrong_name, palette)
    _add_stage_cut(sketch, state, facts, palette)
    sketch.layout(
        xaxis={**LOSS_AXIS, "title.text": MAIN_LOSS_TITLE},
        yaxis={**LOSS_AXIS, "title.text": ALTRUISTIC_LOSS_TITLE},
        margin={"l": 66},
    )
    return sketch.figure()


def _add_density(sketch: Sketch, x: np.ndarray, y: np.ndarray, palette: Palette) -> None:
    """Add faint squares, darker where there are more samples, on a root scale so that sparse parts stay visible."""
    edges = np.geomspace(LOSS_LOW, LOSS_HIGH, 49)
    counts = np.histogram2d(y, x, [edges, edges])[0]
    z = np.where(counts > 0, np.sqrt(counts / max(1.0, counts.max())), np.nan).astype(np.float32)
    sketch.trace(
        "heatmap",
        x=edges.astype(np.float32),
        y=edges.astype(np.float32),
        z=z,
        zmin=0,
        zmax=1,
        showscale=False,
        hoverinfo="skip",
        colorscale=[[0, faded(palette.unknown, 0.08)], [1, faded(palette.unknown, 0.5)]],
        name="other classes",
    )


def _add_stage_cut(sketch: Sketch, state: EpochState, facts: Facts, palette: Palette) -> None:
    """Add the cut of the stage with its label, if the epoch has one."""
    if state.clean_ratio is None or state.main_loss is None:
        return
    grid = np.geomspace(LOSS_LOW, LOSS_HIGH, 300)
    if state.stage == "initial_pools":
        curve, label = _als_cut(state, facts, grid)
    elif state.stage in ("class_completion", "selective_drop"):
        curve, label = _discrepancy_cut(state, facts, grid)
    else:
        return
    inside = (curve >= LOSS_LOW) & (curve <= LOSS_HIGH)
    if not inside.any():
        return
    sketch.trace(
        "scatter",
        x=grid[inside].astype(np.float32),
        y=curve[inside].astype(np.float32),
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name="cut",
        line={"width": 1.5, "color": palette.text},
    )
    sketch.note(
        f"<b>{label}</b>",
        x=0,
        xref="paper",
        xanchor="left",
        xshift=4,
        y=np.log10(curve[inside][0]),
        yanchor="bottom",
        yshift=2,
        font={"size": 12, "color": palette.text},
        bgcolor=faded(palette.surface, 0.7),
        borderpad=1,
    )


def _als_cut(state: EpochState, facts: Facts, grid: np.ndarray) -> tuple[np.ndarray, str]:
    """The ALS cut on the initial pools: a level of the altruistic loss over `grid` (NaN if none), and its label."""
    rules = PoolRules.of(facts.config).with_settings(als_init_ratio=state.clean_ratio)
    cut = Cut("ALS", state.clean_ratio, state.altruistic_loss, split_now(rules, facts.labels, state).als_mask)
    level = np.nan if cut.value is None else np.clip(cut.value, LOSS_LOW, LOSS_HIGH)
    t1 = facts.config.schedule.t1
    fixed = "" if state.main_epoch == t1 else f" (pool fixed since T1 = {t1})"
    label = f"ALS {share(state.clean_ratio)}: keeps above {measure(cut.value or 0.0)}{fixed}"
    return np.full_like(grid, level), label


def _discrepancy_cut(state: EpochState, facts: Facts, grid: np.ndarray) -> tuple[np.ndarray, str]:
    """The curve altruistic - main = smallest discrepancy kept by share alone (NaN if none), and its label.

    Balanced completion cuts each class separately; the curve is then that of the suspected class.
    """
    rules = PoolRules.of(facts.config)
    split = later_split(rules, state.main_epoch, recorded_evidence(facts.labels, state), state.clean_ratio)
    by_class = rules.completion.startswith("balanced") and state.pseudo_target is not None
    kept = split.completed_mask & (facts.labels == state.pseudo_target) if by_class else split.top_mask
    cut = Cut("", state.clean_ratio, split.discrepancy, kept)
    of_class = f" of {facts.name(state.pseudo_target)}" if by_class else ""
    label = (
        f"alpha<sub>T</sub> {share(state.clean_ratio)}{of_class}: keeps altruistic − main ≥ {measure(cut.value or 0.0)}"
    )
    return grid + (np.nan if cut.value is None else cut.value), label
