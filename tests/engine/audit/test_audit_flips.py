"""What is said to flip a sample does flip it, and nothing smaller does."""

from __future__ import annotations

import numpy as np
import pytest

from bsd_engine.audit.explain.crossings import kept_at
from bsd_engine.audit.explain.flips import BORDERLINE, what_would_flip
from bsd_engine.audit.explain.traces import evidence, trace
from bsd_engine.audit.history import RunHistory
from bsd_engine.method.pools import later_split
from tests.engine.audit.test_audit_reasons import changed

SAMPLES = range(0, 1000, 17)


def inside(history: RunHistory, epoch: int, sample: int, given: dict) -> bool:
    """Membership of a sample under other settings."""
    return bool(pool(history, epoch, given)[sample])


def pool(history: RunHistory, epoch: int, given: dict) -> np.ndarray:
    """The pool under other settings, without the check that alpha is at least beta."""
    return trace(history, epoch, history.rules.with_settings(**given)).clean_mask


@pytest.mark.parametrize("combine", ["intersection", "union", "als_only", "oss_only"])
def test_at_the_first_split_the_change_flips_and_a_smaller_one_does_not(history: RunHistory, combine: str) -> None:
    run = changed(history, init_combine=combine)
    numbers = 0
    for sample in SAMPLES:
        found = what_would_flip(run, sample, 4)
        assert found.certainty == "exact" and found.in_pool == bool(run.pool(4)[sample])
        for flip in found.flips:
            if flip.kind == "epoch":
                continue
            assert inside(run, 4, sample, dict(flip.settings)) != found.in_pool, flip
            for name, new in flip.settings if flip.kind in ("alpha", "beta") else ():
                old, numbers = getattr(run.config.split, name), numbers + 1
                smaller = new + 1e-5 / (
                    1000 if name == "alpha" else int((run.labels == run.labels[sample]).sum())
                ) * np.sign(old - new)
                assert inside(run, 4, sample, {name: smaller}) == found.in_pool, flip
    assert numbers > 5


@pytest.mark.parametrize("completion", ["balanced", "fewest", "off"])
@pytest.mark.parametrize("epoch", [7, 9])
def test_later_the_change_flips_this_epochs_split(history: RunHistory, completion: str, epoch: int) -> None:
    run = changed(history, completion=completion)
    kinds = set()
    for sample in SAMPLES:
        found = what_would_flip(run, sample, epoch)
        assert found.certainty == "one step"
        for flip in found.flips:
            kinds.add(flip.kind)
            if flip.kind != "epoch":
                assert inside(run, epoch, sample, dict(flip.settings)) != found.in_pool, flip
    assert {"alpha", "rule", "epoch"} <= kinds


@pytest.mark.parametrize("completion", ["balanced", "balanced_others", "fewest", "off"])
@pytest.mark.parametrize("count_by", ["pool_label", "pool_pred", "all_pred"])
def test_the_short_way_for_one_sample_is_the_split_of_all(history: RunHistory, completion: str, count_by: str) -> None:
    run = changed(history, completion=completion, count_by=count_by, selective_drop=False)
    for ratio in (0.0, 0.111, 0.5, 0.7, 1.0):
        whole = later_split(run.rules, 8 - run.first_main, evidence(run, 8), ratio).clean_mask
        assert [kept_at(run, s, 8, ratio) for s in SAMPLES] == whole[list(SAMPLES)].tolist()


def test_without_class_completion_the_alpha_found_is_the_smallest_change(history: RunHistory) -> None:
    run = changed(history, completion="off", selective_drop=False)
    for sample in SAMPLES:
        found = what_would_flip(run, sample, 9)
        for flip in found.flips:
            if flip.kind == "alpha":
                ((_, new),) = flip.settings
                closer = new + 1.5e-3 * np.sign(0.7 - new)
                assert abs(new - 0.7) < 1.6e-3 or inside(run, 9, sample, {"alpha": closer}) == found.in_pool


def test_the_epoch_named_is_the_next_one_on_the_other_side(history: RunHistory) -> None:
    for sample in SAMPLES:
        found = what_would_flip(history, sample, 5)
        named = [f.change for f in found.flips if f.kind == "epoch"]
        later = [e for e in range(6, history.num_epochs) if history.pool(e)[sample] != history.pool(5)[sample]]
        assert bool(named) >= bool(later) and (not later or named[0].startswith(f"epoch {later[0] + 1},"))


def test_a_close_call_is_borderline_and_a_clear_one_is_not(history: RunHistory) -> None:
    changed_by_little = [
        pool(history, 4, {name: value + step}) != history.pool(4)
        for name, value in (("alpha", 0.7), ("beta", 0.2))
        for step in (-BORDERLINE, BORDERLINE)
    ]
    flipped_by_little = np.any(changed_by_little, axis=0)
    close = np.flatnonzero(flipped_by_little)
    for sample in {*close.tolist(), *range(0, 1000, 29)}:
        found = what_would_flip(history, sample, 4)
        assert found.borderline == flipped_by_little[sample], (sample, found)
    assert 20 <= len(close) <= 60  # 40 ranks of ALS, and a few of OSS, some of which do not count alone


def test_before_the_first_split_nothing_flips(history: RunHistory) -> None:
    assert what_would_flip(history, 0, 1) is None and what_would_flip(history, 0, 2) is None
