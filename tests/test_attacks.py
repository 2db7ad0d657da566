"""Every attack's promises on what it changes, and BadNets pixel by pixel."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.base import Attack
from bsd_engine.errors import BSDError, ConfigError, DataError
from bsd_engine.splits import exact_count

SHAPES = [(3, 32, 32), (1, 28, 28)]


def random_images(count: int, shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def random_labels(count: int, num_classes: int = 10) -> Tensor:
    return torch.randint(0, num_classes, (count,), generator=torch.Generator().manual_seed(2))


@dataclass(frozen=True, kw_only=True)
class WhiteCorner(Attack):
    """A clean-label attack, as simple as can be."""

    clean_label: ClassVar[bool] = True

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        images[..., -1, -1] = 255
        return images


@dataclass(frozen=True, kw_only=True)
class NumberedCorner(Attack):
    """Writes each sample's number into its corner, as an attack with noise for each sample would use it."""

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        images[..., 0, 0] = indices[:, None].to(torch.uint8)
        return images


# --- all attacks ---


@pytest.mark.parametrize("name", attacks.names())
@pytest.mark.parametrize("shape", SHAPES)
def test_trigger_leaves_its_input_alone_and_is_the_same_each_time(name: str, shape: tuple[int, int, int]) -> None:
    images = random_images(6, shape)
    before = images.clone()
    attack = attacks.make(name, shape, seed=3)
    triggered = attack.apply(images)
    assert torch.equal(images, before)
    assert triggered.dtype == torch.uint8 and triggered.shape == images.shape
    assert (triggered != images).flatten(1).any(1).all()
    assert torch.equal(triggered, attacks.make(name, shape, seed=3).apply(images))


@pytest.mark.parametrize("name", attacks.names())
def test_numpy_in_numpy_out_also_read_only(name: str) -> None:
    images, labels = random_images(200).numpy(), random_labels(200).numpy()
    images.setflags(write=False)
    labels.setflags(write=False)
    attack = attacks.make(name)
    assert isinstance(attack.apply(images), np.ndarray)
    from_arrays = attack.poison(images, labels, 0.2, 3, 0)
    from_tensors = attack.poison(random_images(200), random_labels(200), 0.2, 3, 0)
    for field in ("images", "labels", "is_poison", "original_labels"):
        array, tensor = getattr(from_arrays, field), getattr(from_tensors, field)
        assert isinstance(array, np.ndarray) and np.array_equal(array, tensor.numpy()), field


@pytest.mark.parametrize("name", attacks.names())
def test_only_poisoned_samples_differ_and_the_inputs_do_not(name: str) -> None:
    images, labels = random_images(300), random_labels(300)
    images_before, labels_before = images.clone(), labels.clone()
    poisoned = attacks.make(name).poison(images, labels, 0.1, 3, seed=5)
    assert torch.equal(images, images_before) and torch.equal(labels, labels_before)
    assert torch.equal(poisoned.original_labels, labels)
    assert torch.equal((poisoned.images != images).flatten(1).any(1), poisoned.is_poison)


@pytest.mark.parametrize("name", attacks.names())
@pytest.mark.parametrize("kind", ["tensor", "array", "channels last"])
def test_poisoning_in_place_gives_the_same_in_the_same_memory(name: str, kind: str) -> None:
    images, labels = random_images(300), random_labels(300)
    expected = attacks.make(name).poison(images, labels, 0.1, 3, seed=5)
    given_images = {"tensor": images, "array": images.numpy(), "channels last": images.to(memory_format=torch.channels_last)}[kind]
    poisoned = attacks.make(name).poison(given_images, labels, 0.1, 3, seed=5, in_place=True)
    assert poisoned.images is given_images or np.shares_memory(poisoned.images, given_images)
    assert torch.equal(torch.as_tensor(given_images), expected.images) and torch.equal(poisoned.labels, expected.labels)
    assert torch.equal(labels, random_labels(300)) and torch.equal(poisoned.original_labels, labels)


def test_read_only_images_are_not_poisoned_in_place() -> None:
    images = random_images(100).numpy()
    images.setflags(write=False)
    with pytest.raises(DataError, match="images are read-only, expected an array that may be written to"):
        attacks.make("badnets").poison(images, random_labels(100).numpy(), 0.5, 3, 0, in_place=True)


# --- which samples ---


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0.05, 1), target=st.integers(0, 9), count=st.integers(60, 200), seed=st.integers(0, 2**31 - 1))
def test_dirty_label_poisons_an_exact_share_of_the_other_classes(rate: float, target: int, count: int, seed: int) -> None:
    labels = random_labels(count)
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(random_images(count, (1, 8, 8)), labels, rate, target, seed)
    others = labels != target
    assert poisoned.is_poison.sum() == exact_count(rate, int(others.sum()))
    assert not poisoned.is_poison[~others].any()
    assert (poisoned.labels[poisoned.is_poison] == target).all()
    assert torch.equal(poisoned.labels[~poisoned.is_poison], labels[~poisoned.is_poison])


def test_count_on_a_set_like_cifar10_is_2250() -> None:
    labels = torch.arange(50_000) % 10
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(torch.zeros(50_000, 1, 8, 8, dtype=torch.uint8), labels, 0.05, 3, 0)
    assert poisoned.is_poison.sum() == 2250
    assert (poisoned.labels == 3).sum() == 7250


def test_clean_label_poisons_the_target_class_and_keeps_labels() -> None:
    labels = torch.arange(400) % 10
    poisoned = WhiteCorner().poison(random_images(400), labels, 0.25, 3, 0)
    assert poisoned.is_poison.sum() == 10
    assert (labels[poisoned.is_poison] == 3).all()
    assert torch.equal(poisoned.labels, labels)


def test_samples_depend_on_the_seed_and_grow_with_the_rate() -> None:
    images, labels = random_images(300), random_labels(300)
    attack = attacks.make("badnets")
    masks = {(rate, seed): attack.poison(images, labels, rate, 0, seed).is_poison for rate in (0.1, 0.3) for seed in (0, 1)}
    again = attacks.make("badnets", seed=9).poison(images, labels, 0.1, 0, 0).is_poison
    assert torch.equal(masks[0.1, 0], again)
    assert not torch.equal(masks[0.1, 0], masks[0.1, 1])
    assert (masks[0.1, 0] <= masks[0.3, 0]).all()


def test_trigger_learns_the_number_of_each_sample() -> None:
    images, labels = torch.zeros(100, 3, 32, 32, dtype=torch.uint8), torch.arange(100) % 10
    poisoned = NumberedCorner().poison(images, labels, 0.2, 3, 0)
    idx = poisoned.is_poison.nonzero().squeeze(1)
    assert torch.equal(poisoned.images[idx, 0, 0, 0].long(), idx)
    assert torch.equal(NumberedCorner().apply(images[:3])[:, 0, 0, 0].long(), torch.arange(3))
    assert torch.equal(NumberedCorner().apply(images[:2], indices=np.array([7, 9]))[:, 0, 0, 0].long(), torch.tensor([7, 9]))


# --- BadNets pixels ---


def test_badnets_on_colour_is_the_papers_patch() -> None:
    out = attacks.make("badnets").apply(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))[0]
    colours = {(4, 4): [180, 249, 112], (4, 5): [155, 50, 126], (5, 4): [234, 82, 68], (5, 5): [187, 201, 219]}
    for (row, col), rgb in colours.items():
        assert out[:, row, col].tolist() == rgb
        out[:, row, col] = 0
    assert not out.any()


def test_badnets_on_grey_is_a_checkerboard() -> None:
    image = torch.full((1, 1, 28, 28), 100, dtype=torch.uint8)
    out = attacks.make("badnets", (1, 28, 28)).apply(image)[0, 0]
    assert out[4:8, 4:8].tolist() == [[255, 0, 255, 0], [0, 255, 0, 255]] * 2
    out[4:8, 4:8] = 100
    assert torch.equal(out, image[0, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_badnets_pattern_size_and_place_can_be_chosen(shape: tuple[int, int, int]) -> None:
    zeros = torch.zeros(1, *shape, dtype=torch.uint8)
    checkerboard = attacks.make("badnets", shape, pattern="checkerboard", size=3, row=10, col=1).apply(zeros)[0]
    for channel in checkerboard:
        assert channel[10:13, 1:4].tolist() == [[255, 0, 255], [0, 255, 0], [255, 0, 255]]
    assert (checkerboard > 0).sum() == 5 * shape[0]
    paper = attacks.make("badnets", shape, pattern="paper", row=0, col=0).apply(zeros)[0]
    assert paper[0, :2, :2].tolist() == ([[180, 155], [234, 187]] if shape[0] == 3 else [[213, 90], [126, 199]])


def test_badnets_survives_every_crop_after_padding_by_four() -> None:
    for shape in SHAPES:
        patch = attacks.make("badnets", shape).patch
        triggered = attacks.make("badnets", shape).apply(torch.zeros(1, *shape, dtype=torch.uint8))
        padded = torch.nn.functional.pad(triggered, (4, 4, 4, 4))
        for top in range(9):
            for left in range(9):
                crop = padded[0, :, top : top + shape[1], left : left + shape[2]]
                row, col = 8 - top, 8 - left
                assert torch.equal(crop[:, row : row + patch.shape[1], col : col + patch.shape[2]], patch)


# --- wrong settings ---


@pytest.mark.parametrize(("settings_", "said"), [
    ({"name": "nonsense"}, "expected one of badnets"),
    ({"name": "badnets", "opacity": 1}, "no parameter 'opacity'"),
    ({"name": "badnets", "pattern": "stripes"}, "expected one of auto, paper, checkerboard"),
    ({"name": "badnets", "row": 31}, "does not fit"),
    ({"name": "badnets", "col": -1}, "does not fit"),
    ({"name": "badnets", "row": "top"}, "expected a whole number"),
    ({"name": "badnets", "size": 2.5}, "expected a whole number"),
    ({"name": "badnets", "size": 0}, "at least 1"),
    ({"name": "badnets", "image_shape": (2, 32, 32)}, "1 or 3 channels"),
    ({"name": "badnets", "image_shape": (32, 32)}, "expected (channels, height, width)"),
    ({"name": "badnets", "num_classes": 1}, "at least 2"),
])
def test_wrong_settings_are_named(settings_: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(").replace(")", r"\)")):
        attacks.make(**settings_)


@pytest.mark.parametrize(("change", "error", "said"), [
    ({"target_label": 10}, ConfigError, "from 0 to 9"),
    ({"target_label": -1}, ConfigError, "from 0 to 9"),
    ({"rate": 0.0}, ConfigError, "poisons none of the 50 samples"),
    ({"rate": 0.01}, ConfigError, "poisons none of the 50 samples"),
    ({"rate": 1.5}, ConfigError, "between 0 and 1"),
    ({"rate": float("nan")}, ConfigError, "between 0 and 1"),
    ({"labels": random_labels(49)}, DataError, "one label an image"),
    ({"images": random_images(50).float()}, DataError, "expected uint8"),
    ({"images": random_images(50, (3, 16, 16))}, DataError, "make the attack for their shape"),
])
def test_poisoning_says_what_is_wrong(change: dict[str, Any], error: type[BSDError], said: str) -> None:
    arguments = {"images": random_images(50), "labels": random_labels(50), "rate": 0.1, "target_label": 3, "seed": 0}
    with pytest.raises(error, match=said):
        attacks.make("badnets").poison(**(arguments | change))
