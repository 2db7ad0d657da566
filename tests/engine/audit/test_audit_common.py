"""What images have in common: patches and overlays are found, warps are not, and clean selections have nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine import attacks
from bsd_engine.audit.common import BLIND_SPOT, in_common, matched_controls
from bsd_engine.data import dataset
from bsd_engine.data.dataset import ImageData


@pytest.fixture(scope="module")
def photos() -> ImageData:
    return dataset.load("bundled", limit=2400)


def compared(photos: ImageData, name: str | None, chosen: np.ndarray | None = None):
    """A selection of 150, with a trigger or without, against controls of the same content."""
    mask = np.zeros(2400, bool)
    mask[np.random.default_rng(0).permutation(2400)[:150] if chosen is None else chosen] = True
    labels = photos.train_labels.numpy()
    controls = matched_controls(mask, labels, 1)
    images = photos.train_images[torch.from_numpy(mask)].contiguous()
    if name is not None:
        images = attacks.make(name, (1, 28, 28), 10).apply(images, torch.arange(len(images)))
    return in_common(images.permute(0, 2, 3, 1).numpy(), photos.train_images[controls].permute(0, 2, 3, 1).numpy())


def test_a_badnets_patch_is_found_where_it_is(photos: ImageData) -> None:
    found = compared(photos, "badnets")
    trigger = attacks.make("badnets", (1, 28, 28), 10)
    flat = torch.full((1, 1, 28, 28), 128, dtype=torch.uint8)
    rows, columns = np.nonzero((trigger.apply(flat) != flat)[0, 0].numpy())
    best = found.patches[0]
    assert found.has_patch and best.share > 0.95 and best.control_share < 0.05
    assert rows.min() - 2 <= best.row <= rows.max() and columns.min() - 2 <= best.column <= columns.max()
    assert "carry the same patch of 4x4 pixels at row 4, column 4, which 0 % of the controls do" in found.finding


def test_a_patch_that_half_of_the_selection_carries_is_found(photos: ImageData) -> None:
    images = photos.train_images[:200].clone()
    images[:100] = attacks.make("badnets", (1, 28, 28), 10).apply(images[:100].contiguous())
    found = in_common(images.permute(0, 2, 3, 1).numpy(), photos.train_images[200:400].permute(0, 2, 3, 1).numpy())
    assert found.has_patch and 0.45 < found.patches[0].share < 0.6


def test_a_blend_is_found_as_an_overlay(photos: ImageData) -> None:
    found = compared(photos, "blended")
    assert found.has_overlay and not compared(photos, None).has_overlay
    trigger = attacks.make("blended", (1, 28, 28), 10)
    flat = torch.full((1, 1, 28, 28), 60, dtype=torch.uint8)
    pattern = (trigger.apply(flat).float() - 60)[0, 0].numpy()
    assert np.corrcoef(found.difference[..., 0].ravel(), pattern.ravel())[0, 1] > 0.8
    assert "blended over" in found.finding


def test_a_warp_is_not_found_and_the_finding_says_what_cannot_be_seen(photos: ImageData) -> None:
    found = compared(photos, "wanet")
    assert not found.has_patch and not found.has_overlay
    assert BLIND_SPOT in found.finding and "WaNet" in BLIND_SPOT


@pytest.mark.parametrize("label", [None, 1, 5, 8])
def test_clean_selections_have_nothing_in_common(photos: ImageData, label: int | None) -> None:
    chosen = None if label is None else np.flatnonzero(photos.train_labels.numpy() == label)[:100]
    found = compared(photos, None, chosen)
    assert not found.has_patch and not found.has_overlay and found.count in (150, 100)


def test_controls_have_the_labels_of_the_selection_and_none_of_its_samples() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    selected = np.zeros(100, bool)
    selected[[0, 1, 2, 60, 80, 81]] = True
    controls = matched_controls(selected, labels, 0, most_per_sample=2)
    assert (
        np.bincount(labels[controls]).tolist() == [6, 2, 4]
        and not selected[controls].any()
        and (np.diff(controls) > 0).all()
    )
    few = matched_controls(selected, labels, 0, candidates=labels == 0)
    assert np.bincount(labels[few], minlength=3).tolist() == [3, 0, 0]
    assert len(matched_controls(np.zeros(100, bool), labels, 0)) == 0


def test_colour_images_are_compared_by_channel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, controls = (rng.integers(0, 256, (40, 12, 14, 3)).astype(np.uint8) for _ in range(2))
    images[:, 3:6, 4:7] = (250, 20, 130)
    found = in_common(images, controls)
    assert (found.patches[0].row, found.patches[0].column) == (3, 4) and (
        found.patches[0].pixels == (250, 20, 130)
    ).all()
    assert found.difference.shape == (12, 14, 3) and found.spectrum.shape == found.variance_ratio.shape == (12, 14)
    assert (found.variance_ratio[3:6, 4:7] < -5).all()
