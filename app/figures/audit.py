"""The record of one sample as a figure; pure functions, no streamlit."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import EPOCH_TITLE, LOSS_AXIS, LOSS_HIGH, LOSS_LOW, LOSS_TITLE
from app.style.theme import Palette, Sketch, epoch_number, epoch_text, plain
from bsd_engine.audit.explain.traces import trace
from bsd_engine.audit.history import RunHistory

POOL_STATES = ("no clean pool yet", "kept out", "in the clean pool")


def class_cuts(history: RunHistory) -> np.ndarray:
    """(M, C) float32: the smallest score among each class's kept samples at each main epoch.

    The score is what the epoch ranks by: the altruistic loss on the initial pools, the loss discrepancy later. It is
    NaN before T1 and where no sample of the class is kept.
    """

    def make() -> np.ndarray:
        classes = max(len(history.class_names), int(history.labels.max()) + 1)
        cuts = np.full((len(history.in_pool), classes), np.nan, np.float32)
        for t in range(len(cuts)):
            decided = trace(history, t + history.first_main)
            if decided.initial is not None:
                kept = decided.initial.losses[decided.initial.als_mask]
                cuts[t] = kept.min() if len(kept) else np.nan
            elif (split := decided.later) is not None:
                lowest = np.full(classes, np.inf, np.float32)
                np.minimum.at(lowest, history.labels[split.completed_mask], split.discrepancy[split.completed_mask])
                cuts[t] = np.where(np.isfinite(lowest), lowest, np.nan)
        return cuts

    return history.derived("class cuts", make)


def passport_figure(history: RunHistory, sample: int, epoch: int, palette: Palette) -> go.Figure:
    """Both losses of a sample over the epochs, the altruistic loss that the cut asks for, and a strip of its pools.

    Parameters
    ----------
    epoch : global, 0-based; marked by a line
    """
    last = history.num_epochs
    label = plain(history.name(int(history.labels[sample])))
    when = epoch_text(epoch, history.config.schedule.total_epochs)
    newest = "in the clean pool" if len(history.in_pool) and history.in_pool[-1, sample] else "kept out"
    sketch = Sketch(
        palette,
        name="passport",
        title="Losses for the given label, and what the cut asks for",
        subtitle="",
        summary=f"Losses of sample {sample}, label {label}, up to epoch {last}, with a line at {when}; "
        f"in epoch {last} the sample is {newest}.",
    )
    _add_losses(sketch, history, sample, palette)
    _add_pool_strip(sketch, history, sample, palette)
    now = epoch_number(epoch)
    sketch.shape(
        "line",
        x0=now,
        x1=now,
        xref="x",
        y0=0,
        y1=1,
        yref="paper",
        line={"width": 1, "color": palette.muted, "dash": "dot"},
    )
    sketch.layout(
        xaxis={"title.text": EPOCH_TITLE, "range": [0.5, last + 0.5], "showgrid": False, "anchor": "y2"},
        yaxis={**LOSS_AXIS, "domain": [0.2, 1], "title.text": LOSS_TITLE},
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


def _add_losses(sketch: Sketch, history: RunHistory, sample: int, palette: Palette) -> None:
    """Add the altruistic loss, the main loss, and the altruistic loss that the cut asks for."""
    first = history.first_main
    epochs = np.arange(1, history.num_epochs + 1)
    altruistic_loss, main_loss = history.altruistic_loss[:, sample], history.main_loss[:, sample]
    needed = class_cuts(history)[:, history.labels[sample]].copy()
    for t in range(len(needed)):
        if history.stage(t + first) not in ("oss_warmup", "initial_pools"):
            needed[t] += main_loss[t]
    needed = np.where(needed > 0, needed, np.nan)
    cut = {"color": palette.unknown, "width": 1.5, "dash": "dash"}
    _add_line(sketch, epochs, altruistic_loss, "altruistic loss", width=2, color=palette.text)
    _add_line(sketch, epochs[first:], main_loss, "main loss", width=2, color=palette.text, dash="dot")
    _add_line(sketch, epochs[first:], needed, "cut: altruistic loss needed", **cut)


def _add_line(sketch: Sketch, epochs: np.ndarray, loss: np.ndarray, name: str, **line: object) -> None:
    """Add a line of a loss, clipped to the axis; not a number is a gap."""
    sketch.trace(
        "scatter",
        x=epochs,
        y=np.where(np.isfinite(loss), np.clip(loss, LOSS_LOW, LOSS_HIGH), np.nan).astype(np.float32),
        mode="lines",
        name=name,
        line=line,
        hovertemplate="epoch %{x}<br>" + name + " %{y:.3g} nats<extra></extra>",
    )


def _add_pool_strip(sketch: Sketch, history: RunHistory, sample: int, palette: Palette) -> None:
    """Add a strip with a cell for each epoch: no clean pool yet, kept out, or in the clean pool."""
    states = np.zeros(history.num_epochs)
    states[history.first_main :] = history.in_pool[:, sample] + 1
    colours = (palette.grid, palette.line, palette.text)
    sketch.trace(
        "heatmap",
        x=np.arange(1, history.num_epochs + 1),
        y=[0],
        z=states[None],
        xaxis="x",
        yaxis="y2",
        showscale=False,
        zmin=0,
        zmax=2,
        xgap=1,
        colorscale=[
            [0, colours[0]],
            [0.34, colours[0]],
            [0.34, colours[1]],
            [0.67, colours[1]],
            [0.67, colours[2]],
            [1, colours[2]],
        ],
        customdata=[[POOL_STATES[int(state)] for state in states]],
        hovertemplate="epoch %{x}: %{customdata}<extra></extra>",
    )
    sketch.note("clean pool", x=0, xref="paper", xanchor="right", xshift=-4, y=0, yref="y2", font={"size": 11})
