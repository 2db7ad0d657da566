"""Clean accuracy and attack success over the epochs of a run; pure functions, no streamlit."""

from __future__ import annotations

import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.timeline import Metrics, epoch_or_none_yet, known_values, run_timeline
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, percent

PERCENT_TOP = 128.0
"""The percent axis goes on above 100 to make room for labels."""


CLOSE_ENDS = 24.0
"""Line ends nearer than this, in percent, need one label above the other."""


def accuracy_curves(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Clean accuracy and attack success of the main model, percent.

    Parameters
    ----------
    truth_shown : attack success is left out otherwise, as it needs the trigger
    """
    schedule = facts.config.schedule
    when = epoch_or_none_yet(schedule, metrics, current_epoch)
    lines = [("clean accuracy", "", "clean_accuracy", palette.clean)]
    lines += [("attack success", " (lower is better)", "attack_success_rate", palette.poison)] if truth_shown else []
    series = {name: known_values(metrics, name) for _, _, name, _ in lines}
    if not any(len(e) for e, _ in series.values()):
        first = epoch_number(schedule.altruistic_epochs)
        return empty_figure(
            f"measured from epoch {first} on,<br>if the data have test images<br>({when})", palette, title="Accuracy"
        )
    note = "" if truth_shown and len(series["attack_success_rate"][0]) else " · attack success unknown"
    ends = ", ".join(f"{label} {percent(series[name][1][-1])}" for label, _, name, _ in lines if len(series[name][0]))
    sketch = run_timeline(
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
