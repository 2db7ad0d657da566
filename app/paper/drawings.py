"""The paper's figures drawn from run folders and recorded results; no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from app import figures
from app.figures.facts import Facts
from app.paper import collapse, outcomes, splits, vote_history
from app.paper.cells import FORCED, cells, paper_numbers
from app.paper.outcomes import Outcome
from app.paper.results import measured, recorded_results
from app.paper.slots import rate_of
from app.paper.vote_history import Voted
from app.server import run_cache
from app.style.theme import Palette, empty_figure, plain
from bsd_engine import attacks
from bsd_engine.runs.reader import Truth

ATTACKS = {"badnets": "BadNets", "blended": "Blended", "wanet": "WaNet", "label_consistent": "Label-consistent"}


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


def figure_3(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
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
    return outcomes.rate_curves(found, reported, palette)


def takeover(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path, healthy = runs[0], runs[1] if len(runs) > 1 else None
    truth = _truth(path, truth_shown)
    if truth is None:
        return empty_figure("poison is not known or not shown", palette, title="Figure 5, I: poison takes over")
    reference = _metrics(healthy) if healthy is not None and healthy != path else None
    return collapse.poison_takeover(_metrics(path), _facts(path), int(truth.is_poison.sum()), palette, reference)


def starvation(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    first = run_cache.reader(path).config.schedule.altruistic_epochs
    states = [run_cache.reader(path).read_epoch(row.epoch) for row in run_cache.rows(path) if row.epoch >= first]
    return collapse.class_starvation(states, _facts(path), palette)


def figure_6(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 6: poison in the clean pool at each epoch and summed over the epochs, for one poisoning rate."""
    path = runs[0]
    known = truth_shown and run_cache.reader(path).truth_known
    drawn = figures.poison_in_pool(_metrics(path), _facts(path), palette, truth_shown=known)
    rate = rate_of(run_cache.reader(path).config)
    drawn.layout.title.text = drawn.layout.title.text.replace(
        "</b>", "</b>" if rate is None else f", {100 * rate:g} % poisoned</b>", 1
    )
    return drawn


def figure_7a(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (a): the altruistic loss after the altruistic warm-up."""
    path = runs[0]
    return figures.altruistic_loss_histogram(
        run_cache.state(path, _at(path, -1)), _facts(path), _truth(path, truth_shown), palette
    )


def figure_7b(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (b): the OSS distance after the OSS warm-up."""
    path = runs[0]
    state = run_cache.state(path, _at(path, run_cache.reader(path).config.schedule.t1))
    return figures.oss_distance_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def figure_7c(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    return splits.loss_gap_histogram(
        run_cache.state(path, _last(path)), _facts(path), _truth(path, truth_shown), palette
    )


def figure_7d(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    return splits.main_loss_histogram(
        run_cache.state(path, _last(path)), _facts(path), _truth(path, truth_shown), palette
    )


def figure_8(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    states = [run_cache.state(path, row.epoch) for row in run_cache.rows(path) if row.all_distances]
    return splits.oss_warmup_distances(states, _facts(path), _truth(path, truth_shown), palette)


def figure_9(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
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
    return vote_history.vote_history(voted, palette)


def figure_10(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
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
    return outcomes.forced_target(list(found.values()), [plain(name) for name in names], palette)


def figure_11(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    path = runs[0]
    scored = [row for row in run_cache.rows(path) if 0 <= row.main_epoch <= run_cache.reader(path).config.schedule.t1]
    state = run_cache.state(path, scored[-1].epoch) if scored else None
    return splits.all_to_all_distances(state, _facts(path), _truth(path, truth_shown), palette)
