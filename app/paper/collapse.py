"""Figure 5 of the paper, two ways in which training collapses; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import ATTACK_SUCCESS, EPOCH_TITLE, PERCENT_TICKS, Facts
from app.figures.timeline import Metrics
from app.paper import texts
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, epoch_text, faded, percent
from bsd_engine.events import EpochState

LEGEND = {"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}


def poison_takeover(
    metrics: Metrics, facts: Facts, poisoned: int, palette: Palette, reference: Metrics | None = None
) -> go.Figure:
    """Figure 5, I: poison enters the clean pool until the attack succeeds.

    Parameters
    ----------
    poisoned : number of poisoned samples in the training set
    reference : metrics of a healthy run, dotted; its number of poisoned samples is taken to be the same
    """
    if not any(m.get("poison_in_clean_pool") is not None for m in metrics.values()):
        return empty_figure(texts.NO_POISON_COUNT, palette, title=texts.TAKEOVER_TITLE)
    last = max(metrics)
    share = 100 * (metrics[last].get("poison_in_clean_pool") or 0) / max(1, poisoned)
    when = epoch_text(last, facts.config.schedule.total_epochs)
    finding = f"{when} · {percent(share)} of the poison in the clean pool"
    sketch = Sketch(
        palette,
        name="figure5_takeover",
        title=texts.TAKEOVER_TITLE,
        subtitle=f"{finding}; dotted: a healthy run" if reference else finding,
        summary=f"Share of the poison in the clean pool and attack success by epoch: {finding}.",
    )
    _add_takeover(sketch, metrics, poisoned, palette, suffix="", dash="solid", width=2.0)
    if reference:
        _add_takeover(sketch, reference, poisoned, palette, suffix=", healthy run", dash="dot", width=1.5)
    sketch.layout(
        xaxis={"title.text": EPOCH_TITLE, "range": [0.5, facts.config.schedule.total_epochs + 0.5]},
        hovermode="x",
        yaxis={"range": [-3, 106], "tickvals": PERCENT_TICKS, "title.text": "share of poison or of test images (%)"},
        margin={"t": 74, "l": 64},
        legend=LEGEND,
    )
    return sketch.figure()


def _add_takeover(
    sketch: Sketch, metrics: Metrics, poisoned: int, palette: Palette, *, suffix: str, dash: str, width: float
) -> None:
    """Add the poison in the pool and the attack success of a run; only lines without a suffix are in the legend."""
    for label, field, colour, scale in (
        ("poison in the clean pool", "poison_in_clean_pool", palette.poison, 100 / max(1, poisoned)),
        (ATTACK_SUCCESS, "attack_success_rate", palette.text, 1.0),
    ):
        known = [
            (epoch_number(e), scale * value) for e in sorted(metrics) if (value := metrics[e].get(field)) is not None
        ]
        sketch.trace(
            "scatter",
            x=np.array([x for x, _ in known], np.int32),
            y=np.array([y for _, y in known], np.float32),
            mode="lines",
            name=label + suffix,
            showlegend=not suffix,
            line={"color": colour, "width": width, "dash": dash},
            hovertemplate=f"{label}{suffix} %{{y:.1f}} %<extra></extra>",
        )


def class_starvation(states: Sequence[EpochState], facts: Facts, palette: Palette) -> go.Figure:
    """Figure 5, II: a class leaves the clean pool until the main model never predicts it.

    Parameters
    ----------
    states : the epochs of a run, in order
    """
    pooled = [s for s in states if s.clean_mask is not None and s.stage != "oss_warmup"]
    if not pooled:
        return empty_figure(texts.NO_POOL_YET, palette, title=texts.STARVATION_TITLE)
    classes = len(facts.class_names)
    sizes = np.maximum(1, np.bincount(facts.labels, minlength=classes)[:classes])
    shares = np.stack(
        [100 * np.bincount(facts.labels[s.clean_mask], minlength=classes)[:classes] / sizes for s in pooled]
    )
    smallest = int(shares[-1].argmin())
    predicted = _predicted_shares(pooled, smallest, int(sizes[smallest]))
    name = facts.name(smallest)
    finding = f"{percent(float(shares[-1, smallest]))} of <b>{name}</b> in the clean pool"
    if len(predicted):
        finding += f"; samples predicted as it: {percent(float(predicted[-1]))} of its size"
    when = facts.epoch_text(pooled[-1])
    sketch = Sketch(
        palette,
        name="figure5_starvation",
        title=texts.STARVATION_TITLE,
        subtitle=f"{when} · {finding}",
        summary=f"Share of each class in the clean pool by epoch; {when}: "
        f"{finding.replace('<b>', '').replace('</b>', '')}.",
    )
    epochs = np.array([epoch_number(s.epoch) for s in pooled], np.int32)
    _add_shares(sketch, epochs, shares, smallest, facts, palette)
    if len(predicted) == len(epochs):
        sketch.trace(
            "scatter",
            x=epochs,
            y=predicted,
            mode="lines",
            name=f"predicted as {name}",
            line={"color": palette.text, "width": 1.6, "dash": "dash"},
            hovertemplate=f"{name}: predicted %{{y:.1f}} % as often as it is labelled<extra></extra>",
        )
    top = max(100.0, float(predicted.max(initial=0)), float(shares.max()))
    sketch.layout(
        xaxis={"title.text": EPOCH_TITLE, "range": [epochs[0] - 0.5, facts.config.schedule.total_epochs + 0.5]},
        yaxis={"title.text": "share of the class (%)", "range": [-3, 1.04 * top], "nticks": 6},
        margin={"t": 74, "l": 64},
        legend=LEGEND,
    )
    return sketch.figure()


def _predicted_shares(states: Sequence[EpochState], label: int, size: int) -> np.ndarray:
    """(E,) float32, percent: how many samples the main model assigns to a class, relative to the class's size."""
    known = [s.main_prediction for s in states if s.main_prediction is not None]
    return np.array([100 * float((prediction == label).sum()) / size for prediction in known], np.float32)


def _add_shares(
    sketch: Sketch, epochs: np.ndarray, shares: np.ndarray, smallest: int, facts: Facts, palette: Palette
) -> None:
    """Add a line for each class, that of the class with the smallest share dark and on top."""
    for c in [*(c for c in range(shares.shape[1]) if c != smallest), smallest]:
        dark = c == smallest
        sketch.trace(
            "scatter",
            x=epochs,
            y=shares[:, c].astype(np.float32),
            mode="lines",
            name=f"{facts.name(c)} in the pool" if dark else facts.name(c),
            showlegend=dark,
            line={"color": palette.text if dark else faded(palette.unknown, 0.55), "width": 2.6 if dark else 1.2},
            hovertemplate=f"{facts.name(c)}: %{{y:.1f}} % in the pool<extra></extra>",
        )
