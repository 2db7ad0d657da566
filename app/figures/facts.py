"""What the figures of a run have in common: its facts, the cut of a rule and the loss axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.style.theme import class_name, count, epoch_text, share
from bsd_engine.audit.number_format import measure
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import RunReader

LOSS_LOW, LOSS_HIGH = 1e-4, 20.0
"""Range of the loss axes, nats: SCE ends near 9.2 + 0.1 CE. What lies outside is drawn at the edge."""
LOSS_AXIS = {
    "type": "log",
    "range": [np.log10(LOSS_LOW) - 0.06, np.log10(LOSS_HIGH)],
    "tickvals": [1e-4, 1e-3, 1e-2, 0.1, 1, 10],
    "ticktext": ["≤0.0001", "0.001", "0.01", "0.1", "1", "10"],
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What stays the same all run and the figures read."""

    config: BSDConfig
    labels: np.ndarray
    """(N,) int64: given labels."""
    class_names: tuple[str, ...]
    landmark_idx: np.ndarray
    """(L,) int64."""

    @classmethod
    def of(cls, run: RunReader) -> Facts:
        """The facts of a run folder."""
        return cls(config=run.config, labels=run.labels, class_names=run.class_names, landmark_idx=run.landmark_idx)

    def epoch_text(self, state: EpochState) -> str:
        """ "epoch 12 of 38"."""
        return epoch_text(state.epoch, self.config.schedule.total_epochs)

    def name(self, label: int) -> str:
        """Name of a class, safe to show."""
        return class_name(self.class_names, label)


@dataclass(frozen=True)
class Cut:
    """Where a top-share rule cuts: the smallest score that is kept, and how many are kept."""

    parameter: str
    share: float
    scores: np.ndarray
    kept_mask: np.ndarray

    @property
    def value(self) -> float | None:
        """The smallest kept score; None if nothing is kept or it is not a number."""
        lowest = float(self.scores[self.kept_mask].min()) if self.kept_mask.any() else np.nan
        return lowest if np.isfinite(lowest) else None

    @property
    def label(self) -> str:
        """ "alpha 0.60: keeps right of 0.53"."""
        where = "keeps none" if not self.kept_mask.any() else f"keeps right of {measure(self.value or 0.0)}"
        return f"{self.parameter} {share(self.share)}: {where}"

    def tally(self, is_poison: np.ndarray | None) -> str:
        """ "keeps 3,600 of 6,000, 12 poison"."""
        kept = f"keeps {count(self.kept_mask.sum())} of {count(len(self.scores))}"
        return kept if is_poison is None else f"{kept}, {count((self.kept_mask & is_poison).sum())} poison"
