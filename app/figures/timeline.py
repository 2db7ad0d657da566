"""The frame of a figure over all epochs of a run, with stage bands and a line at the current epoch; no streamlit."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from app.figures.facts import EPOCH_TITLE
from app.figures.stages import stage_spans
from app.style.theme import STAGE_NAMES, Palette, Sketch, epoch_number, epoch_text
from bsd_engine.config.method_settings import ScheduleConfig

Metrics = Mapping[int, Mapping[str, float | int | None]]
"""`EpochState.metrics` of each recorded epoch, by global, 0-based epoch."""

NARROWEST_LABELLED_BAND = 0.06
"""A stage that takes a smaller share of the run gets no label."""


def known_values(metrics: Metrics, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(K,) int32 epoch numbers as shown and (K,) float32 values of a metric, for the epochs where it is known."""
    known = [
        (epoch_number(e), v) for e in sorted(metrics) if (v := metrics[e].get(name)) is not None and math.isfinite(v)
    ]
    return np.array([e for e, _ in known], np.int32), np.array([v for _, v in known], np.float32)


def run_timeline(palette: Palette, schedule: ScheduleConfig, current_epoch: int | None, **texts: str) -> Sketch:
    """A sketch over all epochs: stages as labelled bands, the current epoch as a line.

    Parameters
    ----------
    current_epoch : global, 0-based; None for no line
    texts : name, title, subtitle and summary of the `Sketch`
    """
    sketch = Sketch(palette, **texts)
    total = schedule.total_epochs
    for i, (stage, first, last) in enumerate(stage_spans(schedule)):
        x0, x1 = epoch_number(first) - 0.5, epoch_number(last) + 0.5
        if i % 2:
            sketch.shape(
                "rect", x0=x0, x1=x1, y0=0, y1=1, yref="paper", fillcolor=palette.band, line_width=0, layer="below"
            )
        if (last + 1 - first) / total >= NARROWEST_LABELLED_BAND:
            sketch.note(
                STAGE_NAMES[stage].replace(" ", "<br>", 1),
                x=(x0 + x1) / 2,
                y=1,
                yref="paper",
                yanchor="bottom",
                font={"size": 11, "color": palette.muted},
            )
    if current_epoch is not None:
        now = epoch_number(current_epoch)
        sketch.shape("line", x0=now, x1=now, y0=0, y1=1, yref="paper", line={"color": palette.text, "width": 1.2})
    sketch.layout(
        xaxis={"title.text": EPOCH_TITLE, "range": [0.5, total + 0.5], "showgrid": False},
        margin={"t": 78},
        hovermode="x",
    )
    return sketch


def newest_epoch_text(schedule: ScheduleConfig, metrics: Metrics, current_epoch: int | None) -> str:
    """ "epoch 12 of 38" for the current epoch or else the newest recorded one; "no epoch yet" without either."""
    epoch = current_epoch if current_epoch is not None else max(metrics, default=None)
    return "no epoch yet" if epoch is None else epoch_text(epoch, schedule.total_epochs)
