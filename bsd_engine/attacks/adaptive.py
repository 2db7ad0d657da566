"""The adaptive attack: a faint noise that moves images of any class towards the target class, to evade the defence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bsd_engine.attacks.craft import pgd
from bsd_engine.attacks.craft.noise import CraftedNoise
from bsd_engine.attacks.craft.surrogate import Surrogate
from bsd_engine.attacks.parameters import check_range
from bsd_engine.compute import progress, runtime
from bsd_engine.compute.memory import check_fits
from bsd_engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Adaptive(CraftedNoise):
    """One noise for all images, semantically close to the target class; poisoned images of other classes get its label.

    PGD over a sample of images of the other classes, on the attacker's own plainly trained network.

    Paper: appendix D.7: an "average noise (among non-target classes) that is semantically close to the target class",
    15 steps of 1.5/255 within 8/255, rate 0.01 and 0.2. It states neither objective nor sample, nor the ASR without a
    defence. We take the distance to the target's feature centre, since OSS measures that, and average gradients, since
    the mean of the sign steps of single images nearly cancels. Plain training on the demo's images reaches an ASR of 3
    % at rate 0.01 (54 images) after ten epochs, and 98.9 % at 0.1 after twenty (seed 0).
    """

    default_rate: ClassVar[float] = 0.01

    objective: Literal["centroid", "logit"] = "centroid"
    """centroid: squared distance of the features to the target's mean; logit: cross-entropy to the target label."""
    average: Literal["gradient", "perturbation"] = "gradient"
    """gradient: one noise, moved by the mean gradient of all images; perturbation: the mean of one noise per image."""
    sample: int = 1000
    """Images of other classes that are averaged over; all of them if there are fewer."""
    eps: float = 8.0
    """Largest change of a pixel, grey levels (paper: 8)."""
    step: float = 1.5
    """Step of PGD, grey levels (paper: 1.5)."""
    steps: int = 15
    """Steps of PGD (paper: 15)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("sample", self.sample, 1, 10**7)
        check_range("eps", self.eps, 0, 255)
        check_range("step", self.step, 0, 255)
        check_range("steps", self.steps, 1, 10_000)

    def _craft(self, images: Tensor, labels: Tensor, target_label: int) -> Tensor:
        if not (labels == target_label).any():
            raise ConfigError(
                f"No image has the target label {target_label}, towards which the noise is to lead; choose another "
                "target."
            )
        network = self._trained(images, labels, self.num_classes)
        with runtime.intra_op_threads(network.runtime.threads):
            loss = self._loss(network, images[labels == target_label], target_label)
            chosen = self._sampled(labels, target_label)
            check_fits("sample", len(chosen), 4.0 * len(chosen) * math.prod(self.image_shape))
            batches = network.batches(images[chosen])
            craft = self._one_for_all if self.average == "gradient" else self._mean_of_each
            delta = craft(loss, batches)
        return pgd.whole_levels(delta[0], self.eps).cpu()

    def _sampled(self, labels: Tensor, target_label: int) -> Tensor:
        others = (labels != target_label).nonzero().squeeze(1)
        return others[torch.randperm(len(others), generator=torch.Generator().manual_seed(self.seed))[: self.sample]]

    def _loss(self, network: Surrogate, of_target: Tensor, target_label: int) -> pgd.Loss:
        """Distance of the images from the target class, summed over the images."""
        if self.objective == "logit":
            return lambda x: F.cross_entropy(
                network.logits(x), torch.full((len(x),), target_label, device=x.device), reduction="sum"
            )
        with torch.no_grad():
            centre = torch.cat([network.features(part) for part in network.batches(of_target)]).mean(0)
        return lambda x: (network.features(x) - centre).square().sum()

    def _one_for_all(self, loss: pgd.Loss, batches: list[Tensor]) -> Tensor:
        delta = torch.zeros_like(batches[0][:1])
        for _ in progress.steps(self.steps, "average noise"):
            delta = self._descended(lambda d: pgd.summed_gradient(loss, batches, d), delta, steps=1)
        return delta

    def _mean_of_each(self, loss: pgd.Loss, batches: list[Tensor]) -> Tensor:
        total = torch.zeros_like(batches[0][:1])
        for i in progress.steps(len(batches), "noise of each image"):
            total += self._noise_of_each(loss, batches[i]).sum(0, keepdim=True)
        return total / sum(len(x) for x in batches)

    def _noise_of_each(self, loss: pgd.Loss, images: Tensor) -> Tensor:
        return self._descended(lambda d: pgd.gradient(loss, images, d), torch.zeros_like(images), steps=self.steps)

    def _descended(self, gradient: pgd.Gradient, delta: Tensor, steps: int) -> Tensor:
        return pgd.ascend(lambda d: -gradient(d), delta, eps=self.eps, step=self.step, steps=steps)
