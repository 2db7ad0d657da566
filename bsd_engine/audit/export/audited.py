"""What every section of the report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bsd_engine.audit.common import Common, in_common, matched_controls
from bsd_engine.audit.findings.apart import stands_apart
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import Suspects
from bsd_engine.runs.reader import RunReader

_MOST_COMPARED = 500
_MOST_WITHOUT_GROUP = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """A run with its ranking and judgements."""

    run: RunReader
    history: RunHistory
    ranking: Suspects
    judgements: Mapping[int, Judgement]
    truth_shown: bool
    """Whether numbers that need the ground truth may be shown."""

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The verdict as it is recorded."""
        return self.history.verdict

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Of the newest epoch."""
        return self.run.epoch(self.history.num_epochs - 1).metrics

    @cached_property
    def apart(self) -> np.ndarray:
        """(N,) bool: the samples that stand apart."""
        return stands_apart(self.history, self.ranking)

    @cached_property
    def common(self) -> Common | None:
        """What those that stand apart, else the most suspect, have in common that kept samples of the same predicted
        classes lack; None before the first split, and where there are too few to compare."""
        if not self.ranking.epochs_decided:
            return None
        few = self.ranking.rank <= min(_MOST_WITHOUT_GROUP, self.history.num_samples // 10)
        chosen = self.apart if self.apart.any() else few
        content = self.history.main_prediction[-1].astype(np.int64)
        controls = matched_controls(chosen, content, 0, candidates=self.ranking.in_pool)[:_MOST_COMPARED]
        picked = np.random.default_rng(0).permutation(np.flatnonzero(chosen))[:_MOST_COMPARED]
        if len(picked) < 2 or len(controls) < 2:
            return None
        images = self.run.images
        return in_common(*(images[np.sort(idx)].transpose(0, 2, 3, 1) for idx in (picked, controls)))
