"""The score of each class under the target estimator; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import CLASS_TITLE, Facts
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, faded
from bsd_engine.events import EpochState

MOST_VOTE_BARS = 12
PROVISIONAL = "probability floor (0 to 1)"
UNITS = {
    "second_logit_mode": "warm-up epochs in which it was most often second",
    "low_loss_mode": "samples among the 1 % with the lowest losses",
    "lga_vote": "samples among the 1 % with the lowest losses",
    "probability_floor": "probability floor on other classes (0 to 1)",
    "median_probability": "median probability on other classes (0 to 1)",
    "label_count": "labels more than expected (standard deviations)",
    "given": "1 for the class given in the settings",
}
"""What the score of a target estimator measures."""


def vote_bars(state: EpochState, facts: Facts, palette: Palette) -> go.Figure:
    """Bars of each class's score under the target estimator; the class with the highest is suspected."""
    title, when = "Which class is the target?", facts.epoch_text(state)
    if state.vote_scores is None:
        last = epoch_number(facts.config.schedule.altruistic_epochs - 1)
        return empty_figure(
            f"the vote takes place in the altruistic warm-up,<br>up to epoch {last}<br>({when})", palette, title=title
        )
    scores = np.nan_to_num(state.vote_scores.astype(np.float32))
    shown = np.sort(np.argsort(-scores, kind="stable")[:MOST_VOTE_BARS])
    suspect = "none yet" if state.pseudo_target is None else facts.name(state.pseudo_target)
    rest = f" · {len(shown)} highest of {len(scores)} classes" if len(shown) < len(scores) else ""
    sketch = Sketch(
        palette,
        name="vote",
        title=title,
        subtitle=f"{when} · suspected: <b>{suspect}</b>{rest}",
        summary=f"Target vote, {when}: suspected is {suspect}.",
    )
    sketch.trace(
        "bar",
        x=np.maximum(scores[shown], 0),  # a z below 0 means the same as 0 here
        y=np.arange(len(shown), dtype=np.int32),
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
        _add_threshold(sketch, needed, palette)
    largest = max(1e-9, needed or 0.0, float(scores.max(initial=0)))
    sketch.layout(
        xaxis={"title.text": _unit(facts, state.verdict is not None), "range": [0, 1.15 * largest], "nticks": 5}
    )
    _lay_out_classes(sketch, shown, state.pseudo_target, facts, palette, top=48 if needed is None else 62)
    return sketch.figure()


def _add_threshold(sketch: Sketch, needed: float, palette: Palette) -> None:
    """Add a line at the evidence that the verdict "target" needs."""
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
        f"needed: {needed:g}", x=needed, y=1, yref="paper", yanchor="bottom", font={"size": 11, "color": palette.muted}
    )


def _lay_out_classes(
    sketch: Sketch, shown: np.ndarray, suspect: int | None, facts: Facts, palette: Palette, *, top: int
) -> None:
    """Lay out the axis of classes, the suspected one in bold, and margins with room for their names."""
    names = [facts.name(c) for c in shown]
    width = max(map(len, names), default=0)
    sketch.layout(
        yaxis={
            "tickvals": np.arange(len(shown), dtype=np.int32),
            "ticktext": [f"<b>{name}</b>" if c == suspect else name for c, name in zip(shown, names)],
            "range": [len(shown) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
            "tickfont.color": palette.text,
            "title": {"text": CLASS_TITLE, "standoff": 2},
        },
        margin={"l": 34 + int(6.6 * width), "r": 24, "t": top},
        bargap=0.35,
        showlegend=False,
    )


def _unit(facts: Facts, verdict_reached: bool) -> str:
    """What the scores measure."""
    estimator = facts.config.split.target_estimator
    if estimator == "auto":
        return "evidence (z + agreeing estimators)" if verdict_reached else f"{PROVISIONAL}, until the warm-up ends"
    return UNITS.get(estimator, estimator.replace("_", " "))
