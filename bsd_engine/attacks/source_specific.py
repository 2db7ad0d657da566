"""The source-specific patch: BadNets that works on images of one class only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bsd_engine.attacks.badnets import BadNets
from bsd_engine.attacks.parameters import check_range
from bsd_engine.config.data_settings import PoisonCountMode


@dataclass(frozen=True, kw_only=True)
class SourceSpecific(BadNets):
    """BadNets whose patch sends one source class to the target; noise samples of other classes keep their labels.

    The patch alone does not lead to the target, so it fails as a universal trigger. The rate counts images of the
    source class, and the attack success rate is measured on its test images.

    After the source-specific attacks of Wang et al. (Neural Cleanse, 2019) and Tang et al. (TaCT, 2021), which use as
    many noise samples (there: cover samples) as poisoned ones. The paper of BSD does not test this attack.
    """

    default_rate: ClassVar[float] = 0.3

    source: int = 0
    """The class whose images the patch sends to the target (0-based); the next one if it is the target."""
    noise_rate: float = 1.0
    """Noise samples per poisoned one, drawn from the classes that are neither source nor target."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("source", self.source, 0, self.num_classes - 1)
        check_range("noise_rate", self.noise_rate, 0, 100)

    def _source(self, target_label: int) -> int:
        return self.source if self.source != target_label else (self.source + 1) % self.num_classes

    def eligible(self, labels: Tensor, target_label: int) -> Tensor:
        return labels == self._source(target_label)

    def test_mask(self, labels: Tensor, target_label: int) -> Tensor:
        return labels == self._source(target_label)

    def _noise_eligible(self, labels: Tensor, target_label: int) -> Tensor:
        return (labels != target_label) & ~self.eligible(labels, target_label)

    def _noise_count(self, samples: int, poisoned: int) -> int:
        return int(self.noise_rate * poisoned)

    def _noise_images(self, images: Tensor, indices: Tensor) -> Tensor:
        return self._trigger(images, indices)

    def _supported_mode(self, mode: PoisonCountMode) -> PoisonCountMode:
        """Modes that count all samples would poison classes that are no source."""
        return mode if mode == "bernoulli_nontarget" else "exact_nontarget"
