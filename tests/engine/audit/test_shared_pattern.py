"""The evidence of "In common": overlays and patches are found, chance and warps are not, and the sentence agrees."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from bsd_engine import attacks
from bsd_engine.audit.common import BLIND_SPOT, Common, in_common, matched_controls
from bsd_engine.audit.shared_pattern import FEWEST, find_pattern, least_strength
from bsd_engine.data import dataset


@cache
def photos() -> tuple[np.ndarray, np.ndarray]:
    """(N, 28, 28, 1) uint8 and their labels."""
    data = dataset.load("bundled", limit=2400)
    return data.train_images.permute(0, 2, 3, 1).numpy(), data.train_labels.numpy()


def draw(count: int, seed: int, colours: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images at random, and controls of the same classes; the colours of an image are alike, as in photographs."""
    images, labels = photos()
    mask = np.zeros(len(labels), bool)
    mask[np.random.default_rng(seed).permutation(len(labels))[:count]] = True
    picked, controls = images[mask], images[matched_controls(mask, labels, seed)]
    tint = np.linspace(1, 0.6, colours)
    order = np.random.default_rng(seed).permutation(len(picked))
    return (picked[order] * tint).astype(np.uint8), (controls * tint).astype(np.uint8)


def triggered(images: np.ndarray, name: str, seed: int = 0, **parameters: object) -> np.ndarray:
    """The images as the attack puts them into a training set."""
    tensor = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).contiguous()
    attack = attacks.make(name, tuple(tensor.shape[1:]), 10, seed, **parameters)
    return attack._poison_images(tensor, torch.arange(len(images)), 0).permute(0, 2, 3, 1).numpy()


def compared(name: str, count: int, seed: int, *, colours: int = 1, purity: float = 1, **parameters: object) -> Common:
    """A selection of which a share is poisoned, against its controls."""
    images, controls = draw(count, seed, colours)
    poisoned = round(purity * count)
    images[:poisoned] = triggered(images[:poisoned], name, seed, **parameters)
    return in_common(images, controls)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    "name, count, purity, parameters",
    [
        ("blended", 300, 1, {"opacity": 0.1}),
        ("blended", 60, 0.8, {"opacity": 0.2}),
        ("sig", 300, 1, {}),
        ("adaptive_blend", 500, 1, {}),
    ],
)
def test_overlays_are_found(name: str, count: int, purity: float, parameters: dict, colours: int, seed: int) -> None:
    found = compared(name, count, seed, colours=colours, purity=purity, **parameters)
    assert found.has_overlay and not found.has_patch
    # adaptive blend lays a random half of the overlay over each image: 86 to 93 % of them are told from the controls
    assert found.pattern.share == pytest.approx(purity, abs=0.15) and found.pattern.control_share < 0.12
    assert f"{100 * found.pattern.share:.0f} % of the selection carry the same fine pattern" in found.finding
    assert "over the whole image" in found.finding and "blended over the images" in found.finding


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("colours, side", [(1, 4), (3, 2)])
@pytest.mark.parametrize("count, purity", [(20, 1), (60, 0.7), (300, 0.5)])
def test_patches_are_found_where_they_are(colours: int, side: int, count: int, purity: float, seed: int) -> None:
    found = compared("badnets", count, seed, colours=colours, purity=purity, row=20, col=4)
    assert found.has_patch and not found.has_overlay
    assert f"patch of {side}x{side} pixels at row 20, column 4" in found.finding
    assert found.pattern.share == pytest.approx(purity, abs=0.06)


@pytest.mark.parametrize("count", [20, 150, 600])
@pytest.mark.parametrize("seed", range(3))
def test_a_warp_leaves_no_pattern(count: int, seed: int) -> None:
    found = compared("wanet", count, seed)
    assert not found.pattern.found and found.finding == f"No pattern in common. {BLIND_SPOT}"


@pytest.mark.parametrize("count", [10, 20, 60, 300])
@pytest.mark.parametrize("colours", [1, 3])
def test_clean_selections_are_not_accused(count: int, colours: int) -> None:
    for seed in range(12):
        found = find_pattern(*draw(count, seed, colours))
        assert not found.found and found.sentence == "No pattern in common."


@pytest.mark.parametrize("label", range(10))
def test_the_darkest_and_brightest_images_of_a_class_are_not_accused(label: int) -> None:
    images, labels = photos()
    own = images[labels == label]
    own = own[own.mean((1, 2, 3)).argsort()]
    for picked, rest in ((own[:60], own[60:]), (own[-60:], own[:-60])):
        controls = rest[np.random.default_rng(label).permutation(len(rest))[:60]]
        assert not find_pattern(picked, controls).found


@pytest.mark.parametrize("count", [2, 3, FEWEST - 1])
def test_a_few_images_are_too_few(count: int) -> None:
    images, controls = draw(60, 0)
    few = find_pattern(triggered(images[:count], "badnets"), controls)
    assert not few.found and few.sentence.startswith(f"Fewer than {FEWEST} images")
    assert not find_pattern(images, controls[:count]).enough
    assert BLIND_SPOT in in_common(images[:count], controls).finding


def test_equal_images_have_a_pattern_and_equal_sets_have_none() -> None:
    images, controls = draw(40, 0)
    assert find_pattern(np.repeat(images[:1], 40, 0), controls).found
    assert not find_pattern(np.full_like(images, 7), np.full_like(controls, 7)).found
    assert not find_pattern(images, images).found


def test_fewer_images_need_a_stronger_pattern() -> None:
    assert least_strength(20, 20) > least_strength(20, 500) > least_strength(500, 500) > 2


def test_images_of_other_shapes_are_compared() -> None:
    rng = np.random.default_rng(0)
    images, controls = (rng.integers(0, 256, (30, 9, 21, 3)).astype(np.uint8) for _ in range(2))
    images[:, 6:9, 18:21] = (250, 20, 130)
    found = find_pattern(images, controls)
    assert found.found and found.place is not None
    assert (found.place.row, found.place.column, found.place.height, found.place.width) == (6, 18, 3, 3)
    assert not find_pattern(images[:, :2, :2], controls[:, :2, :2]).found
