"""The score of each class under the target estimator; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, faded
from bsd_engine.events import EpochState

MOST_VOTE_BARS = 12


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
