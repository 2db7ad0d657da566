"""Clean accuracy and attack success over the epochs of a run; pure functions, no streamlit."""

from __future__ import annotations

import plotly.graph_objects as go

from app.figures.facts import ATTACK_SUCCESS, CLEAN_ACCURACY, LOWER_IS_BETTER, PERCENT_TICKS, TEST_IMAGES_TITLE, Facts
from app.figures.timeline import Metrics, known_values, newest_epoch_text, run_timeline
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, percent

PERCENT_TOP = 128.0
"""The percent axis extends above 100 to make room for labels."""
CLOSE_ENDS = 24.0
"""If the line ends are closer than this, in percent, one label moves above the other."""


def accuracy_curves(
    metrics: Metrics, facts: Facts, palette: Palette, *, truth_shown: bool, current_epoch: int | None = None
) -> go.Figure:
    """Clean accuracy and attack success of the main model, in percent.

    Parameters
    ----------
    truth_shown : if False, attack success is left out, because measuring it needs the trigger
    current_epoch : global, 0-based
    """
    schedule = facts.config.schedule
    when = newest_epoch_text(schedule, metrics, current_epoch)
    lines = [(CLEAN_ACCURACY, "", "clean_accuracy", palette.clean)]
    lines += [(ATTACK_SUCCESS, LOWER_IS_BETTER, "attack_success_rate", palette.poison)] if truth_shown else []
    values_of = {field: known_values(metrics, field) for _, _, field, _ in lines}
    known = [line for line in lines if len(values_of[line[2]][0])]
    if not known:
        first = epoch_number(schedule.altruistic_epochs)
        return empty_figure(
            f"measured from epoch {first} on,<br>if the data set has test images<br>({when})", palette, title="Accuracy"
        )
    note = "" if truth_shown else f" · {ATTACK_SUCCESS} needs the ground truth"
    if truth_shown and lines[-1] not in known:
        note = f" · {ATTACK_SUCCESS} not measured"
    ends = ", ".join(f"{label} {percent(values_of[field][1][-1])}" for label, _, field, _ in known)
    sketch = run_timeline(
        palette,
        schedule,
        current_epoch,
        name="accuracy",
        title="Accuracy and attack success" if truth_shown else "Accuracy",
        subtitle=f"{when}{note}",
        summary=f"Main model, {when}: {ends}{note}.",
    )
    end_labels = []
    for label, remark, field, colour in known:
        epochs, values = values_of[field]
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
        end_labels.append((float(values[-1]), int(epochs[-1]), text, colour))
    _add_end_labels(sketch, end_labels, schedule.total_epochs)
    sketch.layout(yaxis={"title.text": TEST_IMAGES_TITLE, "range": [-2, PERCENT_TOP], "tickvals": PERCENT_TICKS})
    return sketch.figure()


def _add_end_labels(sketch: Sketch, labels: list[tuple[float, int, str, str]], total: int) -> None:
    """Add a label (value, epoch number, text, colour) above each line's end, on the side with more room.

    If two ends are close, the upper label moves up.
    """
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
