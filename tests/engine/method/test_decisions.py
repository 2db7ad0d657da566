"""Which rule fires at which epoch T, and what each setting changes in it, on planted scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from bsd_engine import splits
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError, TrainingError
from bsd_engine.method.decisions import Evidence, decide
from bsd_engine.method.scoring import Scores

N, C, TARGET = 400, 4, 2
PAPER = BSDConfig()


def scores(seed: int) -> Scores:
    """Random scores of a model."""
    generator = torch.Generator().manual_seed(seed)
    return Scores(
        logits=torch.randn(N, C, generator=generator),
        features=torch.rand(N, 6, generator=generator),
        loss=torch.rand(N, generator=generator),
    )


@pytest.fixture
def seen() -> Evidence:
    generator = torch.Generator().manual_seed(9)
    return Evidence(
        labels=torch.randint(0, C, (N,), generator=generator),
        pseudo_target=TARGET,
        main=scores(1),
        altruistic=scores(2),
        warmup_loss=torch.rand(N, generator=generator),
        clean_mask=torch.rand(N, generator=generator) < 0.3,
    )


def als(losses: torch.Tensor, share: float) -> torch.Tensor:
    return splits.als_clean_mask(losses, share)


def oss(seen: Evidence, beta: float = 0.2) -> torch.Tensor:
    return splits.oss_clean_mask(splits.oss_scores(seen.main.features, seen.labels, TARGET), seen.labels, TARGET, beta)


@pytest.mark.parametrize(
    ("t", "rule"),
    [
        (0, "warmup"),
        (19, "warmup"),
        (20, "initial"),
        (21, "kept"),
        (29, "kept"),
        (30, "completion"),
        (89, "completion"),
        (90, "drop"),
        (119, "drop"),
    ],
)
def test_the_papers_timeline(seen: Evidence, t: int, rule: str) -> None:
    decision = decide(PAPER, t, seen)
    ratio = splits.clean_ratio(t, alpha=0.6, beta=0.2, t1=20, init_epochs=10, t2=90)
    completed = splits.discrepancy_clean_mask(
        splits.loss_discrepancy(seen.altruistic.loss, seen.main.loss), seen.labels, ratio
    )
    expected = {
        "warmup": seen.labels != TARGET,
        "initial": als(seen.altruistic.loss, 0.6) & oss(seen),
        "kept": seen.clean_mask,
        "completion": completed,
        "drop": splits.selective_drop(completed, seen.main.prediction, seen.altruistic.prediction, TARGET),
    }[rule]
    assert torch.equal(decision.clean_mask, expected)
    assert torch.equal(decision.unlabeled_mask, ~expected)
    assert (decision.oss_score is not None) == (t <= 20)
    assert decision.clean_ratio == {"warmup": None, "initial": 0.6, "kept": 0.6}.get(rule, ratio)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"init_combine": "union"}, lambda s: als(s.altruistic.loss, 0.6) | oss(s)),
        ({"init_combine": "als_only"}, lambda s: als(s.altruistic.loss, 0.6)),
        ({"init_combine": "oss_only"}, oss),
        ({"als_init_ratio": 0.2}, lambda s: als(s.altruistic.loss, 0.2) & oss(s)),
        ({"als_snapshot": "after_warmup"}, lambda s: als(s.warmup_loss, 0.6) & oss(s)),
        ({"alpha": 0.9, "beta": 0.5}, lambda s: als(s.altruistic.loss, 0.9) & oss(s, 0.5)),
    ],
)
def test_variants_of_the_initial_pools(seen: Evidence, settings: dict[str, Any], expected: Any) -> None:
    assert torch.equal(decide(PAPER.with_settings(**settings), 20, seen).clean_mask, expected(seen))


def test_random_initial_pools_are_as_large_as_the_intersection_and_follow_the_seed(seen: Evidence) -> None:
    config = PAPER.with_settings(init_combine="random")
    mask = decide(config, 20, seen).clean_mask
    assert mask.sum() == decide(PAPER, 20, seen).clean_mask.sum()
    assert torch.equal(mask, decide(config, 20, seen).clean_mask)
    assert not torch.equal(mask, decide(config.with_settings(seed=1), 20, seen).clean_mask)


@pytest.mark.parametrize(
    ("choice", "unlabeled"),
    [("target", lambda y: y == TARGET), ("nontarget", lambda y: y != TARGET), ("none", lambda y: y < 0)],
)
def test_unlabelled_samples_of_the_warmup(seen: Evidence, choice: str, unlabeled: Any) -> None:
    decision = decide(PAPER.with_settings(oss_warmup_unlabeled=choice), 3, seen)
    assert torch.equal(decision.clean_mask, seen.labels != TARGET)
    assert torch.equal(decision.unlabeled_mask, unlabeled(seen.labels))


@pytest.mark.parametrize("distance", ["min", "mean", "max"])
@pytest.mark.parametrize("norm", ["none", "l2", "zscore"])
def test_distance_and_normalisation_of_oss(seen: Evidence, distance: str, norm: str) -> None:
    decision = decide(PAPER.with_settings(oss_distance=distance, feature_norm=norm), 5, seen)
    features = splits.normalized_features(seen.main.features, norm)
    torch.testing.assert_close(
        decision.oss_score, splits.oss_scores(features, seen.labels, TARGET, distance), rtol=0, atol=0
    )


def test_the_alpha_schedule_can_start_elsewhere_than_beta(seen: Evidence) -> None:
    config = PAPER.with_settings(alpha_start=0.4, completion="off")
    assert decide(config, 30, seen).clean_mask.sum() == 160
    assert decide(config, 90, replace(seen, pseudo_target=None)).clean_mask.sum() == 240


def test_samples_are_dropped_from_the_set_epoch_on(seen: Evidence) -> None:
    both = (seen.main.prediction == TARGET) & (seen.altruistic.prediction == TARGET)
    for t, dropped in ((49, False), (50, True), (100, True)):
        mask = decide(PAPER.with_settings(drop_start=50), t, seen).clean_mask
        assert bool((mask & both).any()) is not dropped
    assert (decide(PAPER.with_settings(selective_drop=False), 100, seen).clean_mask & both).any()


@pytest.mark.parametrize("count_by", ["pool_label", "pool_pred", "all_pred"])
def test_what_makes_a_class_the_fewest(seen: Evidence, count_by: str) -> None:
    mask = decide(PAPER.with_settings(count_by=count_by), 60, seen).clean_mask
    discrepancy = splits.loss_discrepancy(seen.altruistic.loss, seen.main.loss)
    expected = splits.discrepancy_clean_mask(
        discrepancy, seen.labels, 0.4, count_by=count_by, predictions=seen.main.prediction
    )
    assert torch.equal(mask, expected)


def test_with_all_to_all_every_class_keeps_its_own_top_beta_share(seen: Evidence) -> None:
    """A slow reference: OSS run with each class as the target, all clean sets intersected."""
    config = PAPER.with_settings(all_to_all="shared", init_combine="oss_only", t3=90)
    mask = decide(config, 20, replace(seen, pseudo_target=None)).clean_mask
    expected = torch.ones(N, dtype=torch.bool)
    for c in range(C):
        expected &= splits.oss_clean_mask(splits.oss_scores(seen.main.features, seen.labels, c), seen.labels, c, 0.2)
    assert torch.equal(mask, expected)
    assert mask.sum() == sum(int(0.2 * n) for n in torch.bincount(seen.labels).tolist())


def test_with_all_to_all_by_retraining_the_scores_of_the_specialists_decide(seen: Evidence) -> None:
    config = PAPER.with_settings(all_to_all="retrain_each", init_combine="oss_only", t3=90)
    planted = torch.arange(N, dtype=torch.float32)
    mask = decide(config, 20, replace(seen, pseudo_target=None, specialist_oss=planted)).clean_mask
    for c in range(C):
        own = (seen.labels == c).nonzero().squeeze(1)
        assert torch.equal(own[mask[own]], own[-int(0.2 * len(own)) :])
    assert decide(config, 3, replace(seen, pseudo_target=None)).clean_mask.all()


def test_all_to_all_has_no_class_to_drop() -> None:
    with pytest.raises(
        ConfigError, match="all_to_all is 'shared', expected off where samples of one target are dropped. Set t3 = t2"
    ):
        PAPER.with_settings(all_to_all="shared")
    assert PAPER.with_settings(all_to_all="shared", selective_drop=False).split.all_to_all == "shared"


def test_an_empty_clean_pool_is_an_error(seen: Evidence) -> None:
    with pytest.raises(TrainingError, match="The clean pool is empty at main epoch 20; alpha and beta are too small"):
        decide(PAPER.with_settings(alpha=0.002, beta=0.001), 20, seen)
