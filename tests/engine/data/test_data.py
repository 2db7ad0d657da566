"""Every source gives the same kind of checked tensors, or one sentence on what is wrong with it."""

import io
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine.data import dataset as data
from bsd_engine.data import sources
from bsd_engine.errors import DataError
from tests.support.image_sets import arrays, npz_spec

ROOT = Path(__file__).parents[3]
SHARED_DATA = Path(os.environ.get("BSD_SHARED_DATA") or ROOT.parent / "shared/data")


# --- bundled ---


def test_bundled_set_is_balanced_fashion_mnist() -> None:
    loaded = data.load("bundled")
    assert loaded.train_images.shape == (10_000, 1, 28, 28) and loaded.train_images.dtype == torch.uint8
    assert loaded.test_images.shape == (2_000, 1, 28, 28)
    assert loaded.train_labels.dtype == loaded.test_labels.dtype == torch.int64
    assert loaded.train_labels.bincount().tolist() == [1000] * 10
    assert loaded.test_labels.bincount().tolist() == [200] * 10
    assert loaded.class_names == (
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
    assert loaded.train_labels[:5].tolist() == [9, 0, 0, 3, 0]  # as in the original
    assert loaded.fingerprint == "3d37f1244b638ce2"


def test_what_is_done_to_the_bundled_set_is_gone_the_next_time() -> None:
    loaded = data.load("bundled")
    for images in (loaded.train_images, loaded.test_images):
        images.zero_()
    assert data.load("bundled").fingerprint == "3d37f1244b638ce2"


def test_bundled_file_is_small_and_rebuilt_byte_for_byte() -> None:
    assert sources.BUNDLED.stat().st_size < 5_000_000
    folder = SHARED_DATA / "fashion_mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip(
            "the original Fashion-MNIST files are not there; set BSD_SHARED_DATA to the folder above fashion_mnist/"
        )
    script = runpy.run_path(str(ROOT / "assets/build_fashion_mnist.py"))
    assert script["ASSET"] == sources.BUNDLED
    assert script["build"](folder) == sources.BUNDLED.read_bytes()


def test_missing_bundle_names_the_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "BUNDLED", tmp_path / "absent.xz")
    with pytest.raises(DataError, match="build_fashion_mnist"):
        data.load("bundled")


# --- choosing samples ---


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60), share=st.floats(0, 1), seed=st.integers(0, 2**31 - 1)
)
def test_stratified_choice_is_exact_sorted_and_nested(labels: list[int], share: float, seed: int) -> None:
    y = torch.tensor(labels)
    limit = max(1, int(share * len(y)))
    sizes = y.bincount()
    for equal in (False, True):
        idx = data.stratified_idx(y, limit, seed, equal=equal)
        assert len(idx) == limit and torch.equal(idx, idx.unique())
        assert torch.equal(idx, data.stratified_idx(y, limit, seed, equal=equal))
        assert set(data.stratified_idx(y, max(1, limit // 2), seed, equal=equal).tolist()) <= set(idx.tolist())
        chosen = y[idx].bincount(minlength=len(sizes))
        unfilled = sizes > chosen
        if equal and unfilled.any():
            assert chosen.max() - chosen[unfilled].min() <= 1


def test_classes_keep_their_shares_but_the_smallest_have_two() -> None:
    labels = torch.repeat_interleave(torch.arange(4), torch.tensor([1000, 500, 100, 2]))
    assert labels[data.stratified_idx(labels, 160, 0)].bincount().tolist() == pytest.approx([99, 49, 10, 2], abs=1)
    assert labels[data.stratified_idx(labels, 8, 0)].bincount().tolist() == [2, 2, 2, 2]
    assert labels[data.stratified_idx(labels, 160, 0, equal=True)].bincount().tolist() == [53, 53, 52, 2]


def test_stratified_choice_depends_on_the_seed() -> None:
    labels = torch.arange(100) % 10
    assert not torch.equal(data.stratified_idx(labels, 20, 0), data.stratified_idx(labels, 20, 1))


@pytest.mark.parametrize("limit", [0, -1, 11])
def test_impossible_limit_is_refused(limit: int) -> None:
    with pytest.raises(DataError, match="from 1 to 10"):
        data.stratified_idx(torch.arange(10) % 2, limit, 0)


def test_landmarks_are_at_most_all_samples() -> None:
    labels = torch.arange(30) % 3
    assert data.landmark_idx(labels, 1000, 0).tolist() == list(range(30))
    assert labels[data.landmark_idx(labels, 9, 0)].bincount().tolist() == [3, 3, 3]


def test_limit_must_leave_every_class_its_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 6 images"):
        data.load(npz_spec(tmp_path), limit=5)


def test_limit_above_the_data_takes_them_all(tmp_path: Path) -> None:
    assert len(data.load(npz_spec(tmp_path), limit=13).train_labels) == 12


def test_limit_keeps_the_test_part_and_the_place_in_the_source(tmp_path: Path) -> None:
    whole, part = data.load(npz_spec(tmp_path)), data.load(npz_spec(tmp_path), limit=7, seed=1)
    assert len(part.train_labels) == 7 and len(part.test_labels) == 6
    assert torch.equal(part.train_images, whole.train_images[part.source_idx])
    assert torch.equal(part.train_labels, whole.train_labels[part.source_idx])


# --- npz ---


def test_npz_layouts_give_the_same_tensors(tmp_path: Path) -> None:
    sound = arrays()
    nhwc = data.load(npz_spec(tmp_path))
    nchw = data.load(npz_spec(tmp_path, **{k: sound[k].transpose(0, 3, 1, 2) for k in ("train_images", "test_images")}))
    assert nhwc.train_images.shape == (12, 3, 10, 9)
    assert torch.equal(nhwc.train_images, nchw.train_images) and torch.equal(nhwc.test_images, nchw.test_images)
    assert all(x.train_images.is_contiguous(memory_format=torch.channels_last) for x in (nhwc, nchw))
    assert nhwc.class_names == ("cat", "dog", "eel")
    grey = data.load(npz_spec(tmp_path, **{k: sound[k][..., 0] for k in ("train_images", "test_images")}))
    assert torch.equal(grey.train_images, nhwc.train_images[:, :1])


def test_npz_needs_only_images_and_labels(tmp_path: Path) -> None:
    sound = arrays()
    np.savez(
        tmp_path / "set.npz",
        images=sound["train_images"],
        labels=sound["train_labels"].astype(np.float32)[:, None],
        extra=np.ones(3),
    )
    loaded = data.load(f"npz:{tmp_path / 'set.npz'}")
    assert loaded.test_images is None and loaded.test_labels is None
    assert loaded.class_names == ("0", "1", "2")
    assert loaded.train_labels.tolist() == sound["train_labels"].tolist()
    assert loaded.train_files is None


BAD_ARRAYS = {
    "nan label": ({"train_labels": np.where(np.arange(12) == 3, np.nan, 0.0)}, "whole numbers"),
    "infinite label": ({"train_labels": np.where(np.arange(12) == 3, np.inf, 0.0)}, "whole numbers"),
    "half label": ({"train_labels": np.arange(12) / 2}, "whole numbers"),
    "text label": ({"train_labels": np.array(["0"] * 12)}, "whole numbers"),
    "negative label": ({"train_labels": np.arange(12) % 3 - 1}, "from -1 to 1"),
    "label out of range": ({"train_labels": np.arange(12) % 4}, "label 3, but there are 3 classes"),
    "test label out of range": ({"test_labels": np.arange(6)}, "label 5, but there are 3 classes"),
    "huge label": ({"train_labels": np.array([0, 2**40] * 6), "class_names": None}, "expected class numbers"),
    "gap": ({"train_labels": np.arange(12) % 3 * 2, "class_names": None}, "none with 1"),
    "large gap": ({"train_labels": np.array([0, 2**31 - 1] * 6), "class_names": None}, "none with 1"),
    "one-hot labels": ({"train_labels": np.eye(3)[np.arange(12) % 3]}, r"shape \(12, 3\)"),
    "no labels": ({"train_labels": np.zeros(0, int), "train_images": np.zeros((0, 9, 9), np.uint8)}, r"shape \(0,\)"),
    "fewer labels": ({"train_labels": np.arange(11) % 3}, "12 train_images and 11 train_labels"),
    "fewer test labels": ({"test_labels": np.arange(5) % 3}, "6 test_images and 5 test_labels"),
    "one class": (
        {"train_labels": np.zeros(12, int), "test_labels": np.zeros(6, int), "class_names": None},
        "all of one class",
    ),
    "empty class": (
        {"class_names": np.array(["cat", "dog", "eel", "fox"])},
        r"1 of 4 classes .* fewer than 2 .*\('fox': 0\)",
    ),
    "single image": ({"train_labels": np.array([0, 1] * 5 + [0, 2])}, r"fewer than 2 training images \('eel': 1\)"),
    "float images": ({"train_images": np.zeros((12, 9, 9))}, "float64, expected uint8"),
    "flat images": ({"train_images": np.zeros((12, 81), np.uint8)}, r"shape \(12, 81\)"),
    "five channels": ({"train_images": np.zeros((12, 9, 9, 5), np.uint8)}, r"shape \(12, 9, 9, 5\)"),
    "tiny images": (
        {"train_images": np.zeros((12, 4, 4), np.uint8), "test_images": None, "test_labels": None},
        "at least 8x8",
    ),
    "other test size": (
        {"test_images": np.zeros((6, 9, 9, 3), np.uint8)},
        "test images are 3x9x9, the training images 3x10x9",
    ),
    "half a test part": ({"test_labels": None}, "both or neither"),
    "no images": ({"train_images": None}, "expected train_images and train_labels"),
    "numeric names": ({"class_names": np.arange(3)}, "expected a list of texts"),
    "no code point": ({"class_names": np.array([97, 0x110000, 98], np.uint32).view("<U1")}, "are not Unicode"),
    "half a surrogate": ({"class_names": np.array([97, 0xD800, 98], np.uint32).view("<U1")}, "are not Unicode"),
    "no UTF-8": ({"class_names": np.array([b"a", b"\xff", b"b"])}, "are not Unicode"),
    "pickled array": ({"train_labels": np.array([None] * 12)}, "plain arrays"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_explained(tmp_path: Path, case: str) -> None:
    changes, said = BAD_ARRAYS[case]
    with pytest.raises(DataError, match=said):
        data.load(npz_spec(tmp_path, **changes))


def test_files_that_are_no_npz_are_explained(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    np.save(tmp_path / "one.npy", np.zeros(3))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays())
    (tmp_path / "cut.npz").write_bytes(buffer.getvalue()[:2000])
    broken = bytearray(buffer.getvalue())
    broken[500:600] = bytes(100)
    (tmp_path / "broken.npz").write_bytes(broken)
    for name in ("text", "empty", "one.npy", "cut.npz", "broken.npz", "."):
        with pytest.raises(DataError, match="cannot be read"):
            data.load(f"npz:{tmp_path / name}")
    with pytest.raises(DataError, match="no file"):
        data.load(f"npz:{tmp_path / 'absent.npz'}")


# --- fingerprint ---


def test_fingerprint_follows_every_part(tmp_path: Path) -> None:
    sound = arrays()
    fingerprints = {data.load(npz_spec(tmp_path)).fingerprint}
    assert fingerprints == {data.load(npz_spec(tmp_path)).fingerprint}
    for key in ("train_images", "test_images"):
        changed = sound[key].copy()
        changed[0, 0, 0, 0] ^= 1
        fingerprints.add(data.load(npz_spec(tmp_path, **{key: changed})).fingerprint)
    for key in ("train_labels", "test_labels"):
        fingerprints.add(data.load(npz_spec(tmp_path, **{key: sound[key][::-1].copy()})).fingerprint)
    fingerprints.add(data.load(npz_spec(tmp_path, test_images=None, test_labels=None)).fingerprint)
    fingerprints.add(data.load(npz_spec(tmp_path), limit=8).fingerprint)
    assert len(fingerprints) == 7 and all(len(f) == 16 for f in fingerprints)
