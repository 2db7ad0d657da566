"""The trace of a decision: every count is that of its mask, every mask follows from the one before it."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
import torch

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import DataError
from bsd_engine.method import preview
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.pool_map import pool_map
from bsd_engine.method.pools import PoolEvidence, decide_pools
from bsd_engine.method.preview import Settings
from bsd_engine.method.rules import PoolRules

N, C, TARGET = 300, 5, 2
CONFIG = BSDConfig().with_settings(target_estimator="auto", t1=3, init_epochs=2, t2=9, t3=12)
SEVERAL = {"kind": "several"}


def evidence(seed: int = 0, target: int | None = TARGET, *, oss: bool = True) -> PoolEvidence[np.ndarray]:
    rng = np.random.default_rng(seed)
    losses = [rng.integers(0, 40, N).astype(np.float32) for _ in range(4)]
    return PoolEvidence(
        labels=rng.integers(0, C, N),
        target=target,
        altruistic_loss=losses[0],
        main_loss=losses[1],
        altruistic_prediction=rng.integers(0, C, N),
        main_prediction=rng.integers(0, C, N),
        warmup_loss=losses[2],
        oss_score=losses[3] if oss else None,
        previous_pool=rng.random(N) < 0.5,
    )


def as_torch(seen: PoolEvidence[np.ndarray]) -> PoolEvidence[torch.Tensor]:
    values = {f.name: getattr(seen, f.name) for f in fields(seen)}
    return PoolEvidence(**{k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in values.items()})


def by_class(mask: np.ndarray, labels: np.ndarray) -> list[int]:
    return np.bincount(labels[mask], minlength=C).tolist()


@pytest.mark.parametrize("suspects", ["one class", "every class", "no class"])
def test_counts_and_masks_of_the_first_split_agree(suspects: str) -> None:
    seen = evidence(target=TARGET if suspects == "one class" else None, oss=suspects != "no class")
    rules = PoolRules.of(CONFIG, SEVERAL if suspects == "every class" else None)
    trace = decide_pools(rules, 3, seen)
    split = trace.initial
    assert trace.rule == "initial_split" and split is not None and trace.later is None
    assert split.als_mask.sum() == split.als_count == 180 and trace.clean_ratio == 0.6
    judged = {"one class": [TARGET], "every class": list(range(C)), "no class": []}[suspects]
    assert list(split.oss_counts) == judged
    kept = by_class(split.oss_mask, seen.labels)
    sizes = by_class(np.ones(N, bool), seen.labels)
    assert kept == [split.oss_counts.get(c, sizes[c]) for c in range(C)]
    np.testing.assert_array_equal(trace.clean_mask, split.als_mask & split.oss_mask)
    np.testing.assert_array_equal(trace.unlabeled_mask, ~trace.clean_mask)


@pytest.mark.parametrize("completion", ["fewest", "balanced", "balanced_others", "off"])
@pytest.mark.parametrize("t", [5, 8, 9, 11])
def test_counts_and_masks_of_a_later_split_agree(completion: str, t: int) -> None:
    seen = evidence(1)
    trace = decide_pools(PoolRules.of(CONFIG.with_settings(completion=completion)), t, seen)
    split = trace.later
    assert trace.rule == "later_split" and split is not None and trace.initial is None
    assert split.top_mask.sum() == split.top_count and trace.clean_ratio == split.ratio
    kept = by_class(split.completed_mask, seen.labels)
    assert all(kept[c] >= quota for c, quota in split.quotas.items())
    if completion.startswith("balanced"):
        assert kept == [split.quotas.get(c, 0) for c in range(C)]
    both = (seen.main_prediction == TARGET) & (seen.altruistic_prediction == TARGET)
    assert split.drops == (t >= 9)
    np.testing.assert_array_equal(split.dropped_mask, split.completed_mask & both & split.drops)
    np.testing.assert_array_equal(trace.clean_mask, split.clean_mask)


@pytest.mark.parametrize(("t", "rule"), [(0, "oss_warmup"), (2, "oss_warmup"), (4, "kept")])
def test_epochs_without_a_split_say_which_rule_applied(t: int, rule: str) -> None:
    seen = evidence()
    trace = decide_pools(PoolRules.of(CONFIG), t, seen)
    assert trace.rule == rule and trace.initial is None and trace.later is None
    expected = seen.labels != TARGET if rule == "oss_warmup" else seen.previous_pool
    np.testing.assert_array_equal(trace.clean_mask, expected)


def test_several_targets_decide_as_an_all_to_all_attack_and_the_trace_says_so() -> None:
    chosen = PoolRules.of(CONFIG.with_settings(all_to_all="shared", selective_drop=False))
    found = PoolRules.of(CONFIG, SEVERAL)
    assert (
        found == replace(chosen, several_targets=True) and not PoolRules.of(CONFIG, {"kind": "target"}).several_targets
    )
    assert not PoolRules.of(CONFIG.with_settings(target_estimator="label_count"), SEVERAL).several_targets
    for t in (3, 7, 10):
        traces = [decide_pools(rules, t, evidence(target=None)) for rules in (chosen, found)]
        np.testing.assert_array_equal(traces[0].clean_mask, traces[1].clean_mask)
        assert traces[1].rules is found


@pytest.mark.parametrize("t", [0, 3, 4, 6, 10])
def test_tensors_and_arrays_give_the_same_trace(t: int) -> None:
    rules, seen = PoolRules.of(CONFIG), evidence(2)
    arrays, tensors = decide_pools(rules, t, seen), decide_pools(rules, t, as_torch(seen))
    np.testing.assert_array_equal(arrays.clean_mask, tensors.clean_mask.numpy())
    np.testing.assert_array_equal(arrays.unlabeled_mask, tensors.unlabeled_mask.numpy())


@pytest.mark.parametrize(
    ("t", "lacking", "name"),
    [
        (3, "oss_score", "OSS score"),
        (3, "altruistic_loss", "altruistic loss"),
        (4, "previous_pool", "pool of the epoch"),
    ],
)
def test_missing_evidence_is_named(t: int, lacking: str, name: str) -> None:
    with pytest.raises(DataError, match=f"No {name}.* is known at this epoch"):
        decide_pools(PoolRules.of(CONFIG), t, replace(evidence(), **{lacking: None}))


@pytest.mark.parametrize("combine", ["intersection", "union", "als_only", "oss_only", "random"])
def test_the_map_counts_the_pools_where_no_class_is_suspected(combine: str) -> None:
    config = CONFIG.with_settings(init_combine=combine)
    seen, shares = evidence(), (0.0, 0.3, 1.0)
    scores = FirstScores(losses=seen.altruistic_loss, oss=None, target=None)
    size = pool_map(config, seen.labels, scores, alphas=shares, betas=shares).size
    for (i, alpha), (j, beta) in product(enumerate(shares), repeat=2):
        settings = replace(Settings.of(config), alpha=alpha, beta=beta)
        assert size[i, j] == preview.first_pool(config, settings, seen.labels, scores).sum()
