"""Figures 3, 5, 9 and 10 of the paper from recorded runs of ours; pure functions, no streamlit.

Figure 6 is `curves.poison_in_pool`, one picture a poisoning rate. What shows the truth is drawn on pages that show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures.curves import Metrics
from app.figures.facts import Facts
from app.figures.small_multiples import SmallMultiples
from app.figures.target import Said, answers
from app.style.theme import Palette, Sketch, count, empty_figure, epoch_number, faded, percent
from bsd_engine.events import EpochState

PERCENT = {"range": [-3, 106], "tickvals": [0, 25, 50, 75, 100]}
FEWEST_PLACES = 5
LABELLED_CLASSES = 12
"""More classes than these are numbers on an axis."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one training came to, percent; None where it was not measured."""

    at: float
    """Poisoning rate (0 to 1), or the true target label."""
    clean_accuracy: float | None
    attack_success_rate: float | None
    robust_accuracy: float | None = None
    forced: int | None = None
    """The class that was taken for the target on purpose."""


def rate_curves(found: Mapping[str, Sequence[Outcome]], reported: Mapping[str, Outcome], palette: Palette) -> go.Figure:
    """Figure 3: clean accuracy and attack success against the poisoning rate, a panel an attack.

    Parameters
    ----------
    found : name of the attack, safe text -> outcomes, `at` is the rate
    reported : what the paper has in numbers for the same attack (its Table 1); drawn as hollow diamonds
    """
    names = list(found)
    runs = sum(len(outcomes) for outcomes in found.values())
    sketch = SmallMultiples(
        palette,
        rows=1,
        columns=max(1, len(names)),
        name="figure3",
        title="Figure 3: poisoning rates",
        subtitle=f"{runs} runs of ours; ◇ the paper, CIFAR-10, Table 1",
        summary=f"Clean accuracy and attack success at several poisoning rates, {runs} runs.",
    )
    rates = sorted({o.at for outcomes in found.values() for o in outcomes} | {o.at for o in reported.values()})
    ticks = {
        "type": "log",
        "tickvals": rates,
        "ticktext": [f"{100 * rate:g}" for rate in rates],
        "title.text": "poisoning rate (percent)",
        "range": [np.log10(min(rates, default=0.01)) - 0.12, np.log10(max(rates, default=0.2)) + 0.12],
    }
    for i, name in enumerate(names):
        axes = sketch.panel(
            i, name, x=ticks, y={**PERCENT, **({"title.text": "test images (percent)"} if i == 0 else {})}
        )
        for label, field, colour in (
            ("clean accuracy", "clean_accuracy", palette.clean),
            ("attack success (low is good)", "attack_success_rate", palette.poison),
        ):
            known = sorted((o.at, getattr(o, field)) for o in found[name] if getattr(o, field) is not None)
            sketch.trace(
                "scatter",
                x=np.array([x for x, _ in known]),
                y=np.array([y for _, y in known]),
                mode="lines+markers",
                name=label,
                legendgroup=label,
                showlegend=i == 0,
                line={"color": colour, "width": 2},
                marker={"size": 8},
                hovertemplate=f"{label} %{{y:.1f}} %<extra>ours</extra>",
                **axes,
            )
            if name in reported and (value := getattr(reported[name], field)) is not None:
                sketch.trace(
                    "scatter",
                    x=[reported[name].at],
                    y=[value],
                    mode="markers",
                    showlegend=False,
                    name=f"the paper's {label}",
                    marker={"symbol": "diamond-open", "size": 13, "color": colour, "line": {"width": 2}},
                    hovertemplate=f"{label} %{{y:.1f}} %<extra>the paper</extra>",
                    **axes,
                )
    sketch.layout(margin={"t": 88, "b": 46}, legend={"y": 0.99, "x": 1})
    return sketch.figure()


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


@dataclass(frozen=True, kw_only=True)
class Voted:
    """One run's votes, for `vote_history`."""

    title: str
    """Safe text."""
    said: Sequence[Said]
    """Epochs of the altruistic warm-up, in order."""
    facts: Facts
    target: int | None
    """The true target, where it is known and shown."""


def vote_history(runs: Sequence[Voted], palette: Palette) -> go.Figure:
    """Figure 9: the most frequent second likely class after each warm-up epoch, and the majority so far, a panel a run."""
    title = "Figure 9: the paper's vote for the target"
    shown = [(run, [s for s in run.said if s.vote_counts is not None]) for run in runs]
    shown = [(run, said) for run, said in shown if said]
    if not shown:
        return empty_figure("no run has votes of an altruistic warm-up", palette, title=title)
    final = [run.facts.name(answers(said[-1])["second_logit_mode"]) for run, said in shown]
    columns = min(2, len(shown))
    sketch = SmallMultiples(
        palette,
        rows=-(-len(shown) // columns),
        columns=columns,
        gap=(0.14, 0.26),
        name="figure9",
        title=title,
        subtitle=f"majority at the end: {', '.join(final)}",
        summary=f"{title}: majority at the end {', '.join(final)}.",
    )
    for i, (run, said) in enumerate(shown):
        epochs = np.array([epoch_number(s.epoch) for s in said], np.int32)
        names = [run.facts.name(c) for c in range(len(run.facts.class_names))]
        few = len(names) <= LABELLED_CLASSES
        ticks = {"tickvals": list(range(len(names))), "ticktext": names} if few else {"title.text": "class"}
        axes = sketch.panel(
            i,
            run.title,
            x={"title.text": "epoch of the altruistic warm-up", "range": [0.5, epochs[-1] + 0.5]},
            y={"range": [-0.6, len(names) - 0.4], **ticks},
        )
        if run.target is not None:
            sketch.shape(
                "line",
                x0=0,
                x1=1,
                xref=f"{axes['xaxis']} domain",
                y0=run.target,
                y1=run.target,
                yref=axes["yaxis"],
                line={"color": palette.poison, "width": 8},
                opacity=0.25,
                layer="below",
            )
        majority = np.array([answers(s)["second_logit_mode"] for s in said], np.int32)
        sketch.trace(
            "scatter",
            x=epochs,
            y=majority,
            mode="lines",
            name="majority so far",
            showlegend=i == 0,
            line={"color": palette.text, "width": 1.6, "shape": "hv"},
            hovertemplate="majority up to epoch %{x}: class %{y}<extra></extra>",
            **axes,
        )
        sketch.trace(
            "scatter",
            x=epochs,
            y=np.array([int(s.vote_counts.argmax()) for s in said], np.int32),
            mode="markers",
            name="this epoch",
            showlegend=i == 0,
            marker={"symbol": "x", "size": 9, "color": palette.unknown},
            hovertemplate="epoch %{x}: class %{y}<extra></extra>",
            **axes,
        )
    sketch.layout(margin={"t": 78, "l": 86}, legend={"y": 0.99})
    return sketch.figure()


def forced_target(found: Sequence[Outcome], class_names: Sequence[str], palette: Palette) -> go.Figure:
    """Figure 10: CA, ASR and RA where a wrong class is forced as the pseudo target, against the true target.

    Parameters
    ----------
    found : outcomes, `at` is the true target
    class_names : safe texts
    """

    def name(label: int | None) -> str:
        return "none" if label is None else class_names[label] if label < len(class_names) else f"class {label}"

    ordered = sorted(found, key=lambda outcome: outcome.at)
    runs = "1 run" if len(ordered) == 1 else f"{count(len(ordered))} runs"
    said = f"{runs}: true target, and the class that was taken for it"
    places = {id(o): f"{name(int(o.at))}<br>taken: {name(o.forced)}" for o in ordered}
    sketch = Sketch(
        palette,
        name="figure10",
        title="Figure 10: a wrong pseudo target",
        subtitle=said,
        summary=f"Outcome with a wrong pseudo target: {said}.",
    )
    for label, field, colour in (
        ("clean accuracy", "clean_accuracy", palette.clean),
        ("robust accuracy", "robust_accuracy", faded(palette.clean, 0.45)),
        ("attack success (low is good)", "attack_success_rate", palette.poison),
    ):
        known = [o for o in ordered if getattr(o, field) is not None]
        sketch.trace(
            "bar",
            x=[places[id(o)] for o in known],
            y=np.array([getattr(o, field) for o in known], np.float32),
            name=label,
            marker_color=colour,
            texttemplate="%{y:.0f}",
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11, "color": palette.muted},
            hovertemplate=f"{label} %{{y:.1f}} %<extra></extra>",
        )
    free = max(0, FEWEST_PLACES - len(ordered)) / 2  # one run would be as wide as the figure
    sketch.layout(
        xaxis={"type": "category", "range": [-0.5 - free, len(ordered) - 0.5 + free], "showgrid": False},
        yaxis={"range": [0, 108], "tickvals": [0, 25, 50, 75, 100], "title.text": "test images (percent)"},
        barmode="group",
        bargap=0.25,
        margin={"t": 74, "b": 48},
        legend={"x": 0, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
    )
    return sketch.figure()
