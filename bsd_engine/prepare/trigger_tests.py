"""Test images with the trigger, on which the attack success rate (ASR) is measured."""

from __future__ import annotations

import torch
from torch import Tensor

from bsd_engine.attacks import Attack
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.data import dataset
from bsd_engine.data.dataset import ImageData


def triggered_test(
    attack: Attack | None, source: ImageData, settings: AttackConfig
) -> tuple[Tensor | None, Tensor | None]:
    """(M, H, W, C) uint8 test images with the trigger and (M,) int64, the labels that the attacker wants for them.

    These are the test images that count for the ASR. Both are None without an attack, or if no test image counts.
    """
    if attack is None or source.test_images is None or source.test_labels is None:
        return None, None
    counted = attack.test_mask(source.test_labels, settings.target_label)
    idx = (counted if settings.asr_exclude_target else torch.ones_like(counted)).nonzero().squeeze(1)
    if len(idx) == 0:
        return None, None
    wanted_labels = attack.test_labels(source.test_labels[idx], settings.target_label)
    return _with_trigger(attack, source.test_images, idx), wanted_labels


def _with_trigger(attack: Attack, test_images: Tensor, idx: Tensor) -> Tensor:
    """(M, H, W, C) uint8: the chosen ones of (N, C, H, W) test images with the trigger, made a part at a time."""
    channels, height, width = test_images.shape[1:]
    images = torch.empty(len(idx), height, width, channels, dtype=torch.uint8)
    start = 0
    for part in dataset.chunks(images):
        chosen = idx[start : start + len(part)]
        part.copy_(attack.apply(test_images[chosen].contiguous(), chosen).permute(0, 2, 3, 1))
        start += len(part)
    return images
