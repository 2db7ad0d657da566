"""Which runs each figure of the paper is drawn from, and the drawing of it from run folders; no streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from app import figures
from app.figures.facts import Facts
from app.paper import curves, splits
from app.paper.cells import FORCED, RATES, Cell, cells, paper_numbers, spec_of, with_rate
from app.paper.curves import Outcome, Voted
from app.paper.results import measured, recorded_results
from app.server import run_cache
from app.style.theme import Palette, empty_figure, plain
from bsd_engine import attacks
from bsd_engine.config.settings import BSDConfig
from bsd_engine.runs.reader import Truth

Draw = Callable[[Sequence[Path], Palette, bool], go.Figure]
"""(folders of the slots' runs, palette, truth shown) -> figure."""
ATTACKS = {"badnets": "BadNets", "blended": "Blended", "wanet": "WaNet", "label_consistent": "Label-consistent"}


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A run that a figure needs."""

    label: str
    fits: Callable[[BSDConfig], bool]
    """Whether a run with these settings shows what is wanted."""
    recordings: tuple[str, ...]
    """Recordings that show it, the best first."""
    command: str
    """What makes such a run."""
    shows_it: Callable[[Mapping[str, Any]], bool] = lambda summary: True
    """Whether a run with such a summary came out as the figure wants it; it goes before the recordings then."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One picture of a figure."""

    name: str
    draw: Draw
    slots: tuple[int, ...] = (0,)
    """Which of the figure's runs it reads; the first must be there, the others may be missing."""
    any_run: bool = False
    """Whether any one of its runs is enough."""
    height: int = 330
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of the paper as the page shows it."""

    number: str
    title: str
    shows: str
    """What the paper's figure shows, in plain words, and on which data."""
    charts: tuple[Chart, ...]
    slots: tuple[Slot, ...] = ()
    from_results: str = ""
    """The table of `paper_cells.cells` whose recorded results are drawn, if any."""


# -- runs ------------------------------------------------------------------------------------------


def rate_of(config: BSDConfig) -> float | None:
    """Poisoning rate of a run, its attack's own where none is given; None without an attack."""
    name = config.attack.attack
    if name == "none":
        return None
    return attacks.kind(name).default_rate if config.attack.rate is None else config.attack.rate


def is_plain(config: BSDConfig) -> bool:
    """Whether a run is BSD as the presets have it: nothing switched off, no target forced."""
    split = config.split
    return (
        split.init_combine == "intersection"
        and split.completion != "off"
        and split.target_estimator != "given"
        and split.all_to_all == "off"
        and split.selective_drop
    )


def _attacked(name: str) -> Callable[[BSDConfig], bool]:
    return lambda config: config.attack.attack == name and is_plain(config)


def _at_rate(rate: float) -> Callable[[BSDConfig], bool]:
    return lambda config: (
        rate_of(config) == rate and is_plain(config) and not attacks.kind(config.attack.attack).clean_label
    )


def is_forced(config: BSDConfig) -> bool:
    """Whether a run was told a target, and a wrong one."""
    return (
        config.split.target_estimator == "given"
        and config.attack.attack != "none"
        and config.split.assume_target != config.attack.target_label
    )


def _train(spec: str, **settings: object) -> str:
    return Cell(preset="demo", attack=spec, settings=dict(settings)).command()


def _success(summary: Mapping[str, Any]) -> float:
    """Attack success of a run, percent; 50 where it is not known."""
    found = summary.get("attack_success_rate")
    return 50.0 if found is None else found


def _defended(summary: Mapping[str, Any]) -> bool:
    return _success(summary) < 20


HEALTHY = Slot(
    label="run",
    shows_it=lambda summary: summary.get("attack") == "badnets" and _defended(summary),
    fits=lambda config: config.attack.attack != "none" and is_plain(config),
    recordings=("healthy",),
    command=_train("badnets"),
)


# -- drawings --------------------------------------------------------------------------------------


def _facts(path: Path) -> Facts:
    return Facts.of(run_cache.reader(path))


def _truth(path: Path, shown: bool) -> Truth | None:
    return run_cache.reader(path).truth if shown else None


def _metrics(path: Path) -> figures.Metrics:
    return {row.epoch: row.metrics for row in run_cache.rows(path)}


def _last(path: Path) -> int:
    return run_cache.rows(path)[-1].epoch


def _at(path: Path, main_epoch: int) -> int:
    """The global epoch of a main epoch, or the last one recorded."""
    return min(run_cache.reader(path).config.schedule.altruistic_epochs + main_epoch, _last(path))


def _figure_3(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    results = recorded_results()
    found: dict[str, list[Outcome]] = {}
    for (rate, attack), cell in cells("figure3").items():
        if (one := measured(cell, "bsd", results)) is not None:
            found.setdefault(ATTACKS[attack], []).append(
                Outcome(at=float(rate), clean_accuracy=one.clean_accuracy, attack_success_rate=one.attack_success_rate)
            )
    if not found:
        return empty_figure("no rate has been run", palette, title="Figure 3: poisoning rates")
    numbers = paper_numbers()["1"]["cifar10"]
    reported = {
        ATTACKS[name]: Outcome(at=0.05, clean_accuracy=row["bsd"][0], attack_success_rate=row["bsd"][1])
        for name, row in numbers.items()
        if name in ATTACKS
    }
    return curves.rate_curves(found, reported, palette)


def _takeover(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path, healthy = runs[0], runs[1] if len(runs) > 1 else None
    truth = _truth(path, truth_shown)
    if truth is None:
        return empty_figure("poison is not known or not shown", palette, title="Figure 5, I: poison takes over")
    reference = _metrics(healthy) if healthy is not None and healthy != path else None
    return curves.poison_takeover(_metrics(path), _facts(path), int(truth.is_poison.sum()), palette, reference)


def _starvation(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    first = run_cache.reader(path).config.schedule.altruistic_epochs
    states = [run_cache.reader(path).read_epoch(row.epoch) for row in run_cache.rows(path) if row.epoch >= first]
    return curves.class_starvation(states, _facts(path), palette)


def _figure_6(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 6: poison in the clean pool at each epoch and summed over the epochs, for one poisoning rate."""
    path = runs[0]
    known = truth_shown and run_cache.reader(path).truth_known
    drawn = figures.poison_in_pool(_metrics(path), _facts(path), palette, truth_shown=known)
    rate = rate_of(run_cache.reader(path).config)
    drawn.layout.title.text = drawn.layout.title.text.replace(
        "</b>", "</b>" if rate is None else f", {100 * rate:g} % poisoned</b>", 1
    )
    return drawn


def _figure_7a(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (a): the altruistic loss after the altruistic warm-up."""
    path = runs[0]
    return figures.altruistic_loss_histogram(
        run_cache.state(path, _at(path, -1)), _facts(path), _truth(path, truth_shown), palette
    )


def _figure_7b(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (b): the OSS distance after the OSS warm-up."""
    path = runs[0]
    state = run_cache.state(path, _at(path, run_cache.reader(path).config.schedule.t1))
    return figures.oss_distance_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def _figure_7c(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    return splits.loss_gap_histogram(
        run_cache.state(path, _last(path)), _facts(path), _truth(path, truth_shown), palette
    )


def _figure_7d(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    return splits.main_loss_histogram(
        run_cache.state(path, _last(path)), _facts(path), _truth(path, truth_shown), palette
    )


def _figure_8(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    states = [run_cache.state(path, row.epoch) for row in run_cache.rows(path) if row.all_distances]
    return splits.oss_warmup_distances(states, _facts(path), _truth(path, truth_shown), palette)


def _figure_9(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    voted = []
    for path in runs:
        config = run_cache.reader(path).config
        name = config.attack.attack
        target = (
            config.attack.target_label if truth_shown and name != "none" and attacks.kind(name).has_target else None
        )
        voted.append(
            Voted(
                title=ATTACKS.get(name, plain(name)),
                said=run_cache.rows(path)[: config.schedule.altruistic_epochs],
                facts=_facts(path),
                target=target,
            )
        )
    return curves.vote_history(voted, palette)


def _figure_10(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    results, found = recorded_results(), {}
    for (label, _), cell in cells("figure10").items():
        for numbers in results.get(cell.key("bsd"), {}).values():
            found[int(label)] = Outcome(
                at=int(label),
                clean_accuracy=numbers["clean_accuracy"],
                attack_success_rate=numbers["attack_success_rate"],
                robust_accuracy=numbers.get("robust_accuracy"),
                forced=FORCED,
            )
    names: tuple[str, ...] = ()
    for path in runs:
        run = run_cache.reader(path)
        numbers = run_cache.rows(path)[-1].metrics
        names = run.class_names
        found.setdefault(
            run.config.attack.target_label,
            Outcome(
                at=run.config.attack.target_label,
                clean_accuracy=numbers.get("clean_accuracy"),
                attack_success_rate=numbers.get("attack_success_rate") if truth_shown else None,
                forced=run.config.split.assume_target,
            ),
        )
    if not found:
        return empty_figure("no run with a forced target", palette, title="Figure 10: a wrong pseudo target")
    return curves.forced_target(list(found.values()), [plain(name) for name in names], palette)


def _figure_11(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    scored = [row for row in run_cache.rows(path) if 0 <= row.main_epoch <= run_cache.reader(path).config.schedule.t1]
    state = run_cache.state(path, scored[-1].epoch) if scored else None
    return splits.all_to_all_distances(state, _facts(path), _truth(path, truth_shown), palette)


FIGURES: dict[str, PaperFigure] = {
    figure.number: figure
    for figure in (
        PaperFigure(
            number="3",
            title="Poisoning rates",
            from_results="figure3",
            shows="Clean accuracy stays and attack success stays near zero from 1 % to 20 % poison, for three attacks on CIFAR-10; the rival defence ASD loses accuracy away from 5 %.",
            charts=(Chart(name="figure3", draw=_figure_3, slots=(), height=360, wide=True),),
        ),
        PaperFigure(
            number="5",
            title="Two ways to collapse",
            shows="What goes wrong without care: in I poisoned samples have small losses, fill the clean pool and the attack wins; in II a hard class leaves the pool and is never predicted again.",
            slots=(
                Slot(
                    label="I: poison takes over",
                    fits=lambda c: c.split.init_combine in ("random", "union") and c.attack.attack != "none",
                    recordings=("collapse-poison",),
                    command=_train("badnets", init_combine="random"),
                    shows_it=lambda summary: _success(summary) > 50,
                ),
                Slot(
                    label="II: a class starves",
                    fits=lambda c: c.split.completion == "off",
                    recordings=("collapse-classes",),
                    command=_train("badnets", completion="off"),
                ),
                replace(HEALTHY, label="healthy, for comparison"),
            ),
            charts=(
                Chart(name="figure5_takeover", draw=_takeover, slots=(0, 2)),
                Chart(name="figure5_starvation", draw=_starvation, slots=(1,)),
            ),
        ),
        PaperFigure(
            number="6",
            title="Poison in the clean pool",
            shows="How many poisoned samples are in the clean pool at each epoch, and summed over the epochs (dotted), at four poisoning rates on CIFAR-10.",
            slots=tuple(
                Slot(
                    label=f"{100 * rate:g} % poisoned",
                    fits=_at_rate(rate),
                    recordings=("healthy",) if rate == 0.05 else (),
                    command=_train(with_rate(spec_of("demo", "badnets"), rate)),
                    shows_it=_defended,
                )
                for rate in RATES
            ),
            charts=tuple(Chart(name=f"figure6_{i}", draw=_figure_6, slots=(i,)) for i in range(len(RATES))),
        ),
        PaperFigure(
            number="7",
            title="What the splits see",
            slots=(HEALTHY,),
            shows="(a) the altruistic loss after its warm-up, (b) the OSS distance after the OSS warm-up, (c) the loss discrepancy and (d) the main loss at the last epoch, on GTSRB against BadNets.",
            charts=(
                Chart(name="figure7a", draw=_figure_7a),
                Chart(name="figure7b", draw=_figure_7b),
                Chart(name="figure7c", draw=_figure_7c),
                Chart(name="figure7d", draw=_figure_7d),
            ),
        ),
        PaperFigure(
            number="8",
            title="Warm-up and distance of OSS",
            slots=(HEALTHY,),
            shows="Smallest, mean and largest distance to the other classes' centres after warm-ups of several lengths: with too short a one, poison and clean lie on top of each other.",
            charts=(Chart(name="figure8", draw=_figure_8, height=620, wide=True),),
        ),
        PaperFigure(
            number="9",
            title="The vote for the target",
            shows="The class that is most often second, after each epoch of the altruistic warm-up, and the majority so far, for four attacks on CIFAR-10. The paper's majority is right for all four.",
            slots=tuple(
                Slot(
                    label=title,
                    fits=_attacked(name),
                    recordings={"badnets": ("healthy",), "label_consistent": ("clean-label",)}.get(name, ()),
                    command=_train(spec_of("demo", {"label_consistent": "lc"}.get(name, name))),
                )
                for name, title in ATTACKS.items()
            ),
            charts=(Chart(name="figure9", draw=_figure_9, slots=(0, 1, 2, 3), any_run=True, height=560, wide=True),),
        ),
        PaperFigure(
            number="10",
            title="A wrong pseudo target",
            from_results="figure10",
            shows="BSD told a wrong target on purpose, for every true target of CIFAR-10 under BadNets. Mostly the other view saves it; with dog as the target and cat forced, it fails.",
            slots=(
                Slot(
                    label="run with a forced target",
                    fits=is_forced,
                    recordings=("wrong-target",),
                    command=_train("badnets", target_estimator="given", assume_target=FORCED).replace(
                        "--attack badnets", "--attack badnets --target 5"
                    ),
                ),
            ),
            charts=(Chart(name="figure10", draw=_figure_10, slots=(0,), height=380, wide=True),),
        ),
        PaperFigure(
            number="11",
            title="OSS against an all-to-all attack",
            shows="Each class taken for the target in turn: within every class the poisoned samples lie nearer to the others, on CIFAR-10 with BadNets sent from each class to the next.",
            slots=(
                Slot(
                    label="all-to-all run",
                    fits=lambda c: c.split.all_to_all != "off",
                    recordings=(),
                    command=_train(spec_of("demo", "badnets_all2all"), all_to_all="shared", selective_drop=False),
                ),
            ),
            charts=(Chart(name="figure11", draw=_figure_11, height=480, wide=True),),
        ),
    )
}
CHARTS: dict[str, Chart] = {chart.name: chart for figure in FIGURES.values() for chart in figure.charts}
