"""Every attack's promises: which samples it changes, how they are labelled, and what it says to wrong settings."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine import attacks
from bsd_engine.errors import BSDError, ConfigError, DataError
from tests.support.attack.simple_attacks import random_images, random_labels

ROOT = Path(__file__).parents[3]
SHAPES = [(3, 32, 32), (1, 28, 28)]
WITH_NOISE = ("wanet", "adaptive_blend", "source_specific")
ALL_SHAPES = [(channels, side, side) for channels in (1, 3) for side in (28, 32, 224)]


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
    for field in ("images", "labels", "is_poison", "original_labels", *(["is_noise"] if name in WITH_NOISE else [])):
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


@pytest.mark.slow
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
        ({"name": "badnets", "image_shape": (1, 3, 3)}, "a number between 1 and 3"),
        ({"name": "badnets", "size": 2.5}, "expected a whole number"),
        ({"name": "badnets", "size": 0}, "a number between 1 and 32"),
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
