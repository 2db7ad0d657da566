"""The two losses of each sample against each other; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import LOSS_AXIS, LOSS_HIGH, LOSS_LOW, Cut, Facts
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
    """Main loss against altruistic loss, with the cut of the stage; arguments as for `feature_map`.

    The suspected class, and poison wherever it is known, is drawn as points; the other classes as density.
    """
    title = "Loss of both models"
    if state.main_loss is None:
        first = epoch_number(facts.config.schedule.altruistic_epochs)
        return empty_figure(
            f"needs the main model: from epoch {first}<br>({facts.epoch_text(state)})", palette, title=title
        )
    in_pool = state.clean_mask if clean_mask is None else clean_mask
    x, y = (np.clip(loss.astype(np.float64), LOSS_LOW, LOSS_HIGH) for loss in (state.main_loss, state.altruistic_loss))
    suspected = (
        facts.labels == state.pseudo_target if state.pseudo_target is not None else np.ones(len(facts.labels), bool)
    )
    front = suspected if truth is None else suspected | truth.is_poison
    target = (
        "no class suspected"
        if state.pseudo_target is None
        else f"points: {facts.name(state.pseudo_target)}, grey: other classes"
    )
    sketch = Sketch(
        palette,
        name="discrepancy",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · {target}",
        summary=f"Main against altruistic loss of {count(len(x))} samples, {facts.epoch_text(state)}; {target}.",
    )
    _add_density(sketch, x[~front], y[~front], palette)
    groups = groups_of(truth, len(facts.labels), palette)
    for group in groups:
        idx = np.flatnonzero(front & group.mask)
        add_points(
            sketch,
            group,
            (x[idx], y[idx]),
            idx,
            in_pool,
            size=5 if len(idx) < 1500 else 4,
            opacity=0.85,
            hover="sample %{customdata}<br>main %{x:.3g}, altruistic %{y:.3g}",
        )
    wrong, wrong_name = mistakes(truth, in_pool)
    if wrong is not None:
        add_rings(sketch, x[wrong & front], y[wrong & front], 11, palette)
    add_legend(sketch, groups, in_pool is not None, wrong_name, palette)
    _add_stage_cut(sketch, state, facts, palette)
    sketch.layout(
        xaxis={**LOSS_AXIS, "title.text": "main loss (SCE, nats, log)"},
        yaxis={**LOSS_AXIS, "title.text": "altruistic loss (SCE, nats, log)"},
        margin={"l": 66},
    )
    return sketch.figure()


def _add_density(sketch: Sketch, x: np.ndarray, y: np.ndarray, palette: Palette) -> None:
    """Faint squares, darker where there are more samples (root scale, so that thin parts stay visible)."""
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
    """Initial pools: the ALS cut, a level. Later: the curve altruistic - main = smallest discrepancy kept by share alone.

    Balanced completion cuts each class by itself; the line is then that of the suspected class.
    """
    ratio = state.clean_ratio
    if ratio is None or state.main_loss is None:
        return
    rules = PoolRules.of(facts.config)
    grid = np.geomspace(LOSS_LOW, LOSS_HIGH, 300)
    if state.stage == "initial_pools":
        als = split_now(rules.with_settings(als_init_ratio=ratio), facts.labels, state).als_mask
        cut = Cut("ALS", ratio, state.altruistic_loss, als)
        fixed = (
            ""
            if state.main_epoch == facts.config.schedule.t1
            else f" (pool fixed since T1 = {facts.config.schedule.t1})"
        )
        curve = np.full_like(grid, np.nan if cut.value is None else np.clip(cut.value, LOSS_LOW, LOSS_HIGH))
        label = f"ALS {share(ratio)}: keeps above {measure(cut.value or 0.0)}{fixed}"
    elif state.stage in ("class_completion", "selective_drop"):
        split = later_split(rules, state.main_epoch, recorded_evidence(facts.labels, state), ratio)
        by_class = rules.completion.startswith("balanced") and state.pseudo_target is not None
        kept = split.completed_mask & (facts.labels == state.pseudo_target) if by_class else split.top_mask
        cut = Cut("", ratio, split.discrepancy, kept)
        curve = grid + (np.nan if cut.value is None else cut.value)
        of = f" of {facts.name(state.pseudo_target)}" if by_class else ""
        label = f"alpha<sub>T</sub> {share(ratio)}{of}: keeps {_difference(cut.value or 0.0)}"
    else:
        return
    inside = (curve >= LOSS_LOW) & (curve <= LOSS_HIGH)
    if cut.value is None or not inside.any():
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


def _difference(gap: float) -> str:
    """ "altruistic - main ≥ -0.31", with a true minus sign."""
    return f"altruistic − main ≥ {measure(gap)}"
