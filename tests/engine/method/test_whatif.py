"""Other settings on recorded scores: the same formulas as a run's, however they are reckoned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bsd_engine.config.method_settings import SplitConfig
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import DataError
from bsd_engine.method import preview
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.pool_map import pool_map
from bsd_engine.method.preview import Difference, Settings
from bsd_engine.method.ranking import descending_order
from bsd_engine.method.worth import worth as worth_of
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from tests.support.short_runs import short

GRID = tuple(round(0.05 * k, 2) for k in range(21))
CONFIG = BSDConfig()
COMBINES = get_args(get_type_hints(SplitConfig)["init_combine"])


def some_scores(n: int, seed: int = 0, *, ties: bool = True) -> tuple[np.ndarray, FirstScores, np.ndarray]:
    """Labels, scores with many equal ones, and a truth."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, n)
    values = [rng.integers(0, 9, n).astype(np.float32) if ties else rng.random(n, np.float32) for _ in range(2)]
    return labels, FirstScores(losses=values[0], oss=values[1], target=3), rng.random(n) < 0.1


@given(
    hnp.arrays(
        np.float32, st.integers(0, 40), elements=st.sampled_from([-2.5, -0.0, 0.0, 1e-30, 1.0, 7.5, np.float32("inf")])
    )
)
def test_the_fast_order_is_a_stable_descending_sort(scores: np.ndarray) -> None:
    expected = torch.argsort(torch.from_numpy(scores.copy()), descending=True, stable=True)
    np.testing.assert_array_equal(descending_order(scores), expected)


def slow_map(
    config: BSDConfig, labels: np.ndarray, scores: FirstScores, truth: np.ndarray, shares: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """The pool of each pair of shares by `first_pool`, and its counts."""
    out = {name: np.zeros((len(shares), len(shares)), int) for name in ("size", "poison", "clean", "smallest_class")}
    for i, alpha in enumerate(shares):
        for j, beta in enumerate(shares):
            pool = preview.first_pool(config, replace(Settings.of(config), alpha=alpha, beta=beta), labels, scores)
            out["size"][i, j], out["poison"][i, j], out["clean"][i, j] = (
                pool.sum(),
                (pool & truth).sum(),
                (pool & ~truth).sum(),
            )
            out["smallest_class"][i, j] = min((pool & (labels == c)).sum() for c in np.unique(labels))
    return out


@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("all_to_all", [False, True])
def test_the_map_counts_what_the_pools_hold(combine: str, all_to_all: bool) -> None:
    labels, scores, truth = some_scores(83)
    config = CONFIG.with_settings(
        init_combine=combine, all_to_all="shared" if all_to_all else "off", selective_drop=False
    )
    scores = replace(scores, target=None if all_to_all else 3)
    shares = (0.0, 0.05, 0.3, 0.55, 0.999, 1.0)
    fast = pool_map(config, labels, scores, truth, alphas=shares, betas=shares)
    for name, expected in slow_map(config, labels, scores, truth, shares).items():
        np.testing.assert_array_equal(getattr(fast, name), expected, err_msg=name)


def test_a_fixed_share_of_the_first_split_is_not_moved_by_alpha() -> None:
    labels, scores, truth = some_scores(60)
    config = CONFIG.with_settings(als_init_ratio=0.5)
    fast = pool_map(config, labels, scores, truth, alphas=(0.2, 0.9), betas=(0.3, 0.6))
    np.testing.assert_array_equal(
        fast.size, slow_map(config, labels, scores, truth, (0.2, 0.9))["size"] * 0 + fast.size[0]
    )


@pytest.mark.parametrize("case", ["one sample", "no target", "all target", "all equal"])
def test_the_map_of_degenerate_data(case: str) -> None:
    n = 1 if case == "one sample" else 30
    labels, scores, truth = some_scores(n)
    labels = {"no target": labels % 3, "all target": np.full(n, 3)}.get(case, labels)
    if case == "all equal":
        scores = replace(scores, losses=np.ones(n, np.float32), oss=np.ones(n, np.float32))
    shares = (0.0, 0.5, 1.0)
    fast = pool_map(CONFIG, labels, scores, truth, alphas=shares, betas=shares)
    np.testing.assert_array_equal(fast.size, slow_map(CONFIG, labels, scores, truth, shares)["size"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_larger_shares_never_lose_a_sample(seed: int) -> None:
    labels, scores, truth = some_scores(50, seed)
    size = pool_map(CONFIG, labels, scores, truth, alphas=GRID, betas=GRID).size
    assert (np.diff(size, axis=0) >= 0).all() and (np.diff(size, axis=1) >= 0).all() and size[-1, -1] == 50


def test_without_truth_there_is_no_poison_on_the_map() -> None:
    labels, scores, _ = some_scores(20)
    fast = pool_map(CONFIG, labels, scores, alphas=GRID, betas=GRID)
    assert fast.poison is None and fast.clean is None and fast.size.shape == (21, 21)


def test_a_difference_counts_both_ways() -> None:
    before, after = np.array([1, 1, 0, 0, 0], bool), np.array([0, 1, 1, 1, 0], bool)
    poison = np.array([1, 0, 0, 1, 1], bool)
    assert Difference.between(before, after, poison) == Difference(gained=2, lost=1, gained_poison=1, lost_poison=1)
    assert Difference.between(before, after).gained_poison is None


# --- a real run ---


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, small_images, one_thread: None) -> RunReader:
    path = tmp_path_factory.mktemp("run") / "run"
    record_run(short().with_settings(altruistic_epochs=2, t1=2, t2=4, t3=6), path, prepared=small_images)
    return RunReader(path)


def test_the_runs_own_settings_give_the_pools_it_had(reader: RunReader) -> None:
    config, own = reader.config, Settings.of(reader.config)
    first = [reader.epoch(f(config, own)) for f in (preview.loss_epoch, preview.distance_epoch)]
    scores = preview.first_scores(config, own, *first)
    checked = 0
    for state in (reader.epoch(e) for e in reader.epochs):
        if state.stage == "initial_pools":
            pool = preview.first_pool(config, own, reader.labels, scores)
        elif state.stage in ("class_completion", "selective_drop"):
            pool = preview.later_pool(config, own, reader.labels, state)
        else:
            continue
        np.testing.assert_array_equal(pool, state.clean_mask)
        checked += 1
    assert checked >= 3


def test_another_alpha_beta_or_t1_gives_the_pool_that_a_run_with_it_has(
    reader: RunReader, small_images, tmp_path: Path
) -> None:
    """The claim "exact": a run from the start, with the settings of the preview."""
    config = reader.config
    other = replace(Settings.of(config), alpha=0.9, beta=0.5, t1=config.schedule.t1 - 1)
    scores = preview.first_scores(
        config, other, *(reader.epoch(f(config, other)) for f in (preview.loss_epoch, preview.distance_epoch))
    )
    record_run(other.applied_to(config), tmp_path / "other", prepared=small_images)
    there = RunReader(tmp_path / "other")
    first = next(s for s in map(there.epoch, there.epochs) if s.stage == "initial_pools")
    np.testing.assert_array_equal(preview.first_pool(config, other, reader.labels, scores), first.clean_mask)
    assert worth_of(config, other, reader.epoch(first.epoch)).honesty == "exact"


def test_the_score_of_the_run_is_one_of_the_distances(reader: RunReader) -> None:
    state = reader.epoch(preview.distance_epoch(reader.config, Settings.of(reader.config)))
    np.testing.assert_array_equal(state.oss_distances[0], state.oss_score)
    assert (np.diff(state.oss_distances, axis=0) >= -1e-5).all()
    assert not (state.nearest_class == state.pseudo_target).any()


def test_a_distance_that_was_not_recorded_is_said_in_a_sentence(reader: RunReader) -> None:
    config, other = reader.config, replace(Settings.of(reader.config), distance="max")
    state = replace(reader.epoch(preview.distance_epoch(config, other)), oss_distances=None)
    with pytest.raises(DataError, match="has no max distance recorded"):
        preview.first_scores(config, other, state, state)
    with pytest.raises(DataError, match="no main loss"):
        preview.later_pool(config, other, reader.labels, reader.epoch(0))


def test_each_preview_says_what_it_is_worth_and_where_a_run_would_begin(reader: RunReader) -> None:
    config, own = reader.config, Settings.of(reader.config)
    schedule = config.schedule
    by_stage = {reader.epoch(e).stage: reader.epoch(e) for e in reader.epochs}
    first, later, warmup = by_stage["initial_pools"], by_stage["class_completion"], by_stage["altruistic_warmup"]

    def worth(state, target: int | None = None, **changes) -> tuple[str, int | None]:
        found = worth_of(config, replace(own, **changes), state, target_then=target)
        assert found.sentence.endswith(".")
        return found.honesty, found.branch_epoch

    end_of_f, end_of_g = schedule.altruistic_epochs + schedule.t1 - 1, schedule.altruistic_epochs - 1
    assert worth(first) == ("recorded", end_of_f)
    assert worth(first, alpha=0.9) == worth(warmup, alpha=0.9) == ("exact", end_of_f)
    assert worth(first, distance="max") == ("exact", end_of_f)
    assert worth(first, t1=own.t1 - 1) == ("exact", end_of_g)
    assert worth(first, t1=own.t1 + 1) == ("needs a run", end_of_g)
    assert worth(later, alpha=0.9) == ("one step", end_of_f)
    assert worth(later, t1=own.t1 - 1) == ("needs a run", end_of_g)
    fewer = own.altruistic_epochs - 1
    assert worth(first, first.pseudo_target, altruistic_epochs=fewer) == ("one step", None)
    assert worth(first, first.pseudo_target + 1, altruistic_epochs=fewer) == ("needs a run", None)
    assert worth(first, altruistic_epochs=own.altruistic_epochs + 1) == ("needs a run", None)
