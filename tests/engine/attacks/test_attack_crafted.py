"""Attacks that are crafted with a surrogate: bounds, directions, determinism, and what is kept on disk."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.craft import pgd
from bsd_engine.errors import ConfigError
from tests.support.attack.crafted_attacks import (
    CRAFTED,
    SHAPE,
    TARGET,
    faint_stripes,
    loss,
    made,
    poisoned_images,
    random_signs,
    surrogate_of,
)

pytestmark = pytest.mark.usefixtures("one_thread", "cache")


# --- PGD ---


@pytest.mark.parametrize(("eps", "bound"), [(16.0, 16), (2.0, 2), (5.7, 5), (0.5, 0)])
def test_pgd_stays_inside_its_bound_in_whole_levels(eps: float, bound: int) -> None:
    images = torch.tensor([0, 3, 128, 252, 255], dtype=torch.uint8).view(1, 1, 1, 5)
    up = pgd.ascend(
        lambda d: torch.tensor([1.0, -1, 1, -1, 1]).view(1, 1, 1, 5),
        torch.zeros(1, 1, 1, 5),
        eps=eps,
        step=1.5,
        steps=30,
    )
    moved = pgd.add(images, pgd.whole_levels(up, eps)).flatten().tolist()
    assert moved == [bound, max(0, 3 - bound), 128 + bound, 252 - bound, 255]


def test_pgd_walks_by_its_step_and_stands_still_without_a_gradient() -> None:
    walked = pgd.ascend(lambda d: torch.tensor([3.0, -0.01, 0.0]), torch.zeros(3), eps=100, step=1.5, steps=4)
    assert walked.tolist() == [6.0, -6.0, 0.0]


def test_the_gradient_is_that_of_the_loss_and_ends_where_pixels_do() -> None:
    images, delta = torch.tensor([[[[10.0, 250.0]]], [[[20.0, 254.0]]]]), torch.tensor([[[[1.0, 9.0]]]])
    found = pgd.gradient(lambda x: x.square().sum(), images, delta)
    assert found.flatten().tolist() == [2 * 11 + 2 * 21, 0.0]
    assert torch.equal(pgd.summed_gradient(lambda x: x.square().sum(), images.split(1), delta), found)


@pytest.mark.parametrize("noise", ["pgd_robust", "pgd_standard"])
def test_label_consistent_changes_images_within_eps_and_adds_the_patch(noise: str) -> None:
    images, labels = faint_stripes()
    poisoned = made("label_consistent", noise=noise, eps=9.0).poison(images, labels, 0.5, TARGET, 0)
    patched = attacks.make("badnets", SHAPE, 3).apply(images)
    away = (patched != attacks.make("badnets", SHAPE, 3).apply(255 - images)).all(0).expand(150, -1, -1, -1)
    change = (poisoned.images.short() - images.short()).abs()
    assert change[away].max() == 9 and (change * away)[poisoned.is_poison].flatten(1).max(1).values.min() == 9
    assert torch.equal(poisoned.images[poisoned.is_poison][:, ~away[0]], patched[poisoned.is_poison][:, ~away[0]])


# --- what the perturbations do to the surrogate ---


def test_label_consistent_raises_the_loss_more_than_random_signs_do() -> None:
    images, labels = faint_stripes()
    attack = made("label_consistent", noise="pgd_standard", eps=6.0)
    idx = (labels == TARGET).nonzero().squeeze(1)
    delta, network = attack._noise(images.permute(0, 2, 3, 1).contiguous(), labels, idx), surrogate_of(attack)
    clean, moved, random = (
        loss(network, x) for x in (images[idx], pgd.add(images[idx], delta), pgd.add(images[idx], random_signs(delta)))
    )
    assert moved > clean + 0.2 and moved > random + 0.2


def test_adversarial_training_makes_the_network_harder_to_move() -> None:
    images, labels = faint_stripes()
    rise = {}
    for noise, eps in (("pgd_standard", 0.0), ("pgd_robust", 6.0)):
        attack = made("label_consistent", noise=noise, eps=6.0)
        network, idx = surrogate_of(attack, eps), (labels == TARGET).nonzero().squeeze(1)
        delta = attack._noise(images.permute(0, 2, 3, 1).contiguous(), labels, idx)
        rise[noise] = loss(network, pgd.add(images[idx], delta)) - loss(network, images[idx])
    assert 0 < rise["pgd_robust"] < rise["pgd_standard"]


def test_narcissus_lowers_the_loss_for_the_target_on_images_of_other_classes() -> None:
    images, labels = faint_stripes()
    attack = made("narcissus", surrogate_epochs=15, batch_norm="running")
    attack.poison(images, labels, 0.5, TARGET, 0)
    others, network = images[labels != TARGET], surrogate_of(attack)
    noisy = attack.apply(others)
    assert loss(network, noisy) < loss(network, others) - 0.1
    assert loss(network, noisy) < loss(network, pgd.add(others, 3 * random_signs(attack.delta)))


@pytest.mark.parametrize(
    ("objective", "average"), [("centroid", "gradient"), ("logit", "gradient"), ("centroid", "perturbation")]
)
def test_adaptive_moves_images_towards_the_target(objective: str, average: str) -> None:
    images, labels = faint_stripes()
    attack = made("adaptive", objective=objective, average=average)
    attack.poison(images, labels, 0.5, TARGET, 0)
    network, others = surrogate_of(attack), images[labels != TARGET]
    centre = network.features(images[labels == TARGET].float()).mean(0)

    def distance(x: Tensor) -> float:
        """What the attack's objective lowers: the distance to the target's mean feature, or the loss for its label."""
        if objective == "logit":
            return loss(network, x)
        return (network.features(x.float()) - centre).square().sum(1).mean().item()

    assert distance(attack.apply(others)) < distance(others)
    assert distance(attack.apply(others)) < distance(pgd.add(others, random_signs(attack.delta)))
    assert attack.delta.abs().max() <= 8


# --- noise of a set ---


def test_narcissus_is_stronger_at_test_time() -> None:
    images, labels = faint_stripes()
    attack = made("narcissus", eps=8.0, amplification=2.5)
    poisoned = attack.poison(images, labels, 0.5, TARGET, 0)
    assert 0 < attack.delta.abs().max() <= 8
    hit = poisoned.is_poison
    assert torch.equal(poisoned.images[hit], pgd.add(images[hit], attack.delta))
    assert torch.equal(attack.apply(images), pgd.add(images, (2.5 * attack.delta).round().short()))


@pytest.mark.parametrize("name", ["narcissus", "adaptive"])
def test_apply_has_the_noise_of_the_set_that_was_poisoned_last(name: str) -> None:
    images, labels = faint_stripes()
    attack = made(name)
    alone = attack.apply(images)
    attack.poison(images, labels, 0.5, TARGET, 0)
    first = attack.apply(images)
    attack.poison(images, labels, 0.5, 2, 0)
    second = attack.apply(images)
    attack.poison(images, labels, 0.9, TARGET, 3)  # neither rate nor choice of samples changes the noise
    assert not torch.equal(alone, first) and not torch.equal(first, second) and torch.equal(attack.apply(images), first)
    assert attack == made(name) and "delta" not in repr(attack)


# --- wrong settings ---


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("label_consistent", {"noise": "pgd"}, "expected one of pgd_robust, pgd_standard, none."),
        ("label_consistent", {"eps": 300.0}, "eps is 300.0, expected a number between 0 and 255."),
        ("label_consistent", {"steps": 0}, "steps is 0, expected a number between 1 and 10000."),
        ("label_consistent", {"row": 15}, "does not fit into images of 16x16; choose another row and col."),
        ("narcissus", {"amplification": -1.0}, "amplification is -1.0, expected a number between 0 and 255."),
        ("narcissus", {"others": "photographs"}, "expected one of scenes, classes."),
        ("narcissus", {"scene_count": 4}, "scene_count is 4, expected a number between 8 and 1e+06."),
        ("adaptive", {"objective": "loss"}, "expected one of centroid, logit."),
        ("adaptive", {"average": "none"}, "expected one of gradient, perturbation."),
        ("adaptive", {"sample": 0}, "sample is 0, expected a number between 1 and 1e+07."),
        ("adaptive", {"surrogate": "vgg"}, "The surrogate's model is 'vgg', expected one of"),
        ("adaptive", {"surrogate_width": 4}, "The surrogate's width is 4, expected"),
        ("narcissus", {"surrogate_epochs": 0}, "surrogate_epochs is 0, expected a number between 1 and 1000."),
    ],
)
def test_wrong_settings_are_named(name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        made(name, **changes)
    assert said in str(error.value)


@pytest.mark.parametrize("name", CRAFTED)
def test_images_too_small_for_a_network_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="The images are 7x16 pixels, expected at least 8 each way"):
        attacks.make(name, (1, 7, 16), **({"row": 0} if name == "label_consistent" else {}))


def test_a_network_that_cannot_take_the_images_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot take images of 16x16 pixels"):
        poisoned_images("adaptive", surrogate="torchvision:alexnet", surrogate_width=64)


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("adaptive", 0, "No image has the target label 1, towards which the noise is to lead"),
        ("narcissus", 1, "The number of images with the target label 1 is 1, expected at least 2"),
    ],
)
def test_a_target_without_images_is_refused(name: str, count: int, said: str) -> None:
    images, labels = faint_stripes()
    labels[(labels == TARGET).nonzero().squeeze(1)[count:]] = 0
    with pytest.raises(ConfigError, match=said):
        made(name).poison(images, labels, 1.0, TARGET, 0)
