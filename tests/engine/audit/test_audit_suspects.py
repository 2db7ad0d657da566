"""The ranking, its flags and margins, the gap between its groups, and the alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.findings.gap import find_gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run


def area(scores: np.ndarray, is_poison: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half."""
    bad, good = scores[is_poison], scores[~is_poison]
    return float(((bad[:, None] > good).mean() + (bad[:, None] >= good).mean()) / 2)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    """A run whose arrays look like a defence that works; 1 poisoned sample of 10 is missed by both views."""
    return RunReader(fake_run(tmp_path_factory.mktemp("runs"), config=CONFIG.with_settings(selective_drop=False)))


@pytest.fixture(scope="module")
def plausible(made_up: RunReader) -> RunHistory:
    return RunHistory.of(made_up)


def test_poison_that_a_defence_tells_apart_ranks_first(made_up: RunReader, plausible: RunHistory) -> None:
    found, is_poison = suspects(plausible), made_up.truth.is_poison
    n = int(is_poison.sum())
    assert is_poison[found.order[: int(0.85 * n)]].all()
    assert sorted(found.rank) == list(range(1, 1201)) and (np.diff(found.score[found.order]) <= 0).all()


def test_before_the_first_split_there_is_a_ranking_without_flags(plausible: RunHistory) -> None:
    for epochs in (3, 10):
        early = replace(
            plausible,
            **{name: getattr(plausible, name)[:epochs] for name in ("altruistic_loss", "altruistic_prediction")},
            **{
                name: getattr(plausible, name)[: max(0, epochs - 8)]
                for name in ("main_loss", "main_prediction", "in_pool")
            },
            _derived={},
        )
        found = suspects(early)
        assert not early.decided and found.epochs_decided == 0 and np.isnan(found.margin).all()
        assert not (found.als_flag | found.oss_flag | found.discrepancy_flag | found.drop_flag).any()
        assert np.isfinite(found.score).all()


def test_flags_margin_and_pool_epochs_are_those_of_the_record(history: RunHistory) -> None:
    found = suspects(history)
    pools = history.in_pool[2:]
    np.testing.assert_array_equal(found.epochs_in_pool, pools.sum(0))
    assert found.epochs_decided == len(pools) == 6
    np.testing.assert_array_equal(found.in_pool, pools[-1])
    np.testing.assert_array_equal(found.in_pool, ~found.discrepancy_flag & ~found.drop_flag)
    np.testing.assert_array_equal(found.margin > 0, found.discrepancy_flag)
    np.testing.assert_array_equal(~found.als_flag & ~found.oss_flag, history.pool(4))


def test_two_groups_have_a_gap_and_one_has_none() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0.5, 0.15, 600)
    two = np.concatenate([one, rng.normal(1.2, 0.06, 80)])
    gap = find_gap(two)
    assert gap is not None and 0.8 < gap.threshold < 1.1 and abs(gap.above - 80) <= 5 and gap.depth > 0.8
    assert find_gap(one) is None and find_gap(one + 0.4) is None
    assert find_gap(np.concatenate([one, one + 3])) is not None and find_gap(np.concatenate([one - 3, one])) is None, (
        "an upper group lies high"
    )
    assert find_gap(np.full(100, np.nan)) is None and find_gap(np.ones(100)) is None and find_gap(np.zeros(0)) is None


def test_poison_that_outnumbers_its_class_has_a_gap_too() -> None:
    rng = np.random.default_rng(1)
    assert find_gap(np.concatenate([rng.normal(0.5, 0.15, 250), rng.normal(1.2, 0.06, 400)])).above >= 390


def kinds(history: RunHistory, is_poison: np.ndarray | None = None) -> dict:
    return {alarm.kind: alarm for alarm in alarms(history, suspects(history), is_poison)}


def test_a_collapse_is_counted_where_the_truth_is_known_and_guessed_where_not(
    made_up: RunReader, plausible: RunHistory
) -> None:
    is_poison = made_up.truth.is_poison
    calm = kinds(plausible, is_poison)["collapse"]
    assert calm.level == "calm" and not calm.is_proxy
    flooded = replace(plausible, in_pool=np.ones_like(plausible.in_pool), _derived={})
    told = kinds(flooded, is_poison)["collapse"]
    assert (
        told.level == "alarm"
        and f"{is_poison.sum()} of {is_poison.sum()} poisoned samples are in the clean pool" in told.sentence
    )
    guessed = kinds(flooded)["collapse"]
    assert (
        guessed.level == "alarm"
        and guessed.is_proxy
        and "holds 100% of all samples" in guessed.sentence
        and "poisoned" not in guessed.sentence
    )


def test_a_class_that_the_pool_lacks_is_named_but_not_the_one_that_was_dropped(history: RunHistory) -> None:
    assert kinds(history)["starvation"].level == "calm"
    pools = history.in_pool.copy()
    pools[-1, history.labels == 5] = False
    starved = kinds(replace(history, in_pool=pools, _derived={}))["starvation"]
    assert starved.level == "alarm" and "sandal" in starved.sentence and starved.evidence["starved"] == 1
    pools = history.in_pool.copy()
    pools[-1, history.labels == history.pseudo_target] = False
    assert kinds(replace(history, in_pool=pools, _derived={}))["starvation"].level == "calm"


def test_the_verdict_is_the_first_alarm(history: RunHistory) -> None:
    base = {"classes": [3], "z": 12.0, "needed": 6.0, "why": "evidence 12.0", "clue": "mark"}
    p = np.where(history.labels == 3, 0.9, 0).astype(np.float32)
    found = replace(history, verdict={**base, "kind": "target"}, poison_probability=p, _derived={})
    first = alarms(found, suspects(found))[0]
    assert (first.kind, first.level) == ("attack", "alarm") and first.title.startswith("Attack found: the target is ")
    assert f" {int((p > 0).sum()):,} samples stand apart." in first.sentence
    for kind, level in (("uncertain", "notice"), ("no_attack", "calm")):
        other = replace(history, verdict={**base, "kind": kind}, poison_probability=None, _derived={})
        attack = kinds(other)["attack"]
        assert attack.level == level and "stand apart" not in attack.sentence and attack.evidence["apart"] == 0
    assert kinds(replace(history, verdict=None, _derived={}))["attack"].level == "notice"
