"""Networks made from settings: their size, known before they are built, and their initial weights."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from bsd_engine.compute import runtime
from bsd_engine.compute.architectures import NARROWEST, Network, build
from bsd_engine.compute.memory import check_fits
from bsd_engine.config.data_settings import TORCHVISION, ModelConfig
from bsd_engine.errors import ConfigError

_FLOAT_BYTES = 4
# Two threads that build networks at once would draw from each other's seed: the process has one global generator.
_SEEDING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class NetworkSize:
    """Bytes that a network takes in float32."""

    weights: int
    """Of its parameters and running statistics."""
    activations: int
    """Of what its convolutions and linear layers return for one image; a backward pass needs at least these."""


@lru_cache(maxsize=64)
def network_size(config: ModelConfig, image_shape: tuple[int, int, int], num_classes: int) -> NetworkSize:
    """The size of a network for (H, W, C) images, found from narrow networks of the same kind.

    The number of weights is quadratic in the width, so three widths give that of any other.

    Raises `ConfigError` for an unknown network, or one that cannot take images of that size.
    """
    name, channels = config.model, image_shape[2]
    with _SEEDING, torch.random.fork_rng(devices=[]):
        if name.startswith(TORCHVISION):
            network = _without_values(name, channels, num_classes)
            return NetworkSize(weights=_weights(network), activations=activation_bytes(network, name, image_shape))
        narrow = NARROWEST[name]
        networks = [build(name, channels_in=channels, num_classes=num_classes, width=k * narrow) for k in (1, 2, 3)]
    one, two, three = map(_weights, networks)
    x = config.width / narrow  # the parabola through the three
    weights = one * (x - 2) * (x - 3) / 2 - two * (x - 1) * (x - 3) + three * (x - 1) * (x - 2) / 2
    logits = _FLOAT_BYTES * num_classes
    activations = x * (activation_bytes(networks[0], name, image_shape) - logits) + logits
    return NetworkSize(weights=round(weights), activations=round(activations))


def _without_values(name: str, channels: int, num_classes: int) -> Network:
    """A network of torchvision on torch's meta device, which knows shapes and holds no values."""
    try:
        with torch.device("meta"):
            return build(name, channels_in=channels, num_classes=num_classes, width=0)
    except NotImplementedError:  # RegNet computes with values while it is built
        return build(name, channels_in=channels, num_classes=num_classes, width=0)


def _weights(network: Network) -> int:
    return sum(t.numel() * t.element_size() for t in network.state_dict().values())


def activation_bytes(network: nn.Module, name: str, image_shape: tuple[int, int, int]) -> int:
    """Bytes of what a network's convolutions and linear layers return for one (H, W, C) image.

    The network, called `name` in messages, may be on the meta device. Raises `ConfigError` if it cannot take the image.
    """
    returned: list[int] = []

    def count(module: nn.Module, inputs: object, output: Tensor) -> None:
        returned.append(output.numel())

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        _check_size(network, name, image_shape)
    finally:
        for hook in hooks:
            hook.remove()
    return _FLOAT_BYTES * sum(returned)


def width_setting(config: ModelConfig) -> tuple[str, str | int]:
    """Name and value of the setting that makes a network large."""
    return ("model", config.model) if config.model.startswith(TORCHVISION) else ("width", config.width)


def seeded(config: ModelConfig, image_shape: Sequence[int], num_classes: int, seed: int) -> Network:
    """A new network for (..., H, W, C) images whose weights are a function of the seed.

    The global random generator is left unchanged.

    Raises `ConfigError` if the network cannot be built, does not fit into memory, or cannot take images of that size.
    """
    height, width, channels = image_shape[-3:]
    size = network_size(config, (height, width, channels), num_classes)
    check_fits(*width_setting(config), size.weights)
    check_fits("image_size", height, size.activations)
    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(config.model, channels_in=channels, num_classes=num_classes, width=config.width)


@torch.inference_mode()
def _check_size(network: nn.Module, name: str, image_shape: tuple[int, int, int]) -> None:
    """Raise `ConfigError` if the network fails on one blank image: few networks say which sizes they accept."""
    height, width, channels = image_shape
    network.eval()
    try:
        with runtime.intra_op_threads(1):
            network(torch.zeros(1, channels, height, width, device=next(network.parameters()).device))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ConfigError(
            f"model is {name!r}, which cannot take images of {height}x{width} pixels ({reason}). "
            "Choose another network, or images of the size that it is made for."
        ) from None


def on_device(network: Network, device: torch.device) -> Network:
    """The network moved to a device, its weights in channels_last order like the images."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
