"""Prepared data: only poisoned images change, and the report says what the defender can see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.base import Attack
from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import dataset, decoded_cache
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.prepare.report import report


def prepared_of(values: list[int], labels: list[int], **changes: object) -> PreparedData:
    """Prepared images that are each of one value; equal values are duplicates."""
    images = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].repeat(1, 8, 9, 3)
    sound = PreparedData(
        images=images,
        labels=torch.tensor(labels),
        is_poison=None,
        original_labels=None,
        test_images=None,
        test_labels=None,
        triggered_images=None,
        triggered_labels=None,
        class_names=("ant", "bee", "cat"),
        fingerprint="0" * 16,
        landmark_idx=torch.arange(len(values)),
    )
    return replace(sound, **changes)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BSDConfig:
    """A run on a folder of 40 training and 8 test images, kept on disk once decoded."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 4)):
        for name in ("ant", "bee"):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(
                    tmp_path / "set" / part / name / f"{i:02d}.png"
                )
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "home"))
    monkeypatch.setattr(decoded_cache, "SMALLEST_BYTES", 0)
    return smoke().with_settings(data=f"folder:{tmp_path / 'set'}", limit=None, target_label=1, rate=0.5, device="cpu")


# --- preparing ---


def test_only_poisoned_images_differ_from_those_on_disk(tree: BSDConfig, tmp_path: Path) -> None:
    prepared = prepare(tree)
    (kept,) = (tmp_path / "home/decoded").glob("*.npy")
    on_disk = torch.from_numpy(np.load(kept))
    assert (
        torch.equal((prepared.images != on_disk[:40]).flatten(1).any(1), prepared.is_poison)
        and prepared.is_poison.sum() == 10
    )
    assert torch.equal(prepared.test_images, on_disk[40:])
    assert prepare(tree).fingerprint == prepared.fingerprint
    assert prepared.train_files[0] == str(Path("train/ant/00.png"))


def test_images_from_disk_and_from_memory_are_prepared_alike(tree: BSDConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from_disk = prepare(tree)
    monkeypatch.setattr(decoded_cache, "SMALLEST_BYTES", 10**9)
    from_memory = prepare(tree)
    for name in (
        "images",
        "labels",
        "is_poison",
        "original_labels",
        "test_images",
        "triggered_images",
        "triggered_labels",
    ):
        assert torch.equal(getattr(from_disk, name), getattr(from_memory, name)), name
    assert from_disk.fingerprint == from_memory.fingerprint and from_disk.images.is_contiguous()


def test_the_image_size_is_a_setting(tree: BSDConfig) -> None:
    assert prepare(tree.with_settings(image_size=16)).triggered_images.shape == (4, 16, 16, 3)


@dataclass(frozen=True, kw_only=True)
class NumberedCorner(Attack):
    """Writes each sample's number into its corner."""

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        images[..., 0, 0] = indices[:, None].to(torch.uint8)
        return images


def test_parts_change_neither_triggered_images_nor_the_fingerprint(
    tree: BSDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        attacks,
        "make",
        lambda _, shape, classes, seed: NumberedCorner(image_shape=shape, num_classes=classes, seed=seed),
    )
    whole = prepare(tree)
    assert whole.triggered_images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    monkeypatch.setattr(dataset, "_CHUNK_BYTES", 500)
    parts = prepare(tree)
    assert torch.equal(parts.triggered_images, whole.triggered_images) and parts.fingerprint == whole.fingerprint


# --- report ---


def test_report_counts_what_there_is() -> None:
    test = torch.zeros(4, 8, 9, 3, dtype=torch.uint8)
    found = report(
        prepared_of([1, 2, 3, 4, 5], [0, 0, 0, 1, 1], test_images=test, test_labels=torch.zeros(4, dtype=torch.int64))
    )
    assert found.class_counts == (3, 2, 0) and (found.num_train, found.num_test) == (5, 4)
    assert (found.height, found.width, found.channels, found.nbytes) == (8, 9, 3, 9 * 8 * 9 * 3)
    assert found.num_duplicate_groups == 0 and found.conflicts == () and found.warning is None
    assert found.lines()[:3] == [
        "training images: 5 in 3 classes, 0 (cat) to 3 (ant) a class",
        "test images: 4",
        "size: 8x9 pixels, colour; 0 MB in all",
    ]


def test_duplicates_with_different_labels_are_named() -> None:
    found = report(prepared_of([7, 8, 7, 9, 8, 7], [0, 1, 0, 1, 2, 2]))
    assert found.num_duplicate_groups == 2
    assert [(g.idx, g.labels, g.files) for g in found.conflicts] == [
        ((0, 2, 5), (0, 0, 2), None),
        ((1, 4), (1, 2), None),
    ]
    assert found.lines()[3:] == [
        "exact duplicates: 2 groups of images with the same pixels, 2 of them with different labels",
        "  image 0 (ant), image 2 (ant), image 5 (cat)",
        "  image 1 (bee), image 4 (cat)",
    ]
    assert found.warning == (
        "2 groups of training images with the same pixels have different labels, such as image 0 (ant), "
        "image 2 (ant), image 5 (cat); at most one label of a group can be right."
    )


def test_duplicates_of_one_label_are_counted_without_a_warning() -> None:
    found = report(prepared_of([7, 8, 7], [0, 1, 0]))
    assert found.num_duplicate_groups == 1 and found.conflicts == () and found.warning is None
    assert found.lines()[-1].startswith("exact duplicates: 1 group of images")


def test_files_are_named_where_there_are_files() -> None:
    (group,) = report(prepared_of([7, 8, 7], [0, 1, 1], train_files=("a/0.png", "b/0.png", "b/1.png"))).conflicts
    assert group.files == ("a/0.png", "b/1.png") and group.line(("ant", "bee")) == "a/0.png (ant), b/1.png (bee)"


def test_many_conflicts_stay_a_few_lines() -> None:
    lines = report(prepared_of(list(range(9)) * 6, [0] * 9 + [1] * 45)).lines()
    assert len(lines) == 8 and lines[-1] == "  and 6 more" and lines[4].endswith("image 27 (bee), ...")


@settings(max_examples=50, deadline=None)
@given(samples=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=25))
def test_groups_are_those_of_equal_pixels(samples: list[tuple[int, int]]) -> None:
    values, labels = map(list, zip(*samples))
    found = report(prepared_of(values, labels))
    same = [[i for i, v in enumerate(values) if v == value] for value in dict.fromkeys(values)]
    assert found.num_duplicate_groups == sum(len(idx) > 1 for idx in same)
    assert [list(g.idx) for g in found.conflicts] == [idx for idx in same if len({labels[i] for i in idx}) > 1]


def test_one_pixel_tells_images_apart() -> None:
    prepared = prepared_of([7, 7], [0, 1])
    prepared.images[1, 3, 4, 2] = 8
    assert report(prepared).num_duplicate_groups == 0


def test_the_report_does_not_know_the_truth(tree: BSDConfig) -> None:
    prepared = prepare(tree)
    assert report(prepared) == report(replace(prepared, is_poison=None, original_labels=None))
