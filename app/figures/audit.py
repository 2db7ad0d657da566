"""The record of one sample as a figure; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import LOSS_AXIS, LOSS_HIGH, LOSS_LOW
from app.style.theme import Palette, Sketch, plain
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.traces import trace


def class_cuts(history: RunHistory) -> np.ndarray:
    """(M, C) float32: the smallest score that each class's kept samples have at each main epoch, of what the epoch ranks: the
    altruistic loss on the initial pools, the loss discrepancy later; NaN before T1 and where a class keeps none."""

    def make() -> np.ndarray:
        cuts = np.full(
            (len(history.in_pool), max(len(history.class_names), int(history.labels.max()) + 1)), np.nan, np.float32
        )
        for t in range(len(cuts)):
            decided = trace(history, t + history.first_main)
            if decided.initial is not None:
                kept = decided.initial.losses[decided.initial.als_mask]
                cuts[t] = kept.min() if len(kept) else np.nan
            elif (split := decided.later) is not None:
                lowest = np.full(cuts.shape[1], np.inf, np.float32)
                np.minimum.at(lowest, history.labels[split.completed_mask], split.discrepancy[split.completed_mask])
                cuts[t] = np.where(np.isfinite(lowest), lowest, np.nan)
        return cuts

    return history.derived("class cuts", make)


def passport_figure(history: RunHistory, sample: int, epoch: int, palette: Palette) -> go.Figure:
    """Both losses over the epochs with the altruistic loss that the cut asks for, and below a strip of pool membership."""
    first, last = history.first_main, history.num_epochs
    epochs = np.arange(1, last + 1)
    altruistic, main = history.altruistic_loss[:, sample], history.main_loss[:, sample]
    needed = class_cuts(history)[:, history.labels[sample]].copy()
    for t in range(len(needed)):
        if history.stage(t + first) not in ("oss_warmup", "initial_pools"):
            needed[t] += main[t]
    side = "in the pool" if len(history.in_pool) and history.in_pool[-1, sample] else "kept out"
    label = plain(history.name(int(history.labels[sample])))
    sketch = Sketch(
        palette,
        name="passport",
        title="Losses for its label and what the cut asks for",
        subtitle="",
        summary=f"Losses of sample {sample}, label {label}, over {last} epochs; at the end it is {side}.",
    )

    def line(y: np.ndarray, x: np.ndarray, name: str, **style: object) -> None:
        shown = np.where(np.isfinite(y), np.clip(y, LOSS_LOW, LOSS_HIGH), np.nan).astype(np.float32)
        sketch.trace(
            "scatter",
            x=x,
            y=shown,
            mode="lines",
            name=name,
            line={"width": 2, "color": palette.text, **style},
            hovertemplate="epoch %{x}<br>" + name + " %{y:.3g}<extra></extra>",
        )

    line(altruistic, epochs, "altruistic loss")
    line(main, epochs[first:], "main loss", dash="dot")
    line(
        np.where(needed > 0, needed, np.nan),
        epochs[first:],
        "cut: altruistic loss needed",
        color=palette.unknown,
        width=1.5,
        dash="dash",
    )
    inside = np.full(last, np.nan, np.float32)
    inside[first:] = history.in_pool[:, sample]
    cells = np.where(np.isnan(inside), 0.0, inside + 1)[None]
    sketch.trace(
        "heatmap",
        x=epochs,
        y=[0],
        z=cells,
        xaxis="x",
        yaxis="y2",
        showscale=False,
        zmin=0,
        zmax=2,
        xgap=1,
        colorscale=[
            [0, palette.grid],
            [0.34, palette.grid],
            [0.34, palette.line],
            [0.67, palette.line],
            [0.67, palette.text],
            [1, palette.text],
        ],
        customdata=[[["no pool yet", "kept out", "in the clean pool"][int(c)] for c in cells[0]]],
        hovertemplate="epoch %{x}: %{customdata}<extra></extra>",
    )
    sketch.shape(
        "line",
        x0=epoch + 1,
        x1=epoch + 1,
        xref="x",
        y0=0,
        y1=1,
        yref="paper",
        line={"width": 1, "color": palette.muted, "dash": "dot"},
    )
    sketch.note("clean pool", x=0, xref="paper", xanchor="right", xshift=-4, y=0, yref="y2", font={"size": 11})
    sketch.layout(
        xaxis={"title.text": "epoch", "range": [0.5, last + 0.5], "showgrid": False, "anchor": "y2"},
        yaxis={**LOSS_AXIS, "domain": [0.2, 1], "title.text": "SCE, nats (log)"},
        yaxis2={"domain": [0, 0.1], "visible": False, "range": [-0.5, 0.5], "fixedrange": True},
        legend={
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "font.size": 11,
            "itemwidth": 30,
            "entrywidth": 0,
        },
        margin={"l": 72, "t": 58, "b": 38},
        hovermode="closest",
    )
    return sketch.figure()
