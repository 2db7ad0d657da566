"""The charts of the paper's figures, drawn from run folders and recorded results; no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from app.figures.facts import Facts
from app.figures.histograms import altruistic_loss_histogram, oss_distance_histogram
from app.figures.pool import poison_in_pool
from app.figures.timeline import Metrics
from app.paper import collapse, outcomes, splits, texts, vote_history
from app.paper.cells import FORCED, cells, paper_numbers
from app.paper.outcomes import Outcome
from app.paper.results import measured, recorded_results
from app.paper.slots import rate_of
from app.paper.vote_history import VotedRun
from app.server import run_cache
from app.style.theme import Palette, empty_figure, plain
from bsd_engine import attacks
from bsd_engine.runs.reader import Truth


def _facts(path: Path) -> Facts:
    return Facts.of(run_cache.reader(path))


def _truth(path: Path, shown: bool) -> Truth | None:
    return run_cache.reader(path).truth if shown else None


def _metrics(path: Path) -> Metrics:
    return {row.epoch: row.metrics for row in run_cache.rows(path)}


def _last_epoch(path: Path) -> int:
    """The newest recorded epoch, global and 0-based."""
    return run_cache.rows(path)[-1].epoch


def _epoch_at(path: Path, main_epoch: int) -> int:
    """The global epoch of a main epoch, or the newest recorded one if that is earlier."""
    return min(run_cache.reader(path).config.schedule.altruistic_epochs + main_epoch, _last_epoch(path))


def figure_3(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 3, from the recorded results."""
    results = recorded_results()
    by_attack: dict[str, list[Outcome]] = {}
    for (rate, attack), cell in cells("figure3").items():
        result = measured(cell, "bsd", results)
        if result is not None:
            outcome = Outcome(
                at=float(rate), clean_accuracy=result.clean_accuracy, attack_success_rate=result.attack_success_rate
            )
            by_attack.setdefault(texts.ATTACKS[attack], []).append(outcome)
    if not by_attack:
        return empty_figure(texts.NO_RATES, palette, title=texts.figure_title("3"))
    reported = {
        texts.ATTACKS[name]: Outcome(at=0.05, clean_accuracy=row["bsd"][0], attack_success_rate=row["bsd"][1])
        for name, row in paper_numbers()["1"]["cifar10"].items()
        if name in texts.ATTACKS
    }
    return outcomes.rate_curves(by_attack, reported, palette)


def takeover(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 5, I; the second run, if any, is the healthy one for comparison."""
    path, healthy = runs[0], runs[1] if len(runs) > 1 else None
    truth = _truth(path, truth_shown)
    if truth is None:
        return empty_figure(texts.NO_TRUTH, palette, title=texts.TAKEOVER_TITLE)
    reference = _metrics(healthy) if healthy is not None and healthy != path else None
    return collapse.poison_takeover(_metrics(path), _facts(path), int(truth.is_poison.sum()), palette, reference)


def starvation(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 5, II."""
    path = runs[0]
    first = run_cache.reader(path).config.schedule.altruistic_epochs
    states = [run_cache.reader(path).read_epoch(row.epoch) for row in run_cache.rows(path) if row.epoch >= first]
    return collapse.class_starvation(states, _facts(path), palette)


def figure_6(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 6: poison in the clean pool at each epoch and summed over the epochs, for one poisoning rate."""
    path = runs[0]
    run = run_cache.reader(path)
    figure = poison_in_pool(_metrics(path), _facts(path), palette, truth_shown=truth_shown and run.truth_known)
    rate = rate_of(run.config)
    if rate is not None:
        title = figure.layout.title
        title.text = title.text.replace("</b>", f", {texts.rate_slot(rate)}</b>", 1)
    return figure


def figure_7a(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (a): the altruistic loss after the altruistic warm-up."""
    path = runs[0]
    state = run_cache.state(path, _epoch_at(path, -1))
    return altruistic_loss_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def figure_7b(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (b): the OSS distance after the OSS warm-up."""
    path = runs[0]
    state = run_cache.state(path, _epoch_at(path, run_cache.reader(path).config.schedule.t1))
    return oss_distance_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def figure_7c(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (c): the loss discrepancy at the newest epoch."""
    path = runs[0]
    state = run_cache.state(path, _last_epoch(path))
    return splits.loss_gap_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def figure_7d(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 7 (d): the main loss at the newest epoch."""
    path = runs[0]
    state = run_cache.state(path, _last_epoch(path))
    return splits.main_loss_histogram(state, _facts(path), _truth(path, truth_shown), palette)


def figure_8(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 8, from the epochs that recorded all three OSS distances."""
    path = runs[0]
    states = [run_cache.state(path, row.epoch) for row in run_cache.rows(path) if row.all_distances]
    return splits.oss_warmup_distances(states, _facts(path), _truth(path, truth_shown), palette)


def figure_9(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 9, one panel a run."""
    return vote_history.vote_history([_voted_run(path, truth_shown) for path in runs], palette)


def _voted_run(path: Path, truth_shown: bool) -> VotedRun:
    config = run_cache.reader(path).config
    name = config.attack.attack
    target_known = truth_shown and name != "none" and attacks.kind(name).has_target
    return VotedRun(
        title=texts.ATTACKS.get(name, plain(name)),
        records=run_cache.rows(path)[: config.schedule.altruistic_epochs],
        facts=_facts(path),
        target=config.attack.target_label if target_known else None,
    )


def figure_10(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 10, from the recorded results and from runs for true targets that these lack."""
    results, by_target = recorded_results(), {}
    for (label, _), cell in cells("figure10").items():
        for numbers in results.get(cell.key("bsd"), {}).values():
            by_target[int(label)] = Outcome(
                at=int(label),
                clean_accuracy=numbers["clean_accuracy"],
                attack_success_rate=numbers["attack_success_rate"],
                robust_accuracy=numbers.get("robust_accuracy"),
                forced=FORCED,
            )
    class_names: tuple[str, ...] = ()
    for path in runs:
        class_names = run_cache.reader(path).class_names
        by_target.setdefault(run_cache.reader(path).config.attack.target_label, _forced_run(path, truth_shown))
    if not by_target:
        return empty_figure(texts.NO_FORCED_TARGET, palette, title=texts.figure_title("10"))
    return outcomes.forced_target(list(by_target.values()), [plain(name) for name in class_names], palette)


def _forced_run(path: Path, truth_shown: bool) -> Outcome:
    """The outcome of a run with a forced target at its newest epoch."""
    config, numbers = run_cache.reader(path).config, run_cache.rows(path)[-1].metrics
    return Outcome(
        at=config.attack.target_label,
        clean_accuracy=numbers.get("clean_accuracy"),
        attack_success_rate=numbers.get("attack_success_rate") if truth_shown else None,
        forced=config.split.assume_target,
    )


def figure_11(runs: Sequence[Path], palette: Palette, truth_shown: bool) -> go.Figure:
    """Figure 11, at the last epoch up to T1."""
    path = runs[0]
    t1 = run_cache.reader(path).config.schedule.t1
    scored = [row for row in run_cache.rows(path) if 0 <= row.main_epoch <= t1]
    state = run_cache.state(path, scored[-1].epoch) if scored else None
    return splits.all_to_all_distances(state, _facts(path), _truth(path, truth_shown), palette)
