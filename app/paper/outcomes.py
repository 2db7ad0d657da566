"""Figures 3 and 10 of the paper, from the outcomes of several trainings; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures.small_multiples import SmallMultiples
from app.style.theme import Palette, Sketch, count, faded


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one training came to, percent; None where it was not measured."""

    at: float
    """Poisoning rate (0 to 1), or the true target label."""
    clean_accuracy: float | None
    attack_success_rate: float | None
    robust_accuracy: float | None = None
    forced: int | None = None
    """The class that was taken for the target on purpose."""


PERCENT = {"range": [-3, 106], "tickvals": [0, 25, 50, 75, 100]}


FEWEST_PLACES = 5


def rate_curves(found: Mapping[str, Sequence[Outcome]], reported: Mapping[str, Outcome], palette: Palette) -> go.Figure:
    """Figure 3: clean accuracy and attack success against the poisoning rate, a panel an attack.

    Parameters
    ----------
    found : name of the attack, safe text -> outcomes, `at` is the rate
    reported : what the paper has in numbers for the same attack (its Table 1); drawn as hollow diamonds
    """
    names = list(found)
    runs = sum(len(outcomes) for outcomes in found.values())
    sketch = SmallMultiples(
        palette,
        rows=1,
        columns=max(1, len(names)),
        name="figure3",
        title="Figure 3: poisoning rates",
        subtitle=f"{runs} runs of ours; ◇ the paper, CIFAR-10, Table 1",
        summary=f"Clean accuracy and attack success at several poisoning rates, {runs} runs.",
    )
    rates = sorted({o.at for outcomes in found.values() for o in outcomes} | {o.at for o in reported.values()})
    ticks = {
        "type": "log",
        "tickvals": rates,
        "ticktext": [f"{100 * rate:g}" for rate in rates],
        "title.text": "poisoning rate (percent)",
        "range": [np.log10(min(rates, default=0.01)) - 0.12, np.log10(max(rates, default=0.2)) + 0.12],
    }
    for i, name in enumerate(names):
        axes = sketch.panel(
            i, name, x=ticks, y={**PERCENT, **({"title.text": "test images (percent)"} if i == 0 else {})}
        )
        for label, field, colour in (
            ("clean accuracy", "clean_accuracy", palette.clean),
            ("attack success (low is good)", "attack_success_rate", palette.poison),
        ):
            known = sorted((o.at, getattr(o, field)) for o in found[name] if getattr(o, field) is not None)
            sketch.trace(
                "scatter",
                x=np.array([x for x, _ in known]),
                y=np.array([y for _, y in known]),
                mode="lines+markers",
                name=label,
                legendgroup=label,
                showlegend=i == 0,
                line={"color": colour, "width": 2},
                marker={"size": 8},
                hovertemplate=f"{label} %{{y:.1f}} %<extra>ours</extra>",
                **axes,
            )
            if name in reported and (value := getattr(reported[name], field)) is not None:
                sketch.trace(
                    "scatter",
                    x=[reported[name].at],
                    y=[value],
                    mode="markers",
                    showlegend=False,
                    name=f"the paper's {label}",
                    marker={"symbol": "diamond-open", "size": 13, "color": colour, "line": {"width": 2}},
                    hovertemplate=f"{label} %{{y:.1f}} %<extra>the paper</extra>",
                    **axes,
                )
    sketch.layout(margin={"t": 88, "b": 46}, legend={"y": 0.99, "x": 1})
    return sketch.figure()


def forced_target(found: Sequence[Outcome], class_names: Sequence[str], palette: Palette) -> go.Figure:
    """Figure 10: CA, ASR and RA where a wrong class is forced as the pseudo target, against the true target.

    Parameters
    ----------
    found : outcomes, `at` is the true target
    class_names : safe texts
    """

    def name(label: int | None) -> str:
        return "none" if label is None else class_names[label] if label < len(class_names) else f"class {label}"

    ordered = sorted(found, key=lambda outcome: outcome.at)
    runs = "1 run" if len(ordered) == 1 else f"{count(len(ordered))} runs"
    said = f"{runs}: true target, and the class that was taken for it"
    places = {id(o): f"{name(int(o.at))}<br>taken: {name(o.forced)}" for o in ordered}
    sketch = Sketch(
        palette,
        name="figure10",
        title="Figure 10: a wrong pseudo target",
        subtitle=said,
        summary=f"Outcome with a wrong pseudo target: {said}.",
    )
    for label, field, colour in (
        ("clean accuracy", "clean_accuracy", palette.clean),
        ("robust accuracy", "robust_accuracy", faded(palette.clean, 0.45)),
        ("attack success (low is good)", "attack_success_rate", palette.poison),
    ):
        known = [o for o in ordered if getattr(o, field) is not None]
        sketch.trace(
            "bar",
            x=[places[id(o)] for o in known],
            y=np.array([getattr(o, field) for o in known], np.float32),
            name=label,
            marker_color=colour,
            texttemplate="%{y:.0f}",
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11, "color": palette.muted},
            hovertemplate=f"{label} %{{y:.1f}} %<extra></extra>",
        )
    free = max(0, FEWEST_PLACES - len(ordered)) / 2  # one run would be as wide as the figure
    sketch.layout(
        xaxis={"type": "category", "range": [-0.5 - free, len(ordered) - 0.5 + free], "showgrid": False},
        yaxis={"range": [0, 108], "tickvals": [0, 25, 50, 75, 100], "title.text": "test images (percent)"},
        barmode="group",
        bargap=0.25,
        margin={"t": 74, "b": 48},
        legend={"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
    )
    return sketch.figure()
