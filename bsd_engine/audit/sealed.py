"""Own verdicts against the truth, once they are given: the score of a reader and of BSD on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bsd_engine.audit.judgements import Judgement
from bsd_engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Hits:
    """How often "poisoned" and "clean" were said rightly."""

    found: int
    """Poisoned samples that were called so."""
    missed: int
    """Poisoned samples that were called clean."""
    accused: int
    """Clean samples that were called poisoned."""
    cleared: int
    """Clean samples that were called so."""

    @property
    def right(self) -> int:
        """Samples that were called what they are."""
        return self.found + self.cleared

    @property
    def total(self) -> int:
        """All samples."""
        return self.right + self.missed + self.accused


def scores(verdicts: Mapping[int, Judgement], in_pool: np.ndarray, is_poison: np.ndarray) -> tuple[Hits, Hits]:
    """The reader's hits and those of BSD, over the samples that the reader has judged; unsure counts for neither.

    Parameters
    ----------
    in_pool, is_poison : (N,) bool

    Raises
    ------
    ConfigError
        If nothing is judged: the truth is opened after a verdict only.
    """
    judged = {s: v.choice == "remove" for s, v in verdicts.items() if v.choice != "unsure"}
    if not judged:
        raise ConfigError("No sample is judged yet; give a verdict of your own first, then the truth is shown.")
    samples, said = np.array(list(judged)), np.array(list(judged.values()))
    return _hits(said, is_poison[samples]), _hits(~in_pool[samples], is_poison[samples])


def _hits(said: np.ndarray, is_poison: np.ndarray) -> Hits:
    return Hits(
        found=int((said & is_poison).sum()),
        missed=int((~said & is_poison).sum()),
        accused=int((said & ~is_poison).sum()),
        cleared=int((~said & ~is_poison).sum()),
    )
