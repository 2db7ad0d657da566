"""The input for a packet of the linked views: a run, the shown state, and settings; no streamlit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.state.linked import Linked
from bsd_engine.method.preview import Settings
from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """A run, with the state and settings that a page shows."""

    run: RunReader
    truth_shown: bool
    live: bool
    """Whether the run is still being trained."""
    busy: str
    """The reason why no branch can be started now; "" if one can."""
    view: Linked
    """The shown epoch, pinned sample and selection."""
    settings: Settings
    """The previewed settings; the run's own until a cut is moved."""

    @property
    def is_poison(self) -> np.ndarray | None:
        """(N,) bool: the ground truth if it is known and shown, else None."""
        truth = self.run.truth if self.truth_shown else None
        return None if truth is None else truth.is_poison
