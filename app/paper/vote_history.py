"""Figure 9 of the paper, the votes for the target in the altruistic warm-up; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import CLASS_TITLE, EPOCH_TITLE, Facts
from app.figures.small_multiples import SmallMultiples
from app.figures.target import TargetRecord, answers
from app.paper import texts
from app.style.theme import Palette, empty_figure, epoch_number

LABELLED_CLASSES = 12
"""With more classes than this, the axis shows their numbers."""
VOTE = "second_logit_mode"


@dataclass(frozen=True, kw_only=True)
class VotedRun:
    """The votes of one run, for `vote_history`."""

    title: str
    """Safe text."""
    records: Sequence[TargetRecord]
    """Epochs of the altruistic warm-up, in order."""
    facts: Facts
    target: int | None
    """The true target, where it is known and shown."""


def vote_history(runs: Sequence[VotedRun], palette: Palette) -> go.Figure:
    """Figure 9: the class most often second after each warm-up epoch, and the majority so far, one panel a run."""
    title = texts.figure_title("9")
    panels = [(run, [record for record in run.records if record.vote_counts is not None]) for run in runs]
    panels = [(run, records) for run, records in panels if records]
    if not panels:
        return empty_figure(texts.NO_VOTES, palette, title=title)
    majorities = [
        f"{run.title}: {run.facts.name(answers(records[-1])[VOTE])} (epoch {epoch_number(records[-1].epoch)})"
        for run, records in panels
    ]
    columns = min(2, len(panels))
    sketch = SmallMultiples(
        palette,
        rows=-(-len(panels) // columns),
        columns=columns,
        gap=(0.14, 0.26),
        name="figure9",
        title=title,
        subtitle=f"majority at the end of the altruistic warm-up · {', '.join(majorities)}",
        summary=f"{title}: majority at the end of the altruistic warm-up: {', '.join(majorities)}.",
    )
    for i, (run, records) in enumerate(panels):
        _add_panel(sketch, i, run, records, palette)
    sketch.layout(margin={"t": 78, "l": 86}, legend={"y": 0.99})
    return sketch.figure()


def _add_panel(
    sketch: SmallMultiples, i: int, run: VotedRun, records: Sequence[TargetRecord], palette: Palette
) -> None:
    """Add a panel with the true target as a band, the majority as a line and each epoch's vote as a cross."""
    epochs = np.array([epoch_number(record.epoch) for record in records], np.int32)
    names = [run.facts.name(c) for c in range(len(run.facts.class_names))]
    few = len(names) <= LABELLED_CLASSES
    ticks = {"tickvals": list(range(len(names))), "ticktext": names} if few else {"title.text": CLASS_TITLE}
    axes = sketch.panel(
        i,
        run.title,
        x={"title.text": EPOCH_TITLE, "range": [0.5, epochs[-1] + 0.5], "tickformat": "d"},
        y={"range": [-0.6, len(names) - 0.4], **ticks},
    )
    if run.target is not None:
        _add_target_band(sketch, run.target, axes, palette)
    sketch.trace(
        "scatter",
        x=epochs,
        y=np.array([answers(record)[VOTE] for record in records], np.int32),
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
        y=np.array([int(record.vote_counts.argmax()) for record in records], np.int32),
        mode="markers",
        name="this epoch",
        showlegend=i == 0,
        marker={"symbol": "x", "size": 9, "color": palette.unknown},
        hovertemplate="epoch %{x}: class %{y}<extra></extra>",
        **axes,
    )


def _add_target_band(sketch: SmallMultiples, target: int, axes: Mapping[str, str], palette: Palette) -> None:
    """Add a band at the true target."""
    sketch.shape(
        "line",
        x0=0,
        x1=1,
        xref=f"{axes['xaxis']} domain",
        y0=target,
        y1=target,
        yref=axes["yaxis"],
        line={"color": palette.poison, "width": 8},
        opacity=0.25,
        layer="below",
    )
