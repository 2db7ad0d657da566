"""The clean pool over the epochs of a run: how much poison it holds, or its size; pure functions, no streamlit."""

from __future__ import annotations

import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.timeline import Metrics, epoch_or_none_yet, known_values, run_timeline
from app.style.theme import Palette, count, empty_figure, epoch_number, faded


def poison_in_pool(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Bars of poison in the clean pool at each epoch and the line of its running total; the pool's size without truth."""
    schedule = facts.config.schedule
    title, when = "Poison in the clean pool", epoch_or_none_yet(schedule, metrics, current_epoch)
    epochs, poison = known_values(metrics, "poison_in_clean_pool")
    if not truth_shown or not len(epochs):
        return _pool_size(metrics, facts, palette, truth_shown, when, current_epoch)
    total_epochs, cumulative = known_values(metrics, "poison_in_clean_pool_cumulative")
    said = f"{count(poison[-1])} in the pool of epoch {epochs[-1]}"
    sketch = run_timeline(
        palette,
        schedule,
        current_epoch,
        name="poison_in_pool",
        title=title,
        subtitle=f"{when} · {said}",
        summary=f"{title}, {when}: {said}.",
    )
    sketch.trace(
        "bar",
        x=epochs,
        y=poison,
        name="in the pool",
        marker_color=palette.poison,
        marker_line_width=0,
        hovertemplate="%{y:,} in the pool<extra></extra>",
    )
    sketch.trace(
        "scatter",
        x=total_epochs,
        y=cumulative,
        name="cumulative",
        yaxis="y2",
        mode="lines",
        line={"color": palette.text, "width": 1.5, "dash": "dot"},
        hovertemplate="%{y:,} cumulative<extra></extra>",
    )
    top, top_cumulative = (max(5.0, float(v.max(initial=0))) for v in (poison, cumulative))
    sketch.layout(
        yaxis={
            "title": {"text": "in the pool (samples)", "font.color": palette.poison},
            "range": [0, 1.08 * top],
            "nticks": 5,
            "tickformat": ",d",
        },
        yaxis2={
            "title": {"text": "cumulative, dotted (samples)", "standoff": 8},
            "tickmode": "auto",
            "range": [0, 1.08 * top_cumulative],
            "nticks": 5,
            "tickformat": "~s",
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
        },
        margin={"r": 64},
        bargap=0.25,
        showlegend=False,
    )
    return sketch.figure()


def _pool_size(
    metrics: Metrics, facts: Facts, palette: Palette, truth_shown: bool, when: str, current_epoch: int | None
) -> go.Figure:
    """What is left of `poison_in_pool` without the truth, or before there is a pool."""
    epochs, size = known_values(metrics, "clean_pool_size")
    if not len(epochs):
        first = epoch_number(facts.config.schedule.altruistic_epochs)
        return empty_figure(f"the first clean pool comes with epoch {first}<br>({when})", palette, title="Clean pool")
    note = (
        "poison not counted in this run" if truth_shown else "truth unknown: how many of them are poison is not known"
    )
    sketch = run_timeline(
        palette,
        facts.config.schedule,
        current_epoch,
        name="pool_size",
        title="Size of the clean pool",
        subtitle=f"{when} · {note}",
        summary=f"Size of the clean pool, {when}: {count(size[-1])} samples; {note}.",
    )
    sketch.trace(
        "bar",
        x=epochs,
        y=size,
        marker_color=faded(palette.unknown, 0.7),
        marker_line_width=0,
        hovertemplate="%{y:,} samples<extra></extra>",
    )
    sketch.layout(
        yaxis={
            "title.text": "clean pool (samples)",
            "range": [0, 1.08 * float(size.max())],
            "nticks": 5,
            "tickformat": ",d",
        },
        bargap=0.25,
        showlegend=False,
    )
    return sketch.figure()
