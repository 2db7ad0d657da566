"""The least memory that a training takes, worked out from its settings before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bsd_engine.compute import runtime
from bsd_engine.compute.memory import check_fits, free_bytes
from bsd_engine.compute.models import NetworkSize, network_size, width_setting
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.config.settings import BSDConfig
from bsd_engine.prepare.prepare import PreparedData

Need = tuple[str, object, float]
"""Name and value of a setting, and the bytes that are needed because of it."""
_ADAM, _SGD = 4, 3  # copies of the weights: themselves, gradients, and two averages or one
_PLAN_BYTES = 33  # of one row in a `MixMatchPlan`


def check_memory(config: BSDConfig, prepared: PreparedData) -> None:
    """Raise `ConfigError` if BSD cannot be trained in the memory that is free; it names the setting that takes most.

    What is added up is the least that is needed: a training that passes may still run out of memory.
    """
    f, g = _size(config.model, prepared), _size(config.altruistic_network, prepared)
    mix, images = config.mixmatch, len(prepared.labels)
    needs: list[Need] = [
        (*width_setting(config.model), _ADAM * (f.weights + g.weights)),
        ("labeled_batch", mix.labeled_batch, _activations(config, f, mix.labeled_batch)),
        ("unlabeled_batch", mix.unlabeled_batch, _activations(config, f, 2 * mix.unlabeled_batch)),
        _altruistic_batch(config, g, images),
        (
            "iterations",
            config.schedule.iterations,
            _PLAN_BYTES * config.schedule.iterations * (mix.labeled_batch + 2 * mix.unlabeled_batch),
        ),
    ]
    if config.split.all_to_all == "retrain_each":
        needs.append(("all_to_all", "retrain_each", _ADAM * prepared.num_classes * f.weights))
    _check(config, needs)


def check_plain_memory(config: BSDConfig, prepared: PreparedData) -> None:
    """The same for plain training without a defence."""
    size = _size(config.model, prepared)
    weights: Need = (*width_setting(config.model), _SGD * size.weights)
    _check(config, [weights, _altruistic_batch(config, size, len(prepared.labels))])


def _size(model: ModelConfig, prepared: PreparedData) -> NetworkSize:
    height, width, channels = prepared.images.shape[1:]
    return network_size(model, (height, width, channels), prepared.num_classes)


def _altruistic_batch(config: BSDConfig, size: NetworkSize, images: int) -> Need:
    batch = config.altruistic.altruistic_batch
    return "altruistic_batch", batch, _activations(config, size, min(batch, images))


def _activations(config: BSDConfig, size: NetworkSize, images: int) -> float:
    chosen = runtime.choose(config.device, config.precision)
    return size.activations * images / (1 if chosen.autocast_dtype is None else 2)


def _check(config: BSDConfig, needs: Sequence[Need]) -> None:
    """Raise `ConfigError` if the needs together exceed the free memory, of the GPU if there is one."""
    device = runtime.choose(config.device, config.precision).device
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_bytes()
    setting, value, _ = max(needs, key=lambda need: need[2])
    check_fits(setting, value, sum(bytes_ for _, _, bytes_ in needs), free=free)
