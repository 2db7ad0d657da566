"""Figures 3 and 10 of the paper, drawn from the outcomes of several trainings; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import (
    ATTACK_SUCCESS,
    CLEAN_ACCURACY,
    LOWER_IS_BETTER,
    PERCENT_TICKS,
    ROBUST_ACCURACY,
    TEST_IMAGES_TITLE,
)
from app.figures.small_multiples import SmallMultiples
from app.paper import texts
from app.style.theme import Palette, Sketch, count, faded

PERCENT_AXIS = {"range": [-3, 106], "tickvals": PERCENT_TICKS}
FEWEST_PLACES = 5
"""Figure 10 leaves room for as many groups of bars, because a single one would fill the figure."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one training in percent; None where it was not measured."""

    at: float
    """Poisoning rate (0 to 1) in figure 3, true target label in figure 10."""
    clean_accuracy: float | None
    attack_success_rate: float | None
    robust_accuracy: float | None = None
    forced: int | None = None
    """The class that was forced as the target."""


def rate_curves(
    measured: Mapping[str, Sequence[Outcome]], reported: Mapping[str, Outcome], palette: Palette
) -> go.Figure:
    """Figure 3: clean accuracy and attack success after training, by poisoning rate, one panel an attack.

    Parameters
    ----------
    measured : attack name (safe text) -> outcomes of our runs, where `at` is the rate
    reported : attack name -> the paper's numbers for that attack (Table 1), drawn as hollow diamonds
    """
    runs = sum(len(outcomes) for outcomes in measured.values())
    sketch = SmallMultiples(
        palette,
        rows=1,
        columns=max(1, len(measured)),
        name="figure3",
        title=texts.figure_title("3"),
        subtitle=f"after the last epoch of {_runs(runs)}; ◇ the paper: CIFAR-10, Table 1",
        summary=f"Clean accuracy and attack success by poisoning rate, after the last epoch of {_runs(runs)}.",
    )
    rates = sorted({o.at for outcomes in measured.values() for o in outcomes} | {o.at for o in reported.values()})
    x_axis = {
        "type": "log",
        "tickvals": rates,
        "ticktext": [f"{100 * rate:g}" for rate in rates],
        "title.text": "poisoning rate (%)",
        "range": [np.log10(min(rates, default=0.01)) - 0.12, np.log10(max(rates, default=0.2)) + 0.12],
    }
    for i, (name, outcomes) in enumerate(measured.items()):
        y_title = {"title.text": TEST_IMAGES_TITLE} if i == 0 else {}
        axes = sketch.panel(i, name, x=x_axis, y={**PERCENT_AXIS, **y_title})
        for label, field, colour in (
            (CLEAN_ACCURACY, "clean_accuracy", palette.clean),
            (ATTACK_SUCCESS, "attack_success_rate", palette.poison),
        ):
            known = sorted((o.at, getattr(o, field)) for o in outcomes if getattr(o, field) is not None)
            _add_our_line(sketch, known, label, colour, axes, showlegend=i == 0)
            if name in reported and (value := getattr(reported[name], field)) is not None:
                _add_reported_point(sketch, reported[name].at, value, label, colour, axes)
    sketch.layout(margin={"t": 88, "b": 46}, legend={"y": 0.99, "x": 1})
    return sketch.figure()


def _add_our_line(
    sketch: SmallMultiples,
    known: Sequence[tuple[float, float]],
    label: str,
    colour: str,
    axes: Mapping[str, str],
    *,
    showlegend: bool,
) -> None:
    """Add a line through our outcomes, (rate, percent) each."""
    name = label + LOWER_IS_BETTER if label == ATTACK_SUCCESS else label
    sketch.trace(
        "scatter",
        x=np.array([x for x, _ in known]),
        y=np.array([y for _, y in known]),
        mode="lines+markers",
        name=name,
        legendgroup=label,
        showlegend=showlegend,
        line={"color": colour, "width": 2},
        marker={"size": 8},
        hovertemplate=f"{label} %{{y:.1f}} %<extra>ours</extra>",
        **axes,
    )


def _add_reported_point(
    sketch: SmallMultiples, rate: float, value: float, label: str, colour: str, axes: Mapping[str, str]
) -> None:
    """Add a hollow diamond for a number of the paper."""
    sketch.trace(
        "scatter",
        x=[rate],
        y=[value],
        mode="markers",
        showlegend=False,
        name=f"{label}, paper",
        marker={"symbol": "diamond-open", "size": 13, "color": colour, "line": {"width": 2}},
        hovertemplate=f"{label} %{{y:.1f}} %<extra>the paper</extra>",
        **axes,
    )


def forced_target(outcomes: Sequence[Outcome], class_names: Sequence[str], palette: Palette) -> go.Figure:
    """Figure 10: CA, ASR and RA after training with a wrong class forced as the target, by true target.

    Parameters
    ----------
    outcomes : `at` is the true target
    class_names : safe texts
    """

    def name(label: int | None) -> str:
        return "none" if label is None else class_names[label] if label < len(class_names) else f"class {label}"

    ordered = sorted(outcomes, key=lambda outcome: outcome.at)
    what = f"after the last epoch of {_runs(len(ordered))}, by true target and forced class"
    sketch = Sketch(
        palette,
        name="figure10",
        title=texts.figure_title("10"),
        subtitle=what,
        summary=f"Outcome with a wrong target, {what}.",
    )
    group_names = {id(o): f"{name(int(o.at))}<br>forced: {name(o.forced)}" for o in ordered}
    for label, field, colour in (
        (CLEAN_ACCURACY, "clean_accuracy", palette.clean),
        (ROBUST_ACCURACY, "robust_accuracy", faded(palette.clean, 0.45)),
        (ATTACK_SUCCESS + LOWER_IS_BETTER, "attack_success_rate", palette.poison),
    ):
        known = [o for o in ordered if getattr(o, field) is not None]
        sketch.trace(
            "bar",
            x=[group_names[id(o)] for o in known],
            y=np.array([getattr(o, field) for o in known], np.float32),
            name=label,
            marker_color=colour,
            texttemplate="%{y:.0f}",
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11, "color": palette.muted},
            hovertemplate=f"{label} %{{y:.1f}} %<extra></extra>",
        )
    free = max(0, FEWEST_PLACES - len(ordered)) / 2
    sketch.layout(
        xaxis={"type": "category", "range": [-0.5 - free, len(ordered) - 0.5 + free], "showgrid": False},
        yaxis={"range": [0, 108], "tickvals": PERCENT_TICKS, "title.text": TEST_IMAGES_TITLE},
        barmode="group",
        bargap=0.25,
        margin={"t": 74, "b": 48},
        legend={"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
    )
    return sketch.figure()


def _runs(number: int) -> str:
    """ "1 run" or "4 runs"."""
    return f"{count(number)} run{'s' * (number != 1)}"
