"""Distributions of the two scores that the first split reads, each with its cut; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import ALTRUISTIC_LOSS_TITLE, BIN_TITLE, LOSS_AXIS, LOSS_HIGH, LOSS_LOW, OSS_TITLE, Cut, Facts
from app.style.theme import Palette, Sketch, count, empty_figure, epoch_number, faded
from bsd_engine.events import EpochState
from bsd_engine.method.pools import split_now
from bsd_engine.method.rules import PoolRules
from bsd_engine.runs.reader import Truth

LOSS_BINS = 66
DISTANCE_BINS = 40

COUNT_ROW, POISON_ROW = (0.3, 1.0), (0.0, 0.22)
"""Heights of a histogram's rows as shares of the plot: all samples above, poison on its own scale below."""


def altruistic_loss_histogram(
    state: EpochState, facts: Facts, truth: Truth | None, palette: Palette, *, alpha: float | None = None
) -> go.Figure:
    """Distribution of the altruistic loss with the cut that ALS makes at `alpha`, by default the run's share."""
    loss = state.altruistic_loss
    alpha = facts.config.split.als_ratio if alpha is None else alpha
    is_poison = None if truth is None else truth.is_poison
    rules = PoolRules.of(facts.config).with_settings(als_init_ratio=alpha)
    cut = Cut("alpha", alpha, loss, split_now(rules, facts.labels, state).als_mask)
    edges = np.geomspace(LOSS_LOW, LOSS_HIGH, LOSS_BINS + 1)
    sketch = Sketch(
        palette,
        name="altruistic_loss",
        title="Altruistic loss",
        subtitle=f"{facts.epoch_text(state)} · {cut.tally(is_poison)} · small: learned early",
        summary=f"Altruistic loss of {count(len(loss))} samples, {facts.epoch_text(state)}. "
        f"{cut.label}; {cut.tally(is_poison)}.",
    )
    add_distribution(sketch, np.clip(loss.astype(np.float64), edges[0], edges[-1]), is_poison, edges, palette)
    _add_cut(sketch, cut, edges, palette, log=True)
    sketch.layout(xaxis={**LOSS_AXIS, "title.text": ALTRUISTIC_LOSS_TITLE})
    return sketch.figure()


def oss_distance_histogram(
    state: EpochState, facts: Facts, truth: Truth | None, palette: Palette, *, beta: float | None = None
) -> go.Figure:
    """Distribution of the OSS distance in the suspected class with the cut at `beta`, by default the run's."""
    title = "OSS distance"
    if state.oss_score is None or state.pseudo_target is None:
        return empty_figure(_oss_missing(state, facts), palette, title=title)
    beta = facts.config.split.beta if beta is None else beta
    suspected = facts.labels == state.pseudo_target
    if not suspected.any():
        return empty_figure(f"no sample is labelled {facts.name(state.pseudo_target)}", palette, title=title)
    distances = state.oss_score[suspected]
    is_poison = None if truth is None else truth.is_poison[suspected]
    rules = PoolRules.of(facts.config).with_settings(beta=beta)
    cut = Cut("beta", beta, distances, split_now(rules, facts.labels, state).oss_mask[suspected])
    t1 = facts.config.schedule.t1
    note = f"provisional: decided at T1 = {t1}" if state.main_epoch < t1 else ""
    sketch = Sketch(
        palette,
        name="oss_distance",
        title=f"{title} of {facts.name(state.pseudo_target)}",
        subtitle=f"{facts.epoch_text(state)} · {cut.tally(is_poison)}",
        summary=f"OSS distance of {count(len(distances))} samples of {facts.name(state.pseudo_target)}, "
        f"{facts.epoch_text(state)}. {cut.label}; {cut.tally(is_poison)}. {note}",
    )
    largest = float(np.nanmax(np.where(np.isfinite(distances), distances, 0.0)))
    edges = np.linspace(0, _round_up(largest), DISTANCE_BINS + 1)
    add_distribution(sketch, distances, is_poison, edges, palette, headroom=1.5 if note else 1.22)
    _add_cut(sketch, cut, edges, palette, log=False, note=note)
    sketch.layout(xaxis={"range": [0, edges[-1]], "title.text": OSS_TITLE})
    return sketch.figure()


def _oss_missing(state: EpochState, facts: Facts) -> str:
    """Why an epoch has no OSS distance, and when there is one."""
    schedule = facts.config.schedule
    first, decided = (epoch_number(schedule.altruistic_epochs + t) for t in (0, schedule.t1))
    if state.main_epoch < 0:
        return f"measured once the main model trains:<br>from epoch {first} ({facts.epoch_text(state)})"
    if state.pseudo_target is None:
        return f"no single class is suspected,<br>so there is no OSS distance<br>({facts.epoch_text(state)})"
    return (
        f"OSS was decided at T1 = {schedule.t1} (epoch {decided})<br>"
        f"and is not measured after that<br>({facts.epoch_text(state)})"
    )


def _round_up(value: float) -> float:
    """The next larger of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten, so that bins stay the same for many epochs."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9)))


def steps(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(bins + 1,) float32 counts, the last one repeated, for a line of shape "hv" over the edges."""
    counts = np.histogram(values, edges)[0].astype(np.float32)
    return np.append(counts, counts[-1:])


def add_distribution(
    sketch: Sketch,
    values: np.ndarray,
    is_poison: np.ndarray | None,
    edges: np.ndarray,
    palette: Palette,
    headroom: float = 1.22,
) -> None:
    """Add a light total and the outlines of clean and poison; the headroom above is for the label of the cut."""
    x, total = edges.astype(np.float32), steps(values, edges)
    sketch.trace(
        "scatter",
        x=x,
        y=total,
        mode="lines",
        fill="tozeroy",
        fillcolor=palette.total,
        name="all",
        hovertemplate="from %{x:.3g}: %{y} samples<extra></extra>",
        line={"shape": "hv", "width": 1 if is_poison is None else 0, "color": palette.unknown},
        showlegend=is_poison is not None,
    )
    top = headroom * max(1.0, float(total.max()))
    sketch.layout(yaxis={"title.text": BIN_TITLE, "range": [0, top], "nticks": 5, "domain": (0, 1)})
    if is_poison is not None:
        poison = steps(values[is_poison], edges)
        for name, y, colour in (("clean", total - poison, palette.clean), ("poison", poison, palette.poison)):
            sketch.trace(
                "scatter",
                x=x,
                y=y,
                mode="lines",
                name=name,
                line={"shape": "hv", "width": 1.6, "color": colour},
                hovertemplate=f"from %{{x:.3g}}: %{{y}} {name}<extra></extra>",
            )
        _add_poison_row(sketch, x, poison, int(is_poison.sum()), palette)


def _add_poison_row(sketch: Sketch, x: np.ndarray, poison: np.ndarray, n: int, palette: Palette) -> None:
    """Add the poison again below on its own scale, so that 5 % is visible; the label is on the emptier side."""
    sketch.trace(
        "scatter",
        x=x,
        y=poison,
        mode="lines",
        yaxis="y2",
        showlegend=False,
        fill="tozeroy",
        fillcolor=faded(palette.poison, 0.3),
        line={"shape": "hv", "width": 1, "color": palette.poison},
        hovertemplate="from %{x:.3g}: %{y} poison<extra></extra>",
    )
    top = 1.1 * max(1.0, float(poison.max()))
    poison_axis = {
        "domain": POISON_ROW,
        "range": [0, top],
        "nticks": 2,
        "showgrid": False,
        "anchor": "x",
        "tickfont.color": palette.poison,
    }
    sketch.layout(yaxis={"domain": COUNT_ROW}, yaxis2=poison_axis, xaxis={"anchor": "y2"})
    half = len(poison) // 2
    right = poison[half:].sum() <= poison[:half].sum()
    sketch.note(
        f"poison only ({count(n)}), own scale",
        x=1 if right else 0,
        xref="paper",
        xanchor="right" if right else "left",
        y=POISON_ROW[1],
        yref="paper",
        yanchor="top",
        font={"size": 11, "color": palette.poison},
        bgcolor=faded(palette.surface, 0.6),
        borderpad=0,
    )


def _add_cut(sketch: Sketch, cut: Cut, edges: np.ndarray, palette: Palette, *, log: bool, note: str = "") -> None:
    """Add a line at the smallest kept score, shade the kept side, and put the label on the side with more room."""
    low, high = float(edges[0]), float(edges[-1])
    at = high if cut.value is None else float(np.clip(cut.value, low, high))
    scale = np.log10 if log else float
    to_left = float((scale(at) - scale(low)) / (scale(high) - scale(low))) > 0.5
    sketch.shape("rect", x0=at, x1=high, y0=0, y1=1, yref="paper", fillcolor=palette.band, line_width=0, layer="below")
    sketch.shape("line", x0=at, x1=at, y0=0, y1=1, yref="paper", line={"color": palette.text, "width": 1.5})
    side = "right" if to_left else "left"
    sketch.note(
        f"<b>{cut.label}</b>" + (f"<br>{note}" if note else ""),
        x=scale(at),
        y=1,
        yref="paper",
        yanchor="top",
        xanchor=side,
        align=side,
        xshift=-4 if to_left else 4,
        font={"size": 12, "color": palette.text},
    )
