"""Every attack's promises: which samples it changes, how they are labelled, and what it says to wrong settings."""

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.base import Attack
from bsd_engine.config.data_settings import PoisonCountMode
from bsd_engine.errors import BSDError, ConfigError, DataError
from bsd_engine.splits import exact_count

ROOT = Path(__file__).parents[3]
SHAPES = [(3, 32, 32), (1, 28, 28)]
ALL_SHAPES = [(channels, side, side) for channels in (1, 3) for side in (28, 32, 224)]


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
@pytest.mark.parametrize("shape", ALL_SHAPES, ids=str)
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
    for field in ("images", "labels", "is_poison", "original_labels", *(["is_noise"] if name == "wanet" else [])):
        array, tensor = getattr(from_arrays, field), getattr(from_tensors, field)
        assert isinstance(array, np.ndarray) and np.array_equal(array, tensor.numpy()), field


@pytest.mark.parametrize("name", attacks.names())
def test_only_poisoned_samples_differ_and_the_inputs_do_not(name: str) -> None:
    images, labels = random_images(300), random_labels(300)
    images_before, labels_before = images.clone(), labels.clone()
    poisoned = attacks.make(name).poison(images, labels, 0.1, 3, seed=5)
    assert torch.equal(images, images_before) and torch.equal(labels, labels_before)
    assert torch.equal(poisoned.original_labels, labels)
    changed = poisoned.is_poison if poisoned.is_noise is None else poisoned.is_poison | poisoned.is_noise
    assert torch.equal((poisoned.images != images).flatten(1).any(1), changed)
    assert torch.equal(poisoned.labels[~poisoned.is_poison], labels[~poisoned.is_poison])


@pytest.mark.parametrize("name", attacks.names())
def test_memory_layout_and_batches_change_nothing(name: str) -> None:
    images, labels = random_images(700, (3, 28, 28)), random_labels(700)  # more than are changed at a time
    attack = attacks.make(name, (3, 28, 28))
    triggered = attack.apply(images)
    assert torch.equal(attack.apply(images.contiguous(memory_format=torch.channels_last)), triggered)
    assert torch.equal(attack.apply(images[650:660], indices=torch.arange(650, 660)), triggered[650:660])
    poisoned = attack.poison(images, labels, None, 3, 0)
    assert torch.equal(
        attack.poison(images.contiguous(memory_format=torch.channels_last), labels, None, 3, 0).images, poisoned.images
    )


def test_same_seed_same_bytes_in_another_process() -> None:
    """What is drawn does not depend on what was drawn before, nor on Python's own hashes."""
    code = """
import hashlib, torch
from bsd_engine import attacks
images = torch.arange(60 * 3 * 32 * 32).view(60, 3, 32, 32).mul(7919).remainder(251).byte()
for name in attacks.names():
    poisoned = attacks.make(name, seed=4).poison(images, torch.arange(60) % 3, 0.5, 1, 2)
    print(name, hashlib.sha256(poisoned.images.numpy().tobytes() + poisoned.labels.numpy().tobytes()).hexdigest())
"""
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(code, {})
    there = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert there.stdout == here.getvalue() and here.getvalue().count("\n") == len(attacks.names())


@pytest.mark.parametrize("name", attacks.names())
@pytest.mark.parametrize("kind", ["tensor", "array", "channels last"])
def test_poisoning_in_place_gives_the_same_in_the_same_memory(name: str, kind: str) -> None:
    images, labels = random_images(300), random_labels(300)
    expected = attacks.make(name).poison(images, labels, 0.1, 3, seed=5)
    given_images = {
        "tensor": images,
        "array": images.numpy(),
        "channels last": images.to(memory_format=torch.channels_last),
    }[kind]
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
def test_dirty_label_poisons_an_exact_share_of_the_other_classes(
    rate: float, target: int, count: int, seed: int
) -> None:
    labels = random_labels(count)
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(random_images(count, (1, 8, 8)), labels, rate, target, seed)
    others = labels != target
    assert poisoned.is_poison.sum() == exact_count(rate, int(others.sum()))
    assert not poisoned.is_poison[~others].any()
    assert (poisoned.labels[poisoned.is_poison] == target).all()
    assert torch.equal(poisoned.labels[~poisoned.is_poison], labels[~poisoned.is_poison])


def test_count_on_a_set_like_cifar10_is_2250() -> None:
    labels = torch.arange(50_000) % 10
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(
        torch.zeros(50_000, 1, 8, 8, dtype=torch.uint8), labels, 0.05, 3, 0
    )
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
    masks = {
        (rate, seed): attack.poison(images, labels, rate, 0, seed).is_poison for rate in (0.1, 0.3) for seed in (0, 1)
    }
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
    assert torch.equal(
        NumberedCorner().apply(images[:2], indices=np.array([7, 9]))[:, 0, 0, 0].long(), torch.tensor([7, 9])
    )


COUNTS = {  # of 400 samples, 40 of them of the target class, at rate .1
    "exact_nontarget": 36,
    "exact_all": 40,
    "exact_all_from_nontarget": 40,
}


@pytest.mark.parametrize("mode", get_args(PoisonCountMode))
def test_each_convention_counts_what_it_says(mode: PoisonCountMode) -> None:
    images, labels = random_images(400, (1, 8, 8)), torch.arange(400) % 10
    attack = attacks.make("badnets", (1, 8, 8))
    sets = [attack.poison(images, labels, 0.1, 3, seed, count_mode=mode) for seed in range(30)]
    counts = [int(s.is_poison.sum()) for s in sets]
    from_target = [int(s.is_poison[labels == 3].sum()) for s in sets]
    assert all((s.labels[s.is_poison] == 3).all() for s in sets)
    if mode == "bernoulli_nontarget":
        assert len(set(counts)) > 5 and abs(np.mean(counts) - 36) < 4
    else:
        assert set(counts) == {COUNTS[mode]}
    assert abs(np.mean(from_target) - 4) < 1.5 if mode == "exact_all" else not any(from_target)
    few, many = (attack.poison(images, labels, rate, 3, 0, count_mode=mode).is_poison for rate in (0.1, 0.3))
    assert (few <= many).all()


@pytest.mark.parametrize("name", attacks.names())
def test_clean_label_attacks_touch_neither_labels_nor_other_classes(name: str) -> None:
    images, labels = random_images(400), torch.arange(400) % 10
    for mode in get_args(PoisonCountMode):
        poisoned = attacks.make(name).poison(images, labels, 0.5, 3, 0, count_mode=mode)
        relabelled, taken = poisoned.labels != labels, set(labels[poisoned.is_poison].tolist())
        if attacks.kind(name).clean_label:
            assert (
                not relabelled.any() and taken == {3} and torch.equal(poisoned.images[labels != 3], images[labels != 3])
            )
            assert mode == "bernoulli_nontarget" or poisoned.is_poison.sum() == 20
        else:
            assert relabelled.any()


def test_without_a_rate_an_attack_has_its_own() -> None:
    images, labels = random_images(400), torch.arange(400) % 10
    counts = {
        name: int(attacks.make(name).poison(images, labels, None, 3, 0).is_poison.sum()) for name in attacks.names()
    }
    own = {"sig": 10, "label_consistent": 10, "narcissus": 10, "badnets_all2all": 20, "adaptive": 3}
    assert counts == {name: own.get(name, 18) for name in attacks.names()}


@pytest.mark.parametrize("name", attacks.names())
def test_which_test_images_count_and_what_is_success(name: str) -> None:
    labels = torch.tensor([0, 3, 9, 3])
    attack = attacks.make(name)
    every = name == "badnets_all2all"
    assert attack.test_mask(labels, 3).tolist() == ([True] * 4 if every else [True, False, True, False])
    assert attack.test_labels(labels, 3).tolist() == ([1, 4, 0, 4] if every else [3, 3, 3, 3])


# --- wrong settings ---


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"name": "nonsense"}, "expected one of badnets"),
        ({"name": "badnets", "opacity": 1}, "no parameter 'opacity'"),
        ({"name": "badnets", "pattern": "stripes"}, "expected one of auto, paper, checkerboard, glyph"),
        ({"name": "badnets", "row": 31}, "does not fit"),
        ({"name": "badnets", "col": -1}, "does not fit"),
        ({"name": "badnets", "row": "top"}, "expected a whole number"),
        ({"name": "badnets", "row": True}, "expected a whole number"),
        ({"name": "badnets", "image_shape": (1, 3, 3)}, "does not fit"),
        ({"name": "badnets", "size": 2.5}, "expected a whole number"),
        ({"name": "badnets", "size": 0}, "at least 1"),
        ({"name": "badnets", "image_shape": (2, 32, 32)}, "1 or 3 channels"),
        ({"name": "badnets", "image_shape": (32, 32)}, "expected (channels, height, width)"),
        ({"name": "badnets", "num_classes": 1}, "at least 2"),
    ],
)
def test_wrong_settings_are_named(settings_: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(").replace(")", r"\)")):
        attacks.make(**settings_)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"target_label": 10}, ConfigError, "from 0 to 9"),
        ({"target_label": -1}, ConfigError, "from 0 to 9"),
        ({"rate": 0.0}, ConfigError, "poisons none of the 50 samples"),
        ({"rate": 0.01}, ConfigError, "poisons none of the 50 samples"),
        ({"rate": 1.5}, ConfigError, "between 0 and 1"),
        ({"rate": -0.1}, ConfigError, "between 0 and 1"),
        ({"rate": 1.0, "count_mode": "exact_all_from_nontarget"}, ConfigError, "asks for 50 poisoned samples of"),
        ({"rate": 0.0, "count_mode": "bernoulli_nontarget"}, ConfigError, "poisons none"),
        ({"labels": torch.full((50,), 3)}, ConfigError, "poisons none"),
        ({"rate": float("nan")}, ConfigError, "between 0 and 1"),
        ({"labels": random_labels(49)}, DataError, "one label per image"),
        ({"images": random_images(50).float()}, DataError, "expected uint8"),
        ({"images": random_images(50, (3, 16, 16))}, DataError, "make the attack for their shape"),
    ],
)
def test_poisoning_says_what_is_wrong(change: dict[str, Any], error: type[BSDError], said: str) -> None:
    arguments = {"images": random_images(50), "labels": random_labels(50), "rate": 0.1, "target_label": 3, "seed": 0}
    with pytest.raises(error, match=said):
        attacks.make("badnets").poison(**(arguments | change))
