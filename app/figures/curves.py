"""Figures over the epochs of a run and of the target vote; pure functions, no streamlit.

What depends on the truth is drawn only if `truth_shown`, whatever the metrics hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.stages import stage_spans, stage_strip
from app.style.theme import STAGE_NAMES, Palette, Sketch, count, empty_figure, epoch_number, epoch_text, faded, percent
from bsd_engine.config.method_settings import ScheduleConfig
from bsd_engine.events import EpochState

__all__ = ["Metrics", "accuracy_curves", "poison_in_pool", "stage_spans", "stage_strip", "vote_bars"]

Metrics = Mapping[int, Mapping[str, float | int | None]]
"""`EpochState.metrics` of each global, 0-based epoch recorded so far."""

MOST_VOTE_BARS = 12
NARROWEST_LABELLED_BAND = 0.06
PERCENT_TOP = 128.0
"""The percent axis goes on above 100 to make room for labels."""
CLOSE_ENDS = 24.0
"""Line ends nearer than this, in percent, need one label above the other."""


def _series(metrics: Metrics, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(K,) epoch numbers as shown and (K,) values, where the value is known."""
    known = [
        (epoch_number(e), v) for e in sorted(metrics) if (v := metrics[e].get(name)) is not None and math.isfinite(v)
    ]
    return np.array([e for e, _ in known], np.int32), np.array([v for _, v in known], np.float32)


def _timeline(palette: Palette, schedule: ScheduleConfig, current_epoch: int | None, **words: str) -> Sketch:
    """The start of a figure over all epochs, with named bands for the stages and a line at the current epoch."""
    sketch = Sketch(palette, **words)
    total = schedule.total_epochs
    for i, (stage, first, last) in enumerate(stage_spans(schedule)):
        x0, x1 = epoch_number(first) - 0.5, epoch_number(last) + 0.5
        if i % 2:
            sketch.shape(
                "rect", x0=x0, x1=x1, y0=0, y1=1, yref="paper", fillcolor=palette.band, line_width=0, layer="below"
            )
        if (last + 1 - first) / total >= NARROWEST_LABELLED_BAND:
            sketch.note(
                STAGE_NAMES[stage].replace(" ", "<br>", 1),
                x=(x0 + x1) / 2,
                y=1,
                yref="paper",
                yanchor="bottom",
                font={"size": 11, "color": palette.muted},
            )
    if current_epoch is not None:
        now = epoch_number(current_epoch)
        sketch.shape("line", x0=now, x1=now, y0=0, y1=1, yref="paper", line={"color": palette.text, "width": 1.2})
    sketch.layout(
        xaxis={"title.text": "epoch", "range": [0.5, total + 0.5], "showgrid": False}, margin={"t": 78}, hovermode="x"
    )
    return sketch


def _when(schedule: ScheduleConfig, metrics: Metrics, current_epoch: int | None) -> str:
    epoch = current_epoch if current_epoch is not None else max(metrics, default=None)
    return "no epoch yet" if epoch is None else epoch_text(epoch, schedule.total_epochs)


def poison_in_pool(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Bars of poison in the clean pool at each epoch and the line of its running total; the pool's size without truth."""
    schedule = facts.config.schedule
    title, when = "Poison in the clean pool", _when(schedule, metrics, current_epoch)
    epochs, poison = _series(metrics, "poison_in_clean_pool")
    if not truth_shown or not len(epochs):
        return _pool_size(metrics, facts, palette, truth_shown, when, current_epoch)
    total_epochs, cumulative = _series(metrics, "poison_in_clean_pool_cumulative")
    said = f"{count(poison[-1])} in the pool of epoch {epochs[-1]}"
    sketch = _timeline(
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
    epochs, size = _series(metrics, "clean_pool_size")
    if not len(epochs):
        first = epoch_number(facts.config.schedule.altruistic_epochs)
        return empty_figure(f"the first clean pool comes with epoch {first}<br>({when})", palette, title="Clean pool")
    note = (
        "poison not counted in this run" if truth_shown else "truth unknown: how many of them are poison is not known"
    )
    sketch = _timeline(
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


def accuracy_curves(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Clean accuracy and attack success of the main model, percent.

    Parameters
    ----------
    truth_shown : attack success is left out otherwise, as it needs the trigger
    """
    schedule = facts.config.schedule
    when = _when(schedule, metrics, current_epoch)
    lines = [("clean accuracy", "", "clean_accuracy", palette.clean)]
    lines += [("attack success", " (lower is better)", "attack_success_rate", palette.poison)] if truth_shown else []
    series = {name: _series(metrics, name) for _, _, name, _ in lines}
    if not any(len(e) for e, _ in series.values()):
        first = epoch_number(schedule.altruistic_epochs)
        return empty_figure(
            f"measured from epoch {first} on,<br>if the data have test images<br>({when})", palette, title="Accuracy"
        )
    note = "" if truth_shown and len(series["attack_success_rate"][0]) else " · attack success unknown"
    ends = ", ".join(f"{label} {percent(series[name][1][-1])}" for label, _, name, _ in lines if len(series[name][0]))
    sketch = _timeline(
        palette,
        schedule,
        current_epoch,
        name="accuracy",
        title="Accuracy and attack success" if truth_shown else "Accuracy",
        subtitle=f"{when}{note}",
        summary=f"Main model, {when}: {ends}{note}.",
    )
    labels = []
    for label, remark, name, colour in lines:
        epochs, values = series[name]
        if not len(epochs):
            continue
        sketch.trace(
            "scatter",
            x=epochs,
            y=values,
            mode="lines+markers" if len(epochs) < 3 else "lines",
            name=label,
            showlegend=False,
            line={"color": colour, "width": 2},
            hovertemplate=f"{label} %{{y:.1f}} %<extra></extra>",
        )
        text = f"{label} <b>{percent(values[-1])}</b>{remark}"
        labels.append((float(values[-1]), int(epochs[-1]), text, colour))
    _add_end_labels(sketch, labels, schedule.total_epochs)
    sketch.layout(
        yaxis={"title.text": "test images (percent)", "range": [-2, PERCENT_TOP], "tickvals": [0, 25, 50, 75, 100]}
    )
    return sketch.figure()


def _add_end_labels(sketch: Sketch, labels: list[tuple[float, int, str, str]], total: int) -> None:
    """A label above each line's end, on the side with more room; the upper one moves up if the two are close."""
    labels = sorted(labels)
    close = len(labels) == 2 and labels[1][0] - labels[0][0] < CLOSE_ENDS
    for i, (value, epoch, text, colour) in enumerate(labels):
        side, xshift = ("right", -4) if epoch > total / 2 else ("left", 4)
        sketch.note(
            text,
            x=epoch,
            y=value,
            yanchor="bottom",
            yshift=20 if close and i else 3,
            xanchor=side,
            xshift=xshift,
            borderpad=0,
            font={"size": 12, "color": colour},
        )


def vote_bars(state: EpochState, facts: Facts, palette: Palette) -> go.Figure:
    """Score of each class under the target estimator; the highest is the suspected target."""
    title = "Which class is the target?"
    if state.vote_scores is None:
        last = epoch_number(facts.config.schedule.altruistic_epochs - 1)
        return empty_figure(
            f"voted on in the altruistic warm-up,<br>up to epoch {last}<br>({facts.epoch_text(state)})",
            palette,
            title=title,
        )
    scores = np.nan_to_num(state.vote_scores.astype(np.float32))
    shown = np.sort(np.argsort(-scores, kind="stable")[:MOST_VOTE_BARS])
    said = "none yet" if state.pseudo_target is None else facts.name(state.pseudo_target)
    rest = f" · {len(shown)} highest of {len(scores)} classes" if len(shown) < len(scores) else ""
    sketch = Sketch(
        palette,
        name="vote",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · suspected: <b>{said}</b>{rest}",
        summary=f"Target vote, {facts.epoch_text(state)}: suspected is {said}.",
    )
    rows = np.arange(len(shown), dtype=np.int32)
    sketch.trace(
        "bar",
        x=np.maximum(scores[shown], 0),  # a z below 0 is as good as 0 here
        y=rows,
        orientation="h",
        hovertemplate="%{x:.3g}<extra></extra>",
        texttemplate="%{x:.2~g}",
        textposition="outside",
        constraintext="none",
        textfont={"size": 11, "color": palette.muted},
        cliponaxis=False,
        marker={
            "color": [palette.text if c == state.pseudo_target else faded(palette.unknown, 0.45) for c in shown],
            "line_width": 0,
        },
    )
    needed = (state.verdict or {}).get("needed") if facts.config.split.target_estimator == "auto" else None
    if needed is not None:
        sketch.shape(
            "line",
            x0=needed,
            x1=needed,
            y0=0,
            y1=1,
            yref="paper",
            line={"color": palette.muted, "width": 1.2, "dash": "dot"},
        )
        sketch.note(
            f"needed: {needed:g}",
            x=needed,
            y=1,
            yref="paper",
            yanchor="bottom",
            font={"size": 11, "color": palette.muted},
        )
    names = [f"<b>{facts.name(c)}</b>" if c == state.pseudo_target else facts.name(c) for c in shown]
    width = max((len(facts.name(c)) for c in shown), default=0)
    sketch.layout(
        xaxis={
            "title.text": _vote_unit(facts, state.verdict is not None),
            "range": [0, 1.15 * max(1e-9, needed or 0.0, float(scores.max(initial=0)))],
            "nticks": 5,
        },
        yaxis={
            "tickvals": rows,
            "ticktext": names,
            "range": [len(shown) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
            "tickfont.color": palette.text,
            "title": {"text": "class", "standoff": 2},
        },
        margin={"l": 34 + int(6.6 * width), "r": 24, "t": 48 if needed is None else 62},
        bargap=0.35,
        showlegend=False,
    )
    return sketch.figure()


def _vote_unit(facts: Facts, judged: bool) -> str:
    estimator = facts.config.split.target_estimator
    if estimator == "auto":
        return "z of the residual transplant" if judged else "probability floor, until the warm-up ends"
    units = {
        "second_logit_mode": "warm-up epochs in which it was most often second",
        "probability_floor": "probability floor on samples of other classes",
        "median_probability": "median probability on samples of other classes",
        "label_count": "labels more than expected, standard deviations",
        "given": "given in the settings",
    }
    return units.get(estimator, estimator.replace("_", " "))
