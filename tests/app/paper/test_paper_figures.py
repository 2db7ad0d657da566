"""The paper's figures from a recorded run: they show the record, and ground truth only when it is switched on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.figures.facts import Facts
from app.paper import collapse, drawings, outcomes, splits, vote_history
from app.paper.figures import CHARTS, FIGURES
from app.paper.outcomes import Outcome
from app.paper.slots import is_forced, is_plain, rate_of
from app.paper.vote_history import VotedRun
from app.server import run_cache
from app.style.theme import DARK, LIGHT
from bsd_engine.config.settings import BSDConfig
from bsd_engine.runs.reader import RunReader
from tests.support.audit_runs import recorded as record

NOT_FROM_RUNS = ("figure3",)


@pytest.fixture(scope="module")
def facts(recorded_run: Path) -> Facts:
    """The facts of the recorded run."""
    return Facts.of(RunReader(recorded_run))


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", list(CHARTS))
def test_every_chart_is_drawn_from_a_run_and_has_a_summary(recorded_run: Path, name: str, palette: object) -> None:
    runs = [] if name in NOT_FROM_RUNS else [recorded_run]
    figure = CHARTS[name].draw(runs, palette, True)
    assert len(figure.layout.meta["summary"]) > 10 and figure.layout.template.layout.font.color == palette.text


@pytest.mark.parametrize("name", [name for name in CHARTS if name not in (*NOT_FROM_RUNS, "figure10")])
def test_without_the_truth_no_chart_mentions_poison(recorded_run: Path, name: str) -> None:
    figure = CHARTS[name].draw([recorded_run], LIGHT, False)
    text = figure.to_json().replace("template", "")
    colours = {
        trace.marker.color if trace.type == "bar" else trace.line.color
        for trace in figure.data
        if trace.type in ("bar", "scatter")
    }
    assert LIGHT.poison not in colours and all("poison" not in (trace.name or "") for trace in figure.data)
    assert '"name":"poison"' not in text


def test_eight_figures_are_redrawn_and_documented() -> None:
    assert list(FIGURES) == ["3", "5", "6", "7", "8", "9", "10", "11"]
    documented = " ".join(
        str(f.__doc__)
        for f in (
            outcomes.rate_curves,
            collapse.poison_takeover,
            collapse.class_starvation,
            drawings.figure_6,
            splits.loss_gap_histogram,
            splits.oss_warmup_distances,
            vote_history.vote_history,
            outcomes.forced_target,
            splits.all_to_all_distances,
        )
    )
    assert all(f"Figure {number}" in documented for number in FIGURES)


def test_figure_5_counts_the_recorded_poison(recorded_run: Path, facts: Facts) -> None:
    metrics = {row.epoch: row.metrics for row in run_cache.rows(recorded_run)}
    total = int(RunReader(recorded_run).truth.is_poison.sum())
    figure = collapse.poison_takeover(metrics, facts, total, LIGHT)
    line = figure.data[0]
    last = metrics[max(metrics)]["poison_in_clean_pool"]
    assert line.y[-1] == pytest.approx(100 * last / total) and line.x[-1] == max(metrics) + 1


def test_figure_5_shows_the_class_with_the_smallest_share(recorded_run: Path, facts: Facts) -> None:
    states = [RunReader(recorded_run).read_epoch(row.epoch) for row in run_cache.rows(recorded_run)]
    figure = collapse.class_starvation(states, facts, LIGHT)
    shares = np.array(
        [np.bincount(facts.labels[states[-1].clean_mask], minlength=10) / np.bincount(facts.labels, minlength=10)]
    )
    dark = next(trace for trace in figure.data if trace.showlegend and "in the pool" in trace.name)
    assert dark.y[-1] == pytest.approx(100 * shares.min(), abs=1e-3)


def test_figure_7_histograms_count_every_sample(recorded_run: Path, facts: Facts) -> None:
    state = RunReader(recorded_run).read_epoch(run_cache.rows(recorded_run)[-1].epoch)
    for make in (splits.loss_gap_histogram, splits.main_loss_histogram):
        every = next(trace for trace in make(state, facts, None, LIGHT).data if trace.name == "all")
        assert sum(every.y[:-1]) == len(state.main_loss)


def test_figure_8_has_a_row_for_each_distance_and_says_if_they_were_not_recorded(
    recorded_run: Path, facts: Facts
) -> None:
    states = [
        RunReader(recorded_run).read_epoch(row.epoch) for row in run_cache.rows(recorded_run) if row.all_distances
    ]
    figure = splits.oss_warmup_distances(states, facts, RunReader(recorded_run).truth, LIGHT)
    assert len(figure.data) == 2 * 3 * min(4, len(states)) > 0
    assert "no record" in splits.oss_warmup_distances([], facts, None, LIGHT).layout.meta["summary"]


def test_figure_9_ends_on_the_majority_of_the_votes(recorded_run: Path, facts: Facts) -> None:
    records = run_cache.rows(recorded_run)[: RunReader(recorded_run).config.schedule.altruistic_epochs]
    figure = vote_history.vote_history([VotedRun(title="BadNets", records=records, facts=facts, target=3)], LIGHT)
    epoch_votes = [int(record.vote_counts.argmax()) for record in records]
    marks = next(trace for trace in figure.data if trace.name == "this epoch")
    assert list(marks.y) == epoch_votes
    majority = next(trace for trace in figure.data if trace.name == "majority so far")
    assert majority.y[0] == epoch_votes[0] and set(majority.y) <= set(epoch_votes)


def test_figure_10_has_robust_accuracy_only_where_it_was_measured() -> None:
    outcomes_of_runs = [
        Outcome(at=5, clean_accuracy=80.0, attack_success_rate=90.0, robust_accuracy=8.0, forced=3),
        Outcome(at=1, clean_accuracy=84.0, attack_success_rate=2.0, forced=3),
    ]
    figure = outcomes.forced_target(outcomes_of_runs, [], LIGHT)
    bars = {trace.name.split(" (")[0]: trace for trace in figure.data}
    assert (
        list(bars["clean accuracy"].x) == ["class 1<br>forced: class 3", "class 5<br>forced: class 3"]
        and len(bars["robust accuracy"].x) == 1
    )


def test_figure_3_distinguishes_the_papers_numbers_from_ours() -> None:
    ours = {
        "BadNets": [
            Outcome(at=0.2, clean_accuracy=80.0, attack_success_rate=3.0),
            Outcome(at=0.01, clean_accuracy=85.0, attack_success_rate=1.0),
        ]
    }
    figure = outcomes.rate_curves(
        ours, {"BadNets": Outcome(at=0.05, clean_accuracy=95.1, attack_success_rate=0.9)}, LIGHT
    )
    line, paper = figure.data[0], figure.data[1]
    assert list(line.x) == [0.01, 0.2] and list(line.y) == [85.0, 80.0]
    assert paper.marker.symbol == "diamond-open" and list(paper.y) == [95.1]


def test_figure_11_takes_each_class_as_the_target(tmp_path: Path) -> None:
    run = record(tmp_path / "all", attack="badnets_all2all", all_to_all="shared", selective_drop=False)
    figure = CHARTS["figure11"].draw([run], LIGHT, True)
    state = RunReader(run).read_epoch(run_cache.rows(run)[0].epoch + RunReader(run).config.schedule.altruistic_epochs)
    assert state.oss_score is not None and len(figure.data) == 20
    labels = RunReader(run).labels
    assert sum(figure.data[0].y[:-1]) + sum(figure.data[1].y[:-1]) == (labels == 0).sum()


def test_runs_are_chosen_by_their_settings() -> None:
    config = BSDConfig(preset="demo")
    forced = config.with_settings(target_estimator="given", assume_target=5)
    assert rate_of(config) == 0.05 and rate_of(config.with_settings(attack="none")) is None
    assert is_plain(config) and not is_plain(forced) and is_forced(forced)
    assert not is_forced(config.with_settings(target_estimator="given", assume_target=3))
