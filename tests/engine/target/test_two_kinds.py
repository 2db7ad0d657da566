"""Samples that carry a pattern are separated exactly from the rest of their class; other classes are not far apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.target.thumbnails import thumbnails
from bsd_engine.target.two_kinds import Kinds, _fisher, _otsu, _thumbnails, two_kinds

CLASSES, EACH, TARGET = 5, 120, 2


def natural(side: int = 20, channels: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Smooth blobs and noise, with one more blob for each class: (N, side, side, K) uint8, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(CLASSES * EACH) % CLASSES
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))

    def blob(centre: object, width: float) -> np.ndarray:
        return np.exp(-((grid - np.asarray(centre)[:, None, None]) ** 2).sum(0) / width**2)

    images = np.stack(
        [
            90 * rng.uniform(0.3, 1) * blob(rng.uniform(0, side, 2), rng.uniform(3, 8))
            + 80 * blob((4 * c, 10), 3)
            + rng.normal(40, 5, (side, side))
            for c in labels
        ]
    )
    return torch.from_numpy(images.clip(0, 255).astype(np.uint8)[..., None].repeat(channels, 3)), torch.from_numpy(
        labels
    )


def planted(images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The images with a faint sinusoid on a share of the target class, and which of them carry it."""
    carriers = torch.zeros(len(labels), dtype=torch.bool)
    carriers[(labels == TARGET).nonzero().squeeze(1)[: int(share * EACH)]] = True
    wave = 12 * torch.sin(torch.arange(images.shape[2]) * 2 * torch.pi / 5)
    changed = (images[carriers].float() + wave[None, None, :, None]).clamp(0, 255).to(torch.uint8)
    images = images.clone()
    images[carriers] = changed
    return images, carriers


def found(images: Tensor, labels: Tensor, seed: int = 0) -> Kinds:
    return two_kinds(images, labels, torch.zeros(len(labels)), CLASSES, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75])
def test_carriers_of_a_pattern_are_one_kind_and_the_rest_are_the_other(share: float, channels: int) -> None:
    images, labels = natural(channels=channels)
    images, carriers = planted(images, labels, share)
    kinds = found(images, labels)
    of_target = labels == TARGET
    same = float((kinds.odd == carriers)[of_target].float().mean())
    assert max(same, 1 - same) > 0.98
    assert kinds.separation[TARGET] > 1.5 * kinds.separation[[0, 1, 3, 4]].max()
    assert all(float(kinds.odd[labels == c].float().mean()) <= 0.5 for c in range(CLASSES))


def test_the_losses_are_only_a_start_of_the_search() -> None:
    images, labels = natural()
    images, carriers = planted(images, labels, 0.25)
    low = two_kinds(images, labels, 1.0 - carriers.float(), CLASSES, torch.Generator().manual_seed(0))
    assert torch.equal(low.odd[labels == TARGET], carriers[labels == TARGET])


def test_small_classes_are_left_alone() -> None:
    images, labels = natural()
    labels[labels == 4] = torch.where(torch.arange(EACH) < 10, 4, 3)
    kinds = found(images, labels)
    assert kinds.separation[4] == 0 and not kinds.odd[labels == 4].any()


@pytest.mark.parametrize("rare", [0, 1, 5])
def test_a_set_that_is_nearly_all_one_class_is_searched_all_the_same(rare: int) -> None:
    images = torch.randint(0, 256, (20_000, 16, 16, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(20_000) < rare).long()
    kinds = two_kinds(images, labels, torch.zeros(20_000), 2, torch.Generator().manual_seed(0))
    assert 0 < kinds.separation[0] < 10 and kinds.separation[1] == 0


def test_any_start_finds_the_same_carriers() -> None:
    images, labels = natural()
    images, _ = planted(images, labels, 0.25)
    first, second = (found(images, labels, seed).odd[labels == TARGET] for seed in (0, 1))
    assert torch.equal(first, second)


def test_equal_images_are_of_one_kind() -> None:
    labels = torch.arange(100) % 2
    kinds = two_kinds(torch.full((100, 8, 8, 3), 7, dtype=torch.uint8), labels, torch.zeros(100), 2, torch.Generator())
    assert kinds.separation.tolist() == [0, 0]


def test_the_cut_is_the_best_of_all_cuts() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.cat([torch.randn(30, generator=generator), torch.randn(15, generator=generator) + 4])
    (separation,), (above,) = _otsu(x[None])
    best = max(
        ((x[x > t].mean() - x[x <= t].mean()) ** 2 * (x > t).sum() * (x <= t).sum(), t) for t in x.sort().values[4:-5]
    )[1]
    assert torch.equal(above, x > best)
    inside = ((above * (x - x[above].mean()) ** 2).sum() + (~above * (x - x[~above].mean()) ** 2).sum()) / len(x)
    assert float(separation) == pytest.approx(float((x[above].mean() - x[~above].mean()) / inside.sqrt()), rel=1e-4)


def test_fishers_direction_is_that_of_the_definition() -> None:
    points = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 4.0, 2.0])
    points -= points.mean(0)
    split = torch.arange(60) < 20
    inner = torch.cat([points[split] - points[split].mean(0), points[~split] - points[~split].mean(0)])
    scatter = inner.T @ inner / 60
    ridge = 0.01 * scatter.diagonal().mean() * torch.eye(3)
    expected = torch.linalg.solve(scatter + ridge, points[split].mean(0) - points[~split].mean(0))
    torch.testing.assert_close(_fisher(points, split[None])[0], expected)


def test_thumbnails_are_means_and_small_images_stay() -> None:
    images = torch.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3).remainder(251).to(torch.uint8)
    grey = images.float().mean(3)
    torch.testing.assert_close(_thumbnails(images), grey.reshape(2, 16, 2, 16, 2).mean((2, 4)).flatten(1))
    torch.testing.assert_close(_thumbnails(images[:, :9, :9]), grey[:, :9, :9].flatten(1))


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (9, 17, 2), (5, 3, 1)])
def test_thumbnails_are_those_of_average_pooling(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (300, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = F.adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float(), 8).flatten(1)
    torch.testing.assert_close(thumbnails(images, 8, images.device), expected)
