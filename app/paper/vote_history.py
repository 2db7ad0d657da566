"""Figure 9 of the paper, the votes for the target in the altruistic warm-up; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.small_multiples import SmallMultiples
from app.figures.target import Said, answers
from app.style.theme import Palette, empty_figure, epoch_number

LABELLED_CLASSES = 12
"""More classes than these are numbers on an axis."""


@dataclass(frozen=True, kw_only=True)
class Voted:
    """One run's votes, for `vote_history`."""

    title: str
    """Safe text."""
    said: Sequence[Said]
    """Epochs of the altruistic warm-up, in order."""
    facts: Facts
    target: int | None
    """The true target, where it is known and shown."""


def vote_history(runs: Sequence[Voted], palette: Palette) -> go.Figure:
    """Figure 9: the most frequent second likely class after each warm-up epoch, and the majority so far, a panel a run."""
    title = "Figure 9: the paper's vote for the target"
    shown = [(run, [s for s in run.said if s.vote_counts is not None]) for run in runs]
    shown = [(run, said) for run, said in shown if said]
    if not shown:
        return empty_figure("no run has votes of an altruistic warm-up", palette, title=title)
    final = [run.facts.name(answers(said[-1])["second_logit_mode"]) for run, said in shown]
    columns = min(2, len(shown))
    sketch = SmallMultiples(
        palette,
        rows=-(-len(shown) // columns),
        columns=columns,
        gap=(0.14, 0.26),
        name="figure9",
        title=title,
        subtitle=f"majority at the end: {', '.join(final)}",
        summary=f"{title}: majority at the end {', '.join(final)}.",
    )
    for i, (run, said) in enumerate(shown):
        epochs = np.array([epoch_number(s.epoch) for s in said], np.int32)
        names = [run.facts.name(c) for c in range(len(run.facts.class_names))]
        few = len(names) <= LABELLED_CLASSES
        ticks = {"tickvals": list(range(len(names))), "ticktext": names} if few else {"title.text": "class"}
        axes = sketch.panel(
            i,
            run.title,
            x={"title.text": "epoch of the altruistic warm-up", "range": [0.5, epochs[-1] + 0.5]},
            y={"range": [-0.6, len(names) - 0.4], **ticks},
        )
        if run.target is not None:
            sketch.shape(
                "line",
                x0=0,
                x1=1,
                xref=f"{axes['xaxis']} domain",
                y0=run.target,
                y1=run.target,
                yref=axes["yaxis"],
                line={"color": palette.poison, "width": 8},
                opacity=0.25,
                layer="below",
            )
        majority = np.array([answers(s)["second_logit_mode"] for s in said], np.int32)
        sketch.trace(
            "scatter",
            x=epochs,
            y=majority,
            mode="lines",
            name="majority so far",
            showlegend=i == 0,
            line={"color": palette.text, "width": 1.6, "shape": "hv"},
            hovertemplate="majority up to epoch %{x}: class %{y}<extra></extra>",
            **axes,
        )
        sketch.trace(
            "scatter",
            x=epochs,
            y=np.array([int(s.vote_counts.argmax()) for s in said], np.int32),
            mode="markers",
            name="this epoch",
            showlegend=i == 0,
            marker={"symbol": "x", "size": 9, "color": palette.unknown},
            hovertemplate="epoch %{x}: class %{y}<extra></extra>",
            **axes,
        )
    sketch.layout(margin={"t": 78, "l": 86}, legend={"y": 0.99})
    return sketch.figure()
