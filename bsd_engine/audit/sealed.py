"""A person's judgements against the ground truth: the hits of the person and of BSD on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bsd_engine.audit.judgements import Judgement
from bsd_engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Counts of samples rightly and wrongly called poisoned or clean."""

    found: int
    """Poisoned samples that were called poisoned."""
    missed: int
    """Poisoned samples that were called clean."""
    accused: int
    """Clean samples that were called poisoned."""
    cleared: int
    """Clean samples that were called clean."""

    @property
    def right(self) -> int:
        """Samples that were called correctly."""
        return self.found + self.cleared

    @property
    def total(self) -> int:
        """All samples."""
        return self.right + self.missed + self.accused


def scores(verdicts: Mapping[int, Judgement], in_pool: np.ndarray, is_poison: np.ndarray) -> tuple[Hits, Hits]:
    """The person's hits and those of BSD over the samples that the person has judged; unsure counts for neither.

    Parameters
    ----------
    in_pool, is_poison : (N,) bool

    Raises
    ------
    ConfigError
        If nothing is judged: the ground truth is opened only after a judgement.
    """
    judged = {s: v.choice == "remove" for s, v in verdicts.items() if v.choice != "unsure"}
    if not judged:
        raise ConfigError("No sample is judged yet; give a verdict of your own first, then the truth is shown.")
    samples, called = np.array(list(judged)), np.array(list(judged.values()))
    return _hits(called, is_poison[samples]), _hits(~in_pool[samples], is_poison[samples])


def _hits(called: np.ndarray, is_poison: np.ndarray) -> Hits:
    return Hits(
        found=int((called & is_poison).sum()),
        missed=int((~called & is_poison).sum()),
        accused=int((called & ~is_poison).sum()),
        cleared=int((~called & ~is_poison).sum()),
    )
