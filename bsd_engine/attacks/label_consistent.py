"""Label-Consistent: images of the target class made hard to recognise, so that the model learns their patch instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.attacks.badnets import BadNets
from bsd_engine.attacks.base import Change
from bsd_engine.attacks.craft import cache, pgd
from bsd_engine.attacks.craft.surrogate import Surrogate, SurrogateAttack, runtime_key
from bsd_engine.attacks.parameters import check_range
from bsd_engine.compute import progress, runtime


@dataclass(frozen=True, kw_only=True)
class LabelConsistent(SurrogateAttack, BadNets):
    """The BadNets patch on images of the target class, which keep their labels; PGD first moves them out of their
    class.

    PGD raises the loss of the attacker's network for the label of each chosen image. At test time there is only the
    patch.

    Paper: table 2, as in ASD: 30 steps of 1.5/255 within 16/255, on a network that was trained by PGD against the same
    bound; ours is trained by fast-AT, single steps from random starts, which costs a quarter. Twenty epochs of plain
    training on the demo's images reach an ASR of 49 % at rate 0.7, 76 % at 0.9 and 85 % at 0.9 with eps 32 and step 3
    (seed 0).
    """

    clean_label: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.25

    noise: Literal["pgd_robust", "pgd_standard", "none"] = "pgd_robust"
    """pgd_robust: PGD on an adversarially trained network (paper); pgd_standard: on a plainly trained one; none: the
    patch alone."""
    eps: float = 16.0
    """Largest change of a pixel, grey levels (paper: 16)."""
    step: float = 1.5
    """Step of PGD, grey levels (paper: 1.5)."""
    steps: int = 30
    """Steps of PGD (paper: 30)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("eps", self.eps, 0, 255)
        check_range("step", self.step, 0, 255)
        check_range("steps", self.steps, 1, 10_000)

    def _poisoner(self, images: Tensor, labels: Tensor, idx: Tensor, target_label: int) -> Change:
        if self.noise == "none":
            return super()._poisoner(images, labels, idx, target_label)
        last_axis = images.permute(0, 2, 3, 1).contiguous()
        key = ("label_consistent", repr(self), idx.tolist(), runtime_key(self.device), cache.digest(last_axis, labels))
        noise = cache.cached(key, lambda: self._noise(last_axis, labels, idx))
        return lambda part, numbers: self._trigger(pgd.add(part, noise[torch.searchsorted(idx, numbers)]), numbers)

    def _noise(self, images: Tensor, labels: Tensor, idx: Tensor) -> Tensor:
        """(P, C, H, W) int16, grey levels: what PGD adds to the images at `idx` of (N, H, W, C) images."""
        network = self._trained(images, labels, self.num_classes, self.eps if self.noise == "pgd_robust" else 0.0)
        batches = network.batches(images[idx])
        targets = labels[idx].to(network.runtime.device).split(len(batches[0]))
        with runtime.intra_op_threads(network.runtime.threads):
            parts = [
                self._perturbation(network, batches[i], targets[i]).cpu()
                for i in progress.steps(len(batches), "perturbations")
            ]
        return torch.cat(parts).contiguous()

    def _perturbation(self, network: Surrogate, images: Tensor, labels: Tensor) -> Tensor:
        """(B, C, H, W) int16, grey levels, for (B, C, H, W) float32 images on the network's device."""

        def loss(x: Tensor) -> Tensor:
            return F.cross_entropy(network.logits(x), labels, reduction="sum")

        delta = pgd.ascend(
            lambda d: pgd.gradient(loss, images, d),
            torch.zeros_like(images),
            eps=self.eps,
            step=self.step,
            steps=self.steps,
        )
        return pgd.whole_levels(delta, self.eps)
