"""What the figures of a run share: its facts, the cut of a top-share rule, and the axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.style.theme import class_name, count, epoch_text, share
from bsd_engine.audit.number_format import measure
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import RunReader

LOSS_LOW, LOSS_HIGH = 1e-4, 20.0
"""Range of the loss axes in nats; SCE is at most about 9.2 + 0.1 CE. Values outside are drawn at the edge."""
LOSS_AXIS = {
    "type": "log",
    "range": [np.log10(LOSS_LOW) - 0.06, np.log10(LOSS_HIGH)],
    "tickvals": [1e-4, 1e-3, 1e-2, 0.1, 1, 10],
    "ticktext": ["≤0.0001", "0.001", "0.01", "0.1", "1", "10"],
}
PERCENT_TICKS = [0, 25, 50, 75, 100]

# Axis titles: the same quantity has the same title and unit in every figure.
EPOCH_TITLE = "epoch"
CLASS_TITLE = "class"
MAIN_LOSS_TITLE = "main loss (SCE, nats, log)"
ALTRUISTIC_LOSS_TITLE = "altruistic loss (SCE, nats, log)"
LOSS_TITLE = "loss (SCE, nats, log)"
DISCREPANCY_TITLE = "loss discrepancy, altruistic − main (SCE, nats)"
OSS_TITLE = "OSS distance S (feature units)"
BIN_TITLE = "samples per bin"
TEST_IMAGES_TITLE = "share of test images (%)"

CLEAN_ACCURACY = "clean accuracy"
ROBUST_ACCURACY = "robust accuracy"
ATTACK_SUCCESS = "attack success"
LOWER_IS_BETTER = " (lower is better)"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the figures read of a run and what does not change during it."""

    config: BSDConfig
    labels: np.ndarray
    """(N,) int64: the given labels."""
    class_names: tuple[str, ...]
    landmark_idx: np.ndarray
    """(L,) int64: samples on the feature map."""

    @classmethod
    def of(cls, run: RunReader) -> Facts:
        """Return the facts of a run folder."""
        return cls(config=run.config, labels=run.labels, class_names=run.class_names, landmark_idx=run.landmark_idx)

    def epoch_text(self, state: EpochState) -> str:
        """ "epoch 12 of 38"."""
        return epoch_text(state.epoch, self.config.schedule.total_epochs)

    def name(self, label: int) -> str:
        """Name of a class as safe text."""
        return class_name(self.class_names, label)


@dataclass(frozen=True)
class Cut:
    """The cut of a rule that keeps the top share of the scores."""

    parameter: str
    share: float
    scores: np.ndarray
    kept_mask: np.ndarray

    @property
    def value(self) -> float | None:
        """The smallest kept score, or None if nothing is kept or that score is not finite."""
        lowest = float(self.scores[self.kept_mask].min()) if self.kept_mask.any() else np.nan
        return lowest if np.isfinite(lowest) else None

    @property
    def label(self) -> str:
        """ "alpha 0.60: keeps right of 0.53"."""
        effect = "keeps none" if not self.kept_mask.any() else f"keeps right of {measure(self.value or 0.0)}"
        return f"{self.parameter} {share(self.share)}: {effect}"

    def tally(self, is_poison: np.ndarray | None) -> str:
        """ "keeps 3,600 of 6,000, 12 poison"."""
        kept = f"keeps {count(self.kept_mask.sum())} of {count(len(self.scores))}"
        return kept if is_poison is None else f"{kept}, {count((self.kept_mask & is_poison).sum())} poison"
