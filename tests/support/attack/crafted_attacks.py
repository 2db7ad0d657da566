"""Attacks that craft their trigger, made small enough for tests, and what their surrogates say."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.craft.surrogate import Surrogate

SHAPE = (1, 16, 16)
TARGET = 1
CRAFTED = ["label_consistent", "narcissus", "adaptive"]
TINY: dict[str, dict[str, Any]] = {
    "label_consistent": {"surrogate_epochs": 3, "steps": 8},
    "narcissus": {"surrogate_epochs": 3, "rounds": 30, "scene_count": 60, "others": "classes"},
    "adaptive": {"surrogate_epochs": 3, "sample": 50},
}


def faint_stripes() -> tuple[Tensor, Tensor]:
    """150 images of 16x16 pixels in three classes a few grey levels apart: rows, columns or nothing, under noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(150) % 3
    wave = 12 * torch.sign(torch.sin(torch.arange(16) * 1.6))
    patterns = torch.stack([wave[:, None].expand(16, 16), wave[None, :].expand(16, 16), torch.zeros(16, 16)])
    noise = 25 * torch.randn(150, *SHAPE, generator=generator)
    return (128 + patterns[labels][:, None] + noise).round().clamp(0, 255).byte(), labels


def made(name: str, **changes: Any) -> attacks.Attack:
    return attacks.make(name, SHAPE, 3, **{**TINY[name], **changes})


def poisoned_images(name: str, rate: float = 0.5, **changes: Any) -> Tensor:
    images, labels = faint_stripes()
    return made(name, **changes).poison(images, labels, rate, TARGET, 0).images


def surrogate_of(attack: attacks.Attack, eps: float = 0.0) -> Surrogate:
    """The network that the attack trained."""
    images, labels = faint_stripes()
    return attack._trained(images.permute(0, 2, 3, 1).contiguous(), labels, 3, eps)


def loss(network: Surrogate, images: Tensor, label: int = TARGET) -> float:
    """Mean cross-entropy of uint8 images to one label, nats."""
    return F.cross_entropy(network.logits(images.float()), torch.full((len(images),), label)).item()


def random_signs(delta: Tensor) -> Tensor:
    """A perturbation with the same sizes and random signs."""
    return delta * (2 * torch.randint(0, 2, delta.shape, generator=torch.Generator().manual_seed(7)) - 1).short()


def refused(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("this should have come from the cache")
