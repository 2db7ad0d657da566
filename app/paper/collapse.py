"""Figure 5 of the paper, the two ways in which a run collapses; pure functions, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.timeline import Metrics
from app.paper.outcomes import PERCENT
from app.style.theme import Palette, Sketch, empty_figure, epoch_number, faded, percent
from bsd_engine.events import EpochState


def poison_takeover(
    metrics: Metrics, facts: Facts, poisoned: int, palette: Palette, reference: Metrics | None = None
) -> go.Figure:
    """Figure 5, I: poison enters the clean pool until the attack succeeds.

    Parameters
    ----------
    poisoned : number of poisoned samples in the training set
    reference : a healthy run's numbers, dotted; its poison is taken to be as many
    """
    if not any("poison_in_clean_pool" in m and m["poison_in_clean_pool"] is not None for m in metrics.values()):
        return empty_figure(
            "this run does not know its poison, or has no clean pool yet",
            palette,
            title="Figure 5, I: poison takes over",
        )
    last = metrics[max(metrics)]
    kept = 100 * (last.get("poison_in_clean_pool") or 0) / max(1, poisoned)
    said = f"{percent(kept)} of the poison in the pool at the end"
    sketch = Sketch(
        palette,
        name="figure5_takeover",
        title="Figure 5, I: poison takes over",
        subtitle=f"{said}; dotted: a healthy run" if reference else said,
        summary=f"Share of the poison in the clean pool and attack success by epoch: {said}.",
    )
    drawn = [(metrics, "", "solid", 2.0)] + ([(reference, ", healthy run", "dot", 1.5)] if reference else [])
    for numbers, suffix, dash, width in drawn:
        for label, field, colour, scale in (
            ("poison in the pool", "poison_in_clean_pool", palette.poison, 100 / max(1, poisoned)),
            ("attack success", "attack_success_rate", palette.text, 1.0),
        ):
            known = [
                (epoch_number(e), scale * value)
                for e in sorted(numbers)
                if (value := numbers[e].get(field)) is not None
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
    sketch.layout(
        xaxis={"title.text": "epoch", "range": [0.5, facts.config.schedule.total_epochs + 0.5]},
        hovermode="x",
        yaxis={**PERCENT, "title.text": "of all poison; of triggered tests (percent)"},
        margin={"t": 74, "l": 64},
        legend={"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
    )
    return sketch.figure()


def class_starvation(states: Sequence[EpochState], facts: Facts, palette: Palette) -> go.Figure:
    """Figure 5, II: a class leaves the clean pool until the model never predicts it.

    Parameters
    ----------
    states : the epochs of a run, in order
    """
    title = "Figure 5, II: a class starves"
    pooled = [s for s in states if s.clean_mask is not None and s.stage != "oss_warmup"]
    if not pooled:
        return empty_figure("this run has no clean pool yet", palette, title=title)
    classes = len(facts.class_names)
    sizes = np.maximum(1, np.bincount(facts.labels, minlength=classes)[:classes])
    shares = np.stack(
        [100 * np.bincount(facts.labels[s.clean_mask], minlength=classes)[:classes] / sizes for s in pooled]
    )
    epochs = np.array([epoch_number(s.epoch) for s in pooled], np.int32)
    fewest = int(shares[-1].argmin())
    predicted = np.array(
        [
            100 * float((s.main_prediction == fewest).sum()) / sizes[fewest]
            for s in pooled
            if s.main_prediction is not None
        ],
        np.float32,
    )
    said = f"fewest: <b>{facts.name(fewest)}</b>, {percent(float(shares[-1, fewest]))} of it in the pool"
    sketch = Sketch(
        palette,
        name="figure5_starvation",
        title=title,
        subtitle=f"{said}; predicted as it: {percent(float(predicted[-1]))} of its size" if len(predicted) else said,
        summary=f"Share of each class in the clean pool by epoch; {said.replace('<b>', '').replace('</b>', '')}.",
    )
    for c in [*(c for c in range(classes) if c != fewest), fewest]:
        dark = c == fewest
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
    if len(predicted) == len(epochs):
        sketch.trace(
            "scatter",
            x=epochs,
            y=predicted,
            mode="lines",
            name=f"predicted as {facts.name(fewest)}",
            line={"color": palette.text, "width": 1.6, "dash": "dash"},
            hovertemplate="%{y:.1f} % of its size predicted as it<extra></extra>",
        )
    top = max(100.0, float(predicted.max(initial=0)), float(shares.max()))
    sketch.layout(
        xaxis={"title.text": "epoch", "range": [epochs[0] - 0.5, facts.config.schedule.total_epochs + 0.5]},
        yaxis={"title.text": "of the class's samples (percent)", "range": [-3, 1.04 * top], "nticks": 6},
        margin={"t": 74, "l": 64},
        legend={"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
    )
    return sketch.figure()
