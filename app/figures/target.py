"""Figures of the evidence on the target class: who said what in which epoch, and what residuals do; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, faded, percent
from bsd_engine.events import EpochState

NAMES = {
    "residual_transplant": "residual transplant",
    "second_logit_mode": "paper's vote",
    "low_loss_mode": "lowest losses",
    "label_count": "most frequent label",
    "median_probability": "median probability",
    "probability_floor": "probability floor",
}
MOST_NAMED_EPOCHS, NAME_LENGTH = 8, 11
MOST_ROWS = 12


class Said(Protocol):
    """What a record of an epoch tells about the target; `EpochState` and the rows of a page are such."""

    epoch: int
    pseudo_target: int | None
    estimators: Sequence[str] | None
    estimator_scores: np.ndarray | None
    vote_counts: np.ndarray | None


def answers(said: Said) -> dict[str, int]:
    """The class that each estimator named in an epoch; older records have the paper's vote alone."""
    if said.estimators is not None and said.estimator_scores is not None:
        return {name: int(np.argmax(scores)) for name, scores in zip(said.estimators, said.estimator_scores)}
    return {} if said.vote_counts is None else {"second_logit_mode": int(said.vote_counts.argmax())}


def agreement(said: Said, suspect: int) -> tuple[int, int]:
    """How many estimators name a class, and how many there are."""
    named = answers(said)
    return sum(label == suspect for label in named.values()), len(named)


def vote_strip(history: Sequence[Said], facts: Facts, palette: Palette) -> go.Figure:
    """A cell for each estimator and epoch of the altruistic warm-up with the class it names; dark where that is the suspected one."""
    title = "Which class each estimator names"
    voted = [said for said in history if answers(said)]
    if not voted:
        return empty_figure("comes with the first epoch of the altruistic warm-up", palette, title=title)
    last = voted[-1]
    rows = ["in use", *[name for name in NAMES if name in answers(last)]]
    labels = np.array([[_named(said, row) for said in voted] for row in rows], np.int32)
    suspect = -1 if last.pseudo_target is None else last.pseudo_target
    same, of = agreement(last, suspect)
    heading = (
        f"{same} of {of} estimators name <b>{facts.name(suspect)}</b>"
        if suspect >= 0
        else "no single class is suspected"
    )
    sketch = Sketch(
        palette,
        name="vote_strip",
        title=title,
        subtitle=f"epoch {epoch_number(last.epoch)} · {heading}",
        summary=f"{title}, epoch {epoch_number(last.epoch)}: {heading.replace('<b>', '').replace('</b>', '')}.",
    )
    short = len(voted) <= MOST_NAMED_EPOCHS
    text = [["" if c < 0 else facts.name(c)[:NAME_LENGTH] if short else str(c) for c in row] for row in labels.tolist()]
    hover = [["nothing yet" if c < 0 else facts.name(c) for c in row] for row in labels.tolist()]
    sketch.trace(
        "heatmap",
        x=np.array([epoch_number(said.epoch) for said in voted], np.int32),
        y=np.arange(len(rows), dtype=np.int32),
        z=np.where(labels < 0, np.nan, (labels == suspect) & (suspect >= 0)).astype(np.float32),
        zmin=0,
        zmax=1,
        showscale=False,
        colorscale=[[0, faded(palette.unknown, 0.12)], [1, faded(palette.text, 0.3)]],
        xgap=2,
        ygap=2,
        hoverongaps=False,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 11, "color": palette.text},
        customdata=hover,
        hovertemplate="epoch %{x}: %{customdata}<extra></extra>",
    )
    sketch.layout(
        xaxis={
            "title.text": "epoch of the altruistic warm-up",
            "tickformat": "d",
            "showgrid": False,
            "ticks": "",
            "nticks": 10,
        },
        yaxis={
            "tickvals": np.arange(len(rows), dtype=np.int32),
            "ticktext": [f"<b>{row}</b>" if row == "in use" else NAMES[row] for row in rows],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
            "ticks": "",
            "tickfont.color": palette.text,
        },
        margin={"l": 136, "r": 12},
        showlegend=False,
        dragmode=False,
    )
    return sketch.figure()


def _named(said: Said, row: str) -> int:
    """The class in a cell, -1 for none."""
    if row == "in use":
        return -1 if said.pseudo_target is None else said.pseudo_target
    return answers(said).get(row, -1)


def by_warp(verdict: dict[str, Any] | None) -> bool:
    """Whether warps speak loudest against the likeliest class of a verdict."""
    return bool(verdict) and verdict.get("clue") == "warped"


def transplant_map(state: EpochState | None, facts: Facts, palette: Palette) -> go.Figure:
    """Heat map: how many images of each class (column) the altruistic model calls a class (row) with that class's residual on them."""
    title = "A class's residual on other images"
    if state is None or state.transplant_shares is None:
        last = facts.config.schedule.altruistic_epochs
        return empty_figure(f"measured at the end of the altruistic warm-up,<br>in epoch {last}", palette, title=title)
    shares, classes = state.transplant_shares, len(state.transplant_shares)
    spread = shares.sum(1) / max(1, classes - 1)
    shown = np.sort(np.argsort(-spread, kind="stable")[:MOST_ROWS])
    first = int(spread.argmax())
    warped = state.verdict["classes"][:1] if by_warp(state.verdict) else []
    said = f"{facts.name(first)}: {percent(100 * float(spread[first]), 0)} of other images follow{' a random warp' * (first in warped)}"
    rest = f" · {len(shown)} of {classes} rows" if len(shown) < classes else ""
    sketch = Sketch(
        palette,
        name="transplant_map",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · {said}{rest}",
        summary=f"{title}, {facts.epoch_text(state)}. {said}.",
    )
    named = classes <= MOST_ROWS
    columns = [facts.name(c)[:NAME_LENGTH] if named else str(c) for c in range(classes)]
    rows = [facts.name(int(c))[:14] for c in shown]
    cells = shares[shown].astype(np.float32)
    cells[np.arange(len(shown)), shown] = np.nan
    sketch.trace(
        "heatmap",
        x=np.arange(classes, dtype=np.int32),
        y=np.arange(len(shown), dtype=np.int32),
        z=cells,
        zmin=0,
        zmax=1,
        colorscale=[[0, faded(palette.unknown, 0.06)], [1, faded(palette.text, 0.85)]],
        xgap=1,
        ygap=1,
        hoverongaps=False,
        customdata=[
            [
                [("random warp, called " if r in warped else "residual of ") + facts.name(int(r)), facts.name(c)]
                for c in range(classes)
            ]
            for r in shown
        ],
        hovertemplate="%{customdata[0]}<br>on images of %{customdata[1]}: %{z:.0%}<extra></extra>",
        colorbar={
            "title": {"text": "follow", "side": "right", "font": {"size": 11, "color": palette.muted}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": ".0%",
            "nticks": 3,
            "tickfont": {"size": 11, "color": palette.muted},
        },
    )
    step = max(1, -(-classes // 12))
    ticks = np.arange(0, classes, step, dtype=np.int32)
    sketch.layout(
        xaxis={
            "title.text": "images of",
            "tickvals": ticks,
            "ticktext": [columns[c] for c in ticks],
            "showgrid": False,
            "ticks": "",
            "tickangle": -40 if named else 0,
        },
        yaxis={
            "tickvals": np.arange(len(shown), dtype=np.int32),
            "ticktext": [f"<b>{name}</b>" if c == first else name for c, name in zip(shown, rows)],
            "range": [len(shown) - 0.5, -0.5],
            "showgrid": False,
            "ticks": "",
            "title": {"text": "residual of", "standoff": 2},
        },
        margin={"l": 112, "r": 12, "b": 78 if named else 44},
        showlegend=False,
        dragmode=False,
    )
    return sketch.figure()
