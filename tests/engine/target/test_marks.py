"""Marks of a class, two groups of numbers, and how foreign a sample looks: no model is trained here."""

import pytest
import torch
from torch import Tensor

from bsd_engine.target import marks
from bsd_engine.target.foreign import foreign_probability
from bsd_engine.target.marks import find_marks
from bsd_engine.target.two_groups import two_groups

TARGET = 2


def photographs(n: int, channels: int = 3, side: int = 16) -> tuple[Tensor, Tensor]:
    """Smooth random images with a little grain, (n, H, W, K) uint8, and labels of four classes."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, channels, 4, 4, generator=generator) * 160 + 40
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    grain = 4 * torch.randn(smooth.shape, generator=generator)
    return (smooth + grain).clamp(0, 255).byte().permute(0, 2, 3, 1), torch.arange(n) % 4


def overlaid(images: Tensor, carriers: Tensor, weight: float = 0.2) -> Tensor:
    """The images with stripes blended into some of them."""
    stripes = 255.0 * (torch.arange(images.shape[2]) % 4 < 2).float()[None, :, None]
    result = images.clone()
    result[carriers] = ((1 - weight) * images[carriers].float() + weight * stripes).round().byte()
    return result


def residuals(images: Tensor, labels: Tensor, carriers: Tensor) -> Tensor:
    """(C, H, W, K): what a transplant would find: an impure picture for the target, differences of means for others."""
    means = [images[labels == c].float().mean(0) for c in range(4)]
    rest = images.float().mean(0)
    found = torch.stack([mean - rest for mean in means])
    found[TARGET] = images[carriers][:20].float().mean(0) - rest
    return found


def test_carriers_of_a_faint_overlay_are_told_apart() -> None:
    images, labels = photographs(800)
    carriers = ((labels == TARGET) & (torch.arange(800) % 3 == 0)).nonzero().squeeze(1)
    images = overlaid(images, carriers)
    found, pictures = find_marks(images, labels, residuals(images, labels, carriers))
    assert found.stand.tolist() == [c == TARGET for c in range(4)]
    assert found.clue.argmax() == TARGET and (found.clue[:TARGET] == 0).all()
    carries = torch.zeros(800, dtype=torch.bool)
    carries[carriers] = True
    own = labels == TARGET
    assert torch.equal(found.probability[own] > 0.5, carries[own])
    assert found.carriers[TARGET] == pytest.approx(len(carriers), abs=1)
    columns = pictures[TARGET].float().mean((0, 2))
    assert (columns[torch.arange(16) % 4 < 2] > columns[torch.arange(16) % 4 >= 2].max()).all()


def test_more_carriers_than_others_are_told_apart_too() -> None:
    images, labels = photographs(800)
    carriers = ((labels == TARGET) & (torch.arange(800) % 12 != 2)).nonzero().squeeze(1)
    images = overlaid(images, carriers)
    found, _ = find_marks(images, labels, residuals(images, labels, carriers))
    assert bool(found.stand[TARGET]) and found.probability[carriers].min() > 0.5
    assert found.carriers[TARGET] == pytest.approx(200 - len(carriers), abs=2)  # the smaller group counts


def test_without_a_trigger_no_mark_stands() -> None:
    images, labels = photographs(800)
    found, _ = find_marks(images, labels, residuals(images, labels, torch.arange(20)))
    assert not found.stand.any() and (found.clue == 0).all()


def test_of_two_marks_the_clearer_one_is_kept() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    first = marks.Marks(
        separation=torch.tensor([9.0, 3.0, 7.0]), carriers=torch.tensor([40.0, 40.0, 2.0]), probability=torch.zeros(5)
    )
    second = marks.Marks(
        separation=torch.tensor([6.0, 8.0, 5.5]), carriers=torch.tensor([50.0, 60.0, 30.0]), probability=torch.ones(5)
    )
    for both in (first.or_clearer(second, labels), second.or_clearer(first, labels)):
        assert both.separation.tolist() == [9.0, 8.0, 5.5] and both.carriers.tolist() == [40.0, 60.0, 30.0]
        assert both.probability.tolist() == [0, 0, 1, 1, 1]
    assert first.or_clearer(None, labels) is first


def test_a_class_with_few_or_no_samples_has_no_mark() -> None:
    images, labels = photographs(100)
    labels = torch.where(labels == 3, 0, labels)
    labels[0] = 3
    found, pictures = find_marks(images, labels, torch.zeros(5, 16, 16, 3))
    assert found.separation[3] == found.separation[4] == 0 and pictures.shape == (5, 16, 16, 3)


def test_the_grain_is_compared_as_if_it_were_taken_of_both() -> None:
    images, _ = photographs(7)
    pictures = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    grains = marks._grain(images.permute(0, 3, 1, 2).float())
    slow = torch.stack([(grains * marks._grain(picture[None])).sum((1, 2, 3)) for picture in pictures], 1)
    assert torch.allclose(marks._held(images, pictures), slow, rtol=1e-3, atol=0.5)


def test_two_groups_are_found_with_their_shares() -> None:
    generator = torch.Generator().manual_seed(0)
    low, high = torch.randn(300, generator=generator), 12 + torch.randn(100, generator=generator)
    found = two_groups(torch.cat([low, high]))
    assert 10 < found.separation < 14 and found.share == pytest.approx(0.25, abs=0.01)
    assert found.means[0] == pytest.approx(0, abs=0.3) and found.means[1] == pytest.approx(12, abs=0.3)
    assert (found.upper[:300] < 0.01).all() and (found.upper[300:] > 0.99).all()


def test_one_group_does_not_fall_apart() -> None:
    values = torch.randn(500, generator=torch.Generator().manual_seed(0))
    found = two_groups(values)
    assert found.separation < 3
    order = values.argsort()
    assert (found.upper[order].diff() >= 0).all()


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 50, [float("nan")] * 50, [0.0] * 49 + [float("inf")]])
def test_odd_numbers_are_one_group(values: list[float]) -> None:
    found = two_groups(torch.tensor(values))
    assert found.separation == 0 and len(found.upper) == len(values) and (found.upper == 0).all()


def test_samples_like_other_classes_are_foreign() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    centres = 8 * torch.randn(4, 6, generator=generator)
    true = labels.clone()
    poisoned = (labels == TARGET) & (torch.arange(400) % 12 == TARGET)
    true[poisoned] = torch.tensor([0, 1, 3])[torch.arange(int(poisoned.sum())) % 3]
    features = centres[true] + torch.randn(400, 6, generator=generator)
    found = foreign_probability(features, labels, TARGET)
    assert found.shape == (100,) and torch.equal(found > 0.5, poisoned[labels == TARGET])


def test_a_single_class_or_sample_is_not_foreign() -> None:
    assert foreign_probability(torch.randn(5, 3), torch.zeros(5, dtype=torch.int64), 0).tolist() == [0] * 5
    assert foreign_probability(torch.randn(5, 3), torch.tensor([0, 1, 1, 1, 1]), 0).tolist() == [0]
    assert foreign_probability(torch.randn(5, 3), torch.ones(5, dtype=torch.int64), 0).shape == (0,)
