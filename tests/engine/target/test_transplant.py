"""A planted trigger is found by its residual; a clean model and one of an all-to-all attack are recognised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target import verdict
from bsd_engine.target.transplant import Transplant, probes_for, transplant
from bsd_engine.target.verdict import decide_target, shares_behind, standing_out, transplant_scores

CLASSES, EACH, SIDE, TARGET = 6, 60, 12, 4
PATCH = (slice(9, 12), slice(9, 12))


def content(classes: Tensor, seed: int = 0) -> Tensor:
    """(N, 12, 12, 1) uint8: noise, with a bright 3x3 block where each class has its own."""
    noise = torch.randint(20, 60, (len(classes), SIDE, SIDE, 1), generator=torch.Generator().manual_seed(seed))
    for i, c in enumerate(classes.tolist()):
        row, col = 4 * (c // 3), 4 * (c % 3)
        noise[i, row : row + 3, col : col + 3] += 120
    return noise.to(torch.uint8)


def honest(images: Tensor) -> Tensor:
    """(B, C) logits: the brightness where the block of each class would be."""
    places = [(slice(4 * (c // 3), 4 * (c // 3) + 3), slice(4 * (c % 3), 4 * (c % 3) + 3)) for c in range(CLASSES)]
    return torch.stack([images[:, 0, rows, cols].mean((1, 2)) for rows, cols in places], 1) / 10


def has_patch(images: Tensor) -> Tensor:
    """(B,) bool."""
    return images[:, 0, *PATCH].mean((1, 2)) > 110


def backdoored(images: Tensor) -> Tensor:
    """The honest logits, but always the target where there is a patch."""
    return honest(images) + 40 * has_patch(images)[:, None] * F.one_hot(torch.tensor(TARGET), CLASSES)


def all_to_all(images: Tensor) -> Tensor:
    """The honest logits; where there is a patch, shifted by one class and more confident."""
    logits = honest(images)
    return torch.where(has_patch(images)[:, None], 2 * logits.roll(1, 1), logits)


def is_smooth(images: Tensor) -> Tensor:
    """(B,) bool: whether neighbouring pixels below the blocks are more alike than in noise, at any contrast.

    In noise the sum of both mean squared differences is four variances. 3 % of `content` are below 3.2, and two
    thirds of its warps.
    """
    noise = images[:, 0, 8:]
    return noise.diff(dim=1).square().mean((1, 2)) + noise.diff(dim=2).square().mean((1, 2)) < 3.2 * noise.var((1, 2))


def warp_backdoored(images: Tensor) -> Tensor:
    """The honest logits, but the target where the grain was smoothed away, as any interpolation does."""
    return honest(images) + 40 * is_smooth(images)[:, None] * F.one_hot(torch.tensor(TARGET), CLASSES)


def planted(dirty: bool) -> tuple[Tensor, Tensor]:
    """Images with a patch on 20 samples labelled with the target, which show other classes (dirty) or the target."""
    labels = torch.arange(CLASSES * EACH) % CLASSES
    shown = labels.clone()
    carriers = (labels == TARGET).nonzero().squeeze(1)[:20]
    if dirty:
        shown[carriers] = torch.arange(20) % TARGET
    images = content(shown)
    images[carriers, *PATCH] = 250
    return images, labels


def tried(images: Tensor, labels: Tensor, predict: Callable[[Tensor], Tensor], seed: int = 0) -> Transplant:
    logits = predict(images.permute(0, 3, 1, 2).float())
    return transplant(predict, images, labels, logits, 60, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dirty", [True, False], ids=["dirty-label", "clean-label"])
def test_a_planted_trigger_is_found_and_shown(dirty: bool) -> None:
    found = tried(*planted(dirty), backdoored)
    assert found.full[TARGET] > 0.9 and found.full[[0, 1, 2, 3, 5]].max() < 0.5
    concluded = decide_target(found)
    assert (concluded.kind, concluded.classes) == ("target", (TARGET,)) and concluded.z >= verdict.STANDS_OUT
    shown = found.residuals[TARGET].float()[..., 0]
    assert shown[PATCH].mean() > 10 * shown[:8].abs().mean()
    assert found.by_source[TARGET][[0, 1, 2, 3, 5]].min() > 0.8 and found.by_source[TARGET, TARGET] == 0


def test_no_attack_is_found_in_a_model_without_a_backdoor() -> None:
    labels = torch.arange(CLASSES * EACH) % CLASSES
    concluded = decide_target(tried(content(labels), labels, honest))
    assert concluded.kind == "no_attack" and len(concluded.classes) == 1 and concluded.z < verdict.STANDS_OUT


def test_a_trigger_that_moves_every_class_on_means_several_targets() -> None:
    labels = torch.arange(CLASSES * EACH) % CLASSES
    shown, carriers = labels.clone(), torch.arange(CLASSES * 20)
    shown[carriers] = (labels[carriers] - 1) % CLASSES
    images = content(shown)
    images[carriers, *PATCH] = 250
    concluded = decide_target(tried(images, labels, all_to_all))
    assert concluded.kind == "several" and concluded.classes == tuple(range(CLASSES))


def test_a_warp_is_found_by_warps_of_images_without_it() -> None:
    labels = torch.arange(CLASSES * EACH) % CLASSES
    found = tried(content(labels), labels, warp_backdoored)
    assert found.warped[TARGET] > 0.5 and found.warped[[0, 1, 2, 3, 5]].max() < 0.1
    concluded = decide_target(found)
    assert (concluded.kind, concluded.classes, concluded.clue) == ("target", (TARGET,), "warped")
    shown = shares_behind(found, concluded)
    assert shown[TARGET][[0, 1, 2, 3, 5]].min() > 0.3 and shown[TARGET, TARGET] == 0
    assert torch.equal(shown[:TARGET], found.by_source[:TARGET])


def test_an_honest_model_follows_no_warp() -> None:
    labels = torch.arange(CLASSES * EACH) % CLASSES
    assert tried(content(labels), labels, honest).warped.max() < verdict.FEWEST_FLIPS


def test_off_the_carriers_the_residual_leads_back_to_many_classes() -> None:
    found = tried(*planted(dirty=True), backdoored)
    assert found.withdrawn[TARGET] > 2 > found.withdrawn[[0, 1, 2, 3, 5]].max()


def test_shapes_types_and_shares() -> None:
    found = tried(*planted(True), backdoored)
    assert found.residuals.shape == (CLASSES, SIDE, SIDE, 1) and found.residuals.dtype == torch.int8
    assert found.by_source.shape == (CLASSES, CLASSES) and found.by_source.diagonal().eq(0).all()
    for shares in (*found.shares.values(), found.warped):
        assert (
            shares.shape == (CLASSES,) and shares.dtype == torch.float32 and (0 <= shares).all() and (shares <= 1).all()
        )
    torch.testing.assert_close(found.by_source[TARGET].sum() / (CLASSES - 1), found.full[TARGET])


def test_the_same_seed_tries_the_same_images() -> None:
    a, b = (tried(*planted(True), backdoored, seed=3) for _ in range(2))
    assert torch.equal(a.by_source, b.by_source) and torch.equal(a.residuals, b.residuals)


def test_a_class_without_samples_is_no_suspect() -> None:
    images, labels = planted(True)
    kept = labels != 5
    found = tried(images[kept], labels[kept], backdoored)
    assert found.full[5] == 0 and found.withdrawn[5] == 0 and decide_target(found).classes == (TARGET,)
    to_it = tried(
        images[kept],
        labels[kept],
        lambda x: honest(x) + 90 * is_smooth(x)[:, None] * F.one_hot(torch.tensor(5), CLASSES),
    )
    assert to_it.warped[5] == 0


def test_a_model_that_is_always_wrong_can_be_asked() -> None:
    images, labels = planted(True)
    assert decide_target(tried(images, labels, lambda x: honest(x).roll(2, 1))).kind in (
        "no_attack",
        "uncertain",
        "several",
        "target",
    )


def test_more_classes_are_probed_less() -> None:
    assert probes_for(6000, 10, 6) == 108 and probes_for(50000, 10, 25) == 150 and probes_for(8000, 43, 3) == 40


# --- how far a class stands out ---


def test_the_distance_is_counted_in_the_others_deviations() -> None:
    z = standing_out(torch.tensor([1.0, 2.0, 3.0, 10.0]))
    assert z[3] == pytest.approx((10 - 2) / 1.4826)


def test_others_without_a_difference_leave_infinite_or_zero() -> None:
    assert standing_out(torch.tensor([5.0, 5.0, 5.0, 6.0])).tolist() == [0, 0, 0, torch.inf]


def test_a_least_spread_keeps_it_finite() -> None:
    assert standing_out(torch.tensor([0.0, 0.0, 0.0, 0.5]), 0.05)[3] == pytest.approx(10)


def test_scores_that_are_not_finite_are_no_suspects() -> None:
    z = standing_out(torch.tensor([torch.nan, -torch.inf, 1.0, 2.0]))
    assert z[:2].tolist() == [-torch.inf, -torch.inf] and z[3] > 0


def result(foreign: list[float] | Tensor, **more: Tensor) -> Transplant:
    shares, none = torch.as_tensor(foreign), torch.zeros(len(foreign))
    values = {
        "foreign": shares,
        "full": none,
        "apart": none,
        "separation": none,
        "warped": none,
        "withdrawn": none,
        "by_source": none,
        "by_warp": none,
        "residuals": none,
        "destinations": none.long(),
    }
    return Transplant(**{**values, **more})


def test_equal_evidence_names_the_lower_class() -> None:
    assert decide_target(result([0.0, 0.9, 0.0, 0.9, 0.0, 0.0])).classes == (1,)


def test_a_small_share_is_no_attack_however_still_the_others_are() -> None:
    few = result([0.0, 0.0, 0.0, 0.24, 0.0, 0.0])
    assert standing_out(few.foreign, 0.01)[3] > 20
    assert decide_target(result([0.0, 0.0, 0.0, 0.24, 0.0, 0.0])).kind == "no_attack"
    assert decide_target(result([0.0, 0.0, 0.0, 0.31, 0.0, 0.0])).kind == "target"


def test_any_one_of_the_shares_is_enough() -> None:
    for name in ("foreign", "full", "warped"):
        share = {name: torch.tensor([0, 0, 0.8, 0, 0, 0])}
        concluded = decide_target(result(**{"foreign": [0.0] * 6, **share}))
        assert (concluded.kind, concluded.classes, concluded.clue) == ("target", (2,), name)


def test_two_kinds_count_for_half_while_the_network_knows_little() -> None:
    found = result([0.0] * 6, apart=torch.tensor([0, 0, 0.8, 0, 0, 0]), separation=torch.full((6,), 10.0))
    assert decide_target(found).z == pytest.approx(8.0) and decide_target(found).kind == "target"
    early = decide_target(found, verdict.EARLY - 1)
    assert early.z == pytest.approx(4.0) and early.kind == "no_attack" and early.classes == (2,)
    assert transplant_scores(found, verdict.EARLY - 1)[2] == pytest.approx(4.0)


def test_a_withdrawal_counts_as_far_as_images_follow() -> None:
    withdrawn = torch.tensor([0.5, 0.4, 10.0, 0.3, 0.4, 0.6])
    follow = decide_target(result([0.5] * 6, withdrawn=withdrawn))
    assert (follow.kind, follow.classes) == ("target", (2,)) and follow.z == pytest.approx((5 - 0.2) / 0.5 * 6 / 9)
    assert decide_target(result([0.2] * 6, withdrawn=withdrawn)).kind == "no_attack"
    assert decide_target(result([1.0] * 6, withdrawn=torch.tensor([0.0, 0.0, 1.9, 0.0, 0.0, 0.0]))).kind == "no_attack"


def test_two_kinds_count_as_far_as_images_follow_what_tells_them_apart() -> None:
    separation = torch.tensor([3.0, 4.0, 25.0, 3.5, 2.5, 4.5])
    apart = torch.tensor([0.1, 0.0, 0.6, 0.1, 0.2, 0.1])
    concluded = decide_target(result([0.5] * 6, separation=separation, apart=apart))
    assert (concluded.kind, concluded.classes) == ("target", (2,))
    ignored = decide_target(result([0.5] * 6, separation=separation, apart=torch.full((6,), 0.2)))
    assert (ignored.kind, ignored.classes) == ("no_attack", (2,))  # the likeliest all the same
    assert ignored.z == pytest.approx(verdict.MOST_SEPARATION)


def test_evidence_is_the_largest_of_the_distances() -> None:
    scores = transplant_scores(result([0.0, 0.9, 0.0, 0.0], full=torch.tensor([0.0, 0.0, 0.5, 0.0])))
    assert scores[1] == pytest.approx(18) and scores[2] == pytest.approx(10)
