"""The start of a figure over all epochs of a run: the stages as bands and the current epoch as a line; no streamlit."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from app.figures.stages import stage_spans
from app.style.theme import STAGE_NAMES, Palette, Sketch, epoch_number, epoch_text
from bsd_engine.config.method_settings import ScheduleConfig

Metrics = Mapping[int, Mapping[str, float | int | None]]
"""`EpochState.metrics` of each global, 0-based epoch recorded so far."""


NARROWEST_LABELLED_BAND = 0.06


def known_values(metrics: Metrics, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(K,) epoch numbers as shown and (K,) values, where the value is known."""
    known = [
        (epoch_number(e), v) for e in sorted(metrics) if (v := metrics[e].get(name)) is not None and math.isfinite(v)
    ]
    return np.array([e for e, _ in known], np.int32), np.array([v for _, v in known], np.float32)


def run_timeline(palette: Palette, schedule: ScheduleConfig, current_epoch: int | None, **words: str) -> Sketch:
    """The start of a figure over all epochs, with named bands for the stages and a line at the current epoch."""
    sketch = Sketch(palette, **words)
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
        xaxis={"title.text": "epoch", "range": [0.5, total + 0.5], "showgrid": False}, margin={"t": 78}, hovermode="x"
    )
    return sketch


def epoch_or_none_yet(schedule: ScheduleConfig, metrics: Metrics, current_epoch: int | None) -> str:
    epoch = current_epoch if current_epoch is not None else max(metrics, default=None)
    return "no epoch yet" if epoch is None else epoch_text(epoch, schedule.total_epochs)
