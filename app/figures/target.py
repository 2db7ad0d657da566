"""The evidence on the target class: each estimator's answer by epoch, and where residuals lead; no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import EPOCH_TITLE, Facts
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
IN_USE = "in use"
"""The row of the suspected class itself."""
MOST_NAMED_EPOCHS, NAME_LENGTH = 8, 11
MOST_ROWS, ROW_NAME_LENGTH = 12, 14


class TargetRecord(Protocol):
    """What the record of an epoch says about the target; `EpochState` and the rows of a page have these fields."""

    epoch: int
    pseudo_target: int | None
    estimators: Sequence[str] | None
    estimator_scores: np.ndarray | None
    vote_counts: np.ndarray | None


def answers(record: TargetRecord) -> dict[str, int]:
    """The class that each estimator names in an epoch; older records hold the paper's vote only."""
    if record.estimators is not None and record.estimator_scores is not None:
        return {name: int(np.argmax(scores)) for name, scores in zip(record.estimators, record.estimator_scores)}
    return {} if record.vote_counts is None else {"second_logit_mode": int(record.vote_counts.argmax())}


def agreement(record: TargetRecord, suspect: int) -> tuple[int, int]:
    """The number of estimators that name a class, and the number of estimators."""
    named = answers(record)
    return sum(label == suspect for label in named.values()), len(named)


def vote_strip(history: Sequence[TargetRecord], facts: Facts, palette: Palette) -> go.Figure:
    """The class that each estimator names in each epoch of the altruistic warm-up; dark if it is the suspected one."""
    title = "Which class each estimator names"
    voted = [record for record in history if answers(record)]
    if not voted:
        return empty_figure("comes with the first epoch of the altruistic warm-up", palette, title=title)
    last = voted[-1]
    rows = [IN_USE, *[name for name in NAMES if name in answers(last)]]
    labels = np.array([[_named_class(record, row) for record in voted] for row in rows], np.int32)
    suspect = -1 if last.pseudo_target is None else last.pseudo_target
    agreeing, estimators = agreement(last, suspect)
    heading = "no single class is suspected"
    if suspect >= 0:
        heading = f"{agreeing} of {estimators} estimators name <b>{facts.name(suspect)}</b>"
    sketch = Sketch(
        palette,
        name="vote_strip",
        title=title,
        subtitle=f"epoch {epoch_number(last.epoch)} · {heading}",
        summary=f"{title}, epoch {epoch_number(last.epoch)}: {heading.replace('<b>', '').replace('</b>', '')}.",
    )
    epochs = np.array([epoch_number(record.epoch) for record in voted], np.int32)
    _add_named_classes(sketch, epochs, labels, suspect, facts, palette)
    sketch.layout(
        xaxis={"title.text": EPOCH_TITLE, "tickformat": "d", "showgrid": False, "ticks": "", "nticks": 10},
        yaxis={
            "tickvals": np.arange(len(rows), dtype=np.int32),
            "ticktext": [f"<b>{row}</b>" if row == IN_USE else NAMES[row] for row in rows],
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


def _add_named_classes(
    sketch: Sketch, epochs: np.ndarray, labels: np.ndarray, suspect: int, facts: Facts, palette: Palette
) -> None:
    """Add a cell for each estimator (row) and epoch (column); -1 in `labels` stands for no answer yet."""
    short = len(epochs) <= MOST_NAMED_EPOCHS
    text = [["" if c < 0 else facts.name(c)[:NAME_LENGTH] if short else str(c) for c in row] for row in labels.tolist()]
    sketch.trace(
        "heatmap",
        x=epochs,
        y=np.arange(len(labels), dtype=np.int32),
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
        customdata=[["nothing yet" if c < 0 else facts.name(c) for c in row] for row in labels.tolist()],
        hovertemplate="epoch %{x}: %{customdata}<extra></extra>",
    )


def _named_class(record: TargetRecord, row: str) -> int:
    """The class in a cell, -1 for none."""
    if row == IN_USE:
        return -1 if record.pseudo_target is None else record.pseudo_target
    return answers(record).get(row, -1)


def by_warp(verdict: Mapping[str, Any] | None) -> bool:
    """Whether the likeliest class of a verdict stands apart by warps more than by its residual."""
    return bool(verdict) and verdict.get("clue") == "warped"


def transplant_map(state: EpochState | None, facts: Facts, palette: Palette) -> go.Figure:
    """Heat map of the residual transplant.

    A cell is the share of the images of one class (column) that the altruistic model assigns to another class (row)
    once that class's residual is added to them.
    """
    title = "A class's residual on other images"
    if state is None or state.transplant_shares is None:
        last = facts.config.schedule.altruistic_epochs
        return empty_figure(f"measured at the end of the altruistic warm-up,<br>in epoch {last}", palette, title=title)
    shares, classes = state.transplant_shares, len(state.transplant_shares)
    mean_shares = shares.sum(1) / max(1, classes - 1)
    shown = np.sort(np.argsort(-mean_shares, kind="stable")[:MOST_ROWS])
    first = int(mean_shares.argmax())
    warped = state.verdict["classes"][:1] if by_warp(state.verdict) else []
    followers = percent(100 * float(mean_shares[first]), 0)
    finding = f"{facts.name(first)}: {followers} of other images follow{' a random warp' * (first in warped)}"
    rest = f" · {len(shown)} of {classes} rows" if len(shown) < classes else ""
    sketch = Sketch(
        palette,
        name="transplant_map",
        title=title,
        subtitle=f"{facts.epoch_text(state)} · {finding}{rest}",
        summary=f"{title}, {facts.epoch_text(state)}. {finding}.",
    )
    _add_shares(sketch, shares, shown, warped, facts, palette)
    _lay_out_transplant(sketch, shown, first, classes, facts)
    return sketch.figure()


def _add_shares(
    sketch: Sketch, shares: np.ndarray, shown: np.ndarray, warped: Sequence[int], facts: Facts, palette: Palette
) -> None:
    """Add the cells of the rows `shown`; the diagonal stays empty, and `warped` are rows that show a random warp."""
    classes = len(shares)
    cells = shares[shown].astype(np.float32)
    cells[np.arange(len(shown)), shown] = np.nan
    change = {r: ("random warp, classified as " if r in warped else "residual of ") + facts.name(r) for r in shown}
    small_font = {"size": 11, "color": palette.muted}
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
        customdata=[[[change[r], facts.name(c)] for c in range(classes)] for r in shown],
        hovertemplate="%{customdata[0]}<br>on images of %{customdata[1]}: %{z:.0%} follow<extra></extra>",
        colorbar={
            "title": {"text": "images that follow", "side": "right", "font": small_font},
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": ".0%",
            "nticks": 3,
            "tickfont": small_font,
        },
    )


def _lay_out_transplant(sketch: Sketch, shown: np.ndarray, first: int, classes: int, facts: Facts) -> None:
    """Lay out both axes of classes, with the row `first` in bold and numbers for columns if there are many classes."""
    named = classes <= MOST_ROWS
    columns = [facts.name(c)[:NAME_LENGTH] if named else str(c) for c in range(classes)]
    rows = [facts.name(int(c))[:ROW_NAME_LENGTH] for c in shown]
    ticks = np.arange(0, classes, max(1, -(-classes // 12)), dtype=np.int32)
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
