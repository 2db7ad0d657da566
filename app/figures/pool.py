"""The clean pool over the epochs of a run: the poison in it, or its size; pure functions, no streamlit."""

from __future__ import annotations

import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.timeline import Metrics, known_values, newest_epoch_text, run_timeline
from app.style.theme import Palette, Sketch, count, empty_figure, epoch_number, faded


def poison_in_pool(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Bars of the poison in the clean pool at each epoch, and a line of its running total.

    Without the ground truth, or where the poison was not counted, the size of the clean pool is drawn instead.

    Parameters
    ----------
    truth_shown : whether anything that depends on the ground truth may be drawn, whatever the metrics hold
    current_epoch : global, 0-based
    """
    schedule = facts.config.schedule
    epochs, poison = known_values(metrics, "poison_in_clean_pool")
    if not truth_shown or not len(epochs):
        return _pool_size(metrics, facts, palette, truth_shown, current_epoch)
    title, when = "Poison in the clean pool", newest_epoch_text(schedule, metrics, current_epoch)
    newest = f"{count(poison[-1])} in the pool of epoch {epochs[-1]}"
    sketch = run_timeline(
        palette,
        schedule,
        current_epoch,
        name="poison_in_pool",
        title=title,
        subtitle=f"{when} · {newest}",
        summary=f"{title}, {when}: {newest}.",
    )
    sketch.trace(
        "bar",
        x=epochs,
        y=poison,
        name="in the pool",
        marker_color=palette.poison,
        marker_line_width=0,
        hovertemplate="%{y:,} samples in the pool<extra></extra>",
    )
    _add_running_total(sketch, metrics, palette)
    sketch.layout(
        yaxis={
            "title": {"text": "poison in the pool (samples)", "font.color": palette.poison},
            "range": [0, 1.08 * max(5.0, float(poison.max(initial=0)))],
            "nticks": 5,
            "tickformat": ",d",
        },
        margin={"r": 64},
        bargap=0.25,
        showlegend=False,
    )
    return sketch.figure()


def _add_running_total(sketch: Sketch, metrics: Metrics, palette: Palette) -> None:
    """A dotted line of the poison summed over the epochs, on an axis of its own."""
    epochs, cumulative = known_values(metrics, "poison_in_clean_pool_cumulative")
    sketch.trace(
        "scatter",
        x=epochs,
        y=cumulative,
        name="cumulative",
        yaxis="y2",
        mode="lines",
        line={"color": palette.text, "width": 1.5, "dash": "dot"},
        hovertemplate="%{y:,} samples, cumulative<extra></extra>",
    )
    sketch.layout(
        yaxis2={
            "title": {"text": "cumulative, dotted (samples)", "standoff": 8},
            "tickmode": "auto",
            "range": [0, 1.08 * max(5.0, float(cumulative.max(initial=0)))],
            "nticks": 5,
            "tickformat": "~s",
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
        }
    )


def _pool_size(
    metrics: Metrics, facts: Facts, palette: Palette, truth_shown: bool, current_epoch: int | None
) -> go.Figure:
    """Bars of the size of the clean pool at each epoch."""
    schedule = facts.config.schedule
    when = newest_epoch_text(schedule, metrics, current_epoch)
    epochs, size = known_values(metrics, "clean_pool_size")
    if not len(epochs):
        first = epoch_number(schedule.altruistic_epochs)
        return empty_figure(f"the first clean pool comes with epoch {first}<br>({when})", palette, title="Clean pool")
    note = "poison was not counted in this run" if truth_shown else "counting poison needs the ground truth"
    sketch = run_timeline(
        palette,
        schedule,
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
