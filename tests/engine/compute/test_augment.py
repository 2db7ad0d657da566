"""Crop, flip and normalisation of a batch against torch's own padding and statistics."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.compute.augment import Normalizer, crop_flip

PAD = 4


@pytest.fixture(params=[(1, 28, 28), (3, 32, 32), (3, 8, 13)], ids=str)
def images(request: pytest.FixtureRequest) -> Tensor:
    """(5, H, W, C) random uint8 images, channels last."""
    channels, height, width = request.param
    return torch.randint(
        256, (5, height, width, channels), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def padded_crop(image: Tensor, row: int, col: int, flip: bool) -> Tensor:
    """(C, H, W): reflect padding by 4, a crop of the old size (row, col) away from the centre, mirrored if asked."""
    height, width = image.shape[:2]
    padded = F.pad(image.permute(2, 0, 1)[None].float(), (PAD,) * 4, mode="reflect")[0]
    crop = padded[:, PAD + row : PAD + row + height, PAD + col : PAD + col + width]
    return (crop.flip(2) if flip else crop).to(torch.uint8)


def test_every_shift_and_flip_is_reflect_padding_slicing_and_mirroring(images: Tensor) -> None:
    draws = list(itertools.product(range(-PAD, PAD + 1), range(-PAD, PAD + 1), (False, True)))
    idx = torch.arange(len(draws)) % len(images)
    result = crop_flip(images, idx, torch.tensor([(r, c) for r, c, _ in draws]), torch.tensor([f for *_, f in draws]))
    expected = torch.stack([padded_crop(images[i], *draw) for i, draw in zip(idx.tolist(), draws)])
    assert result.dtype == torch.uint8 and torch.equal(result, expected)


def test_the_centre_crop_is_the_image_itself(images: Tensor) -> None:
    idx = torch.tensor([3, 0, 3])
    result = crop_flip(images, idx, torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, dtype=torch.bool))
    assert torch.equal(result, images[idx].permute(0, 3, 1, 2))


def test_the_smallest_images_can_be_moved_by_the_largest_padding() -> None:
    image = torch.arange(8, dtype=torch.uint8)[None, None, :, None].expand(1, 8, 8, 1)
    result = crop_flip(image, torch.tensor([0, 0]), torch.tensor([[0, 7], [0, -7]]), torch.tensor([False, False]))
    assert result[:, 0, 0].tolist() == [[7, 6, 5, 4, 3, 2, 1, 0]] * 2  # all of it is the mirror image


def test_crops_are_channels_last_and_leave_the_images_alone(images: Tensor) -> None:
    before = images.clone()
    result = crop_flip(images, torch.arange(5), torch.zeros(5, 2, dtype=torch.int64), torch.ones(5, dtype=torch.bool))
    assert result.is_contiguous(memory_format=torch.channels_last) and torch.equal(images, before)


def test_normalised_images_have_mean_zero_and_deviation_one_per_channel(images: Tensor) -> None:
    result = Normalizer.fit(images)(images.permute(0, 3, 1, 2))
    assert result.dtype == torch.float32 and result.is_contiguous(memory_format=torch.channels_last)
    values = result.double().transpose(0, 1).flatten(1)
    assert values.mean(1).abs().max() < 1e-5 and (values.std(1, correction=0) - 1).abs().max() < 1e-5


def test_a_constant_channel_becomes_zero() -> None:
    images = torch.full((4, 8, 8, 1), 77, dtype=torch.uint8)
    assert Normalizer.fit(images)(images.permute(0, 3, 1, 2)).abs().max() < 1e-4
