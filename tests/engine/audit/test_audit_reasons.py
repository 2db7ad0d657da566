"""The facts of a reason are those of the record, and its sentence says them and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.explain.traces import trace
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.number_format import measure
from bsd_engine.errors import RunFolderError
from bsd_engine.runs.reader import RunReader

SETTINGS = [
    {},
    {"init_combine": "union"},
    {"init_combine": "als_only"},
    {"init_combine": "oss_only"},
    {"init_combine": "random"},
    {"als_snapshot": "after_warmup"},
    {"als_init_ratio": 0.3},
    {"completion": "fewest"},
    {"completion": "off"},
    {"completion": "balanced_others"},
    {"selective_drop": False},
    {"alpha_start": 0.5},
]


def place(values: np.ndarray, sample: int) -> int:
    """Rank from 1 for the largest, among equals the lower index first, the slow way."""
    return 1 + int(
        (values > values[sample]).sum() + ((values == values[sample]) & (np.arange(len(values)) < sample)).sum()
    )


def changed(history: RunHistory, **settings: object) -> RunHistory:
    """The history that the same models would have left under other settings of the split."""
    config = history.config.with_settings(**settings)
    other = replace(history, config=config, _derived={})
    return replace(
        other,
        in_pool=np.stack([trace(other, e).clean_mask for e in range(history.first_main, history.num_epochs)]),
        _derived={},
    )


def test_every_pool_of_a_run_is_decided_again_alike(history: RunHistory) -> None:
    for epoch in range(history.first_main, history.num_epochs):
        np.testing.assert_array_equal(trace(history, epoch).clean_mask, history.pool(epoch))


def test_the_facts_of_all_1000_samples_are_those_of_the_record(history: RunHistory, recorded_run) -> None:
    """At an epoch of each stage, from the arrays of the run folder, without the functions of the audit."""
    assert history.num_samples == 1000
    run = RunReader(recorded_run)
    alpha, target = run.config.split.alpha, history.pseudo_target
    for epoch in (3, 4, 5, 6, 7, 8, 9):
        state = run.epoch(epoch)
        for sample in range(1000):
            r = reason(history, sample, epoch)
            assert r.in_pool == bool(state.clean_mask[sample]) and r.is_target == (run.labels[sample] == target)
            assert (
                r.sentence.startswith(("In the clean pool", "Dropped", "Kept out"))
                and r.sentence.startswith("In the clean pool") == r.in_pool
            )
            if r.stage == "initial_pools":
                _check_initial(r, run.epoch(4), run.labels, sample, alpha, target)
            elif r.stage != "oss_warmup":
                _check_later(r, state, run.labels, sample, target)


def _check_initial(r, at_t1, labels, sample, alpha, target) -> None:
    losses = at_t1.altruistic_loss
    assert (r.als.value, r.als.rank, r.als.of, r.als.cut_rank) == (
        losses[sample],
        place(losses, sample),
        1000,
        int(alpha * 1000 + 1e-9),
    )
    assert (
        f"altruistic loss {measure(losses[sample])} is rank {r.als.rank:,} of 1,000, the cut is rank {r.als.cut_rank:,}"
        in r.sentence
    )
    assert (r.oss is not None) == (labels[sample] == target)
    assert ("learned too easily" in r.sentence) == (r.als.rank > r.als.cut_rank)
    if r.oss is not None:
        own = np.flatnonzero(labels == target)
        scores = at_t1.oss_score[own]
        rank = place(scores, int(np.flatnonzero(own == sample)[0]))
        cut = int(0.2 * len(own) + 1e-9)
        assert (r.oss.value, r.oss.rank, r.oss.cut_rank) == (at_t1.oss_score[sample], rank, cut)
        assert r.oss.cut_value == np.sort(scores)[::-1][cut - 1]
        assert f"Distance {measure(r.oss.value)}" in r.sentence and f"nearest class {r.nearest}" in r.sentence
        assert ("below the cut" in r.sentence) == (rank > cut)
        assert r.in_pool == (r.als.kept and r.oss.kept)
    else:
        assert r.in_pool == r.als.kept


def _check_later(r, state, labels, sample, target) -> None:
    gap = state.altruistic_loss - state.main_loss
    own = np.flatnonzero(labels == labels[sample])
    assert (r.overall.value, r.overall.rank) == (gap[sample], place(gap, sample))
    assert r.overall.cut_rank == int(state.clean_ratio * 1000 + 1e-9)
    assert (r.in_class.rank, r.in_class.of) == (place(gap[own], int(np.flatnonzero(own == sample)[0])), len(own))
    assert r.in_class.cut_rank == int(state.clean_ratio * len(own) + 1e-9)  # balanced completion: each class its share
    assert f"is {measure(gap[sample])}, rank {r.overall.rank:,} of 1,000" in r.sentence
    called = bool(state.main_prediction[sample] == target and state.altruistic_prediction[sample] == target)
    assert r.dropped == (state.stage == "selective_drop" and called and r.in_class.kept)
    assert r.in_pool == (r.in_class.kept and not r.dropped)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_facts_and_membership_agree_under_every_rule(history: RunHistory, settings: dict) -> None:
    other = changed(history, **settings)
    for epoch in range(2, other.num_epochs):
        for sample in range(0, 1000, 23):
            r = reason(other, sample, epoch)
            assert r.in_pool == bool(other.pool(epoch)[sample])
            if r.stage == "initial_pools" and r.combine != "random":
                by_als, by_oss = r.als.kept, r.oss is None or r.oss.kept
                assert (
                    r.in_pool
                    == {
                        "intersection": by_als and by_oss,
                        "union": by_als or by_oss,
                        "als_only": by_als,
                        "oss_only": by_oss,
                    }[r.combine]
                )
            elif r.overall is not None:
                assert r.in_pool == (r.in_class.kept and not r.dropped)
                assert r.completed == (r.in_class.kept and not r.overall.kept) and r.capped == (
                    r.overall.kept and not r.in_class.kept
                )


def test_a_sentence_has_no_number_that_is_no_fact(history: RunHistory) -> None:
    for epoch in range(history.num_epochs):
        for sample in range(0, 1000, 41):
            r = reason(history, sample, epoch)
            facts = [f for f in (r.als, r.oss, r.overall, r.in_class) if f is not None]
            known = {measure(v) for f in facts for v in (f.value, f.cut_value)} | {
                f"{v:,}" for f in facts for v in (f.rank, f.of, f.cut_rank)
            }
            known |= {str(epoch + 1)} | {measure(v) for v in (r.altruistic_loss, r.main_loss) if v is not None}
            known |= {str(r.decided_at + 1)} if r.decided_at is not None else set()
            said = set(re.findall(r"−?\d[\d,.]*\d|\d", r.sentence.replace("T-shirt", "")))
            assert said <= known, r.sentence


def test_before_the_first_split_a_sentence_says_so(history: RunHistory) -> None:
    assert reason(history, 0, 0).sentence.startswith("Not decided yet at epoch 1: altruistic loss")
    target = int(np.flatnonzero(history.labels == history.pseudo_target)[0])
    assert "is the suspected class, which the warm-up learns without labels" in reason(history, target, 2).sentence


@pytest.mark.parametrize(("sample", "epoch"), [(-1, 0), (1000, 0), (0, -1), (0, 10)])
def test_a_sample_or_epoch_that_is_not_there_is_named(history: RunHistory, sample: int, epoch: int) -> None:
    with pytest.raises(RunFolderError, match="there is no sample|There is no sample|is not recorded"):
        reason(history, sample, epoch)


def test_a_history_of_an_empty_run_is_refused(tmp_path) -> None:
    from tests.support.fake_run import FakeRun

    FakeRun(samples=50).create(tmp_path / "run").close()
    with pytest.raises(RunFolderError, match="no finished epoch yet"):
        RunHistory.of(RunReader(tmp_path / "run"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.9, "3.90"),
        (0.00004, "0.000040"),
        (-0.5, "−0.50"),
        (-9.1, "−9.10"),
        (0.0, "0.00"),
        (123.4, "123"),
        (0.5312, "0.53"),
        (4.4, "4.40"),
        (12.345, "12.35"),
        (0, "0.00"),
        (1200, "1200"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
    ],
)
def test_measures_are_written_without_powers_of_ten(value: float, text: str) -> None:
    assert measure(value) == text
