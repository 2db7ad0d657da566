"""Attacks with noise samples of their own kind: adaptive blend and the source-specific patch."""

import pytest
import torch

from bsd_engine import attacks
from bsd_engine.errors import ConfigError
from tests.support.attack.simple_attacks import random_images

LABELS = torch.arange(500) % 10


# --- adaptive blend ---


def test_adaptive_blend_puts_half_of_the_pieces_on_each_training_image() -> None:
    images = torch.zeros(500, 3, 32, 32, dtype=torch.uint8)
    attack = attacks.make("adaptive_blend", training_opacity=1.0)
    poisoned = attack.poison(images, LABELS, 0.1, 3, 0)
    overlay = attack.picture.round().byte()
    seen = set()
    for i in poisoned.is_poison.nonzero().squeeze(1).tolist():
        carried = (poisoned.images[i] == overlay).all(0).view(4, 8, 4, 8).all(3).all(1)
        untouched = (poisoned.images[i] == 0).all(0).view(4, 8, 4, 8).all(3).all(1)
        assert carried.sum() == 8 and torch.equal(carried, ~untouched)
        seen.add(tuple(carried.flatten().tolist()))
    assert len(seen) > 40  # of 45 poisoned images


def test_adaptive_blend_is_stronger_at_test_time_and_covers_the_whole_image() -> None:
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    attack = attacks.make("adaptive_blend")
    assert torch.equal(attack.apply(images)[0], (0.2 * attack.picture).round().byte())
    assert torch.equal(attacks.make("adaptive_blend", opacity=0.0).apply(images), images)


def test_adaptive_blend_has_as_many_noise_samples_as_poisoned_ones() -> None:
    poisoned = attacks.make("adaptive_blend").poison(random_images(500), LABELS, 0.1, 3, 0)
    noisy = poisoned.is_noise
    assert noisy.sum() == poisoned.is_poison.sum() == 45 and not (noisy & poisoned.is_poison).any()
    assert torch.equal(poisoned.labels[noisy], LABELS[noisy])
    none = attacks.make("adaptive_blend", noise_rate=0.0).poison(random_images(500), LABELS, 0.1, 3, 0)
    assert none.is_noise is None


@pytest.mark.parametrize(("shape", "pieces"), [((1, 28, 28), 4), ((3, 31, 33), 3), ((3, 224, 224), 4)])
def test_adaptive_blend_covers_images_of_any_size(shape: tuple[int, int, int], pieces: int) -> None:
    attack = attacks.make("adaptive_blend", shape, pieces=pieces, kept=1.0, training_opacity=1.0)
    images = torch.zeros(20, *shape, dtype=torch.uint8)
    poisoned = attack.poison(images, LABELS[:20], 0.2, 3, 0)
    assert (poisoned.images[poisoned.is_poison] == attack.picture.round().byte()).all()


# --- source-specific patch ---


def test_the_source_specific_patch_poisons_its_source_alone() -> None:
    images = random_images(500)
    poisoned = attacks.make("source_specific", source=7).poison(images, LABELS, 0.4, 3, 0)
    assert poisoned.is_poison.sum() == 20 and (LABELS[poisoned.is_poison] == 7).all()
    assert (poisoned.labels[poisoned.is_poison] == 3).all()
    noisy = poisoned.is_noise
    assert noisy.sum() == 20 and torch.equal(poisoned.labels[noisy], LABELS[noisy])
    assert not {3, 7} & set(LABELS[noisy].tolist())
    patched = attacks.make("badnets").apply(images)
    assert torch.equal(poisoned.images[noisy], patched[noisy])
    assert torch.equal(poisoned.images[poisoned.is_poison], patched[poisoned.is_poison])


def test_a_source_that_is_the_target_gives_way_to_the_next_class() -> None:
    poisoned = attacks.make("source_specific", source=9).poison(random_images(500), LABELS, 0.4, 9, 0)
    assert (LABELS[poisoned.is_poison] == 0).all()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("source_specific", {"source": 10}, "source is 10, expected a number between 0 and 9."),
        ("source_specific", {"noise_rate": -1.0}, "noise_rate is -1.0, expected a number between 0 and 100."),
        ("adaptive_blend", {"pieces": 0}, "pieces is 0, expected a number between 1 and 32."),
        ("adaptive_blend", {"kept": 1.5}, "kept is 1.5, expected a number between 0 and 1."),
        ("adaptive_blend", {"training_opacity": 2.0}, "training_opacity is 2.0, expected a number between 0 and 1."),
    ],
)
def test_wrong_parameters_are_refused(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        attacks.make(name, **parameters)
