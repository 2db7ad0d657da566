"""A run as the Audit page reads it: history, ranking and judgements, cached until the run folder changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from app.figures.pixels import data_uri, thumbnail
from app.server import run_cache
from app.style import words
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement, Judgements
from bsd_engine.audit.suspects import Suspects, suspects
from bsd_engine.errors import BSDError
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """A run as far as it is recorded."""

    run: RunReader
    history: RunHistory
    """Its names of classes are cut for the page."""
    suspects: Suspects

    @property
    def exported_history(self) -> RunHistory:
        """The history with whole names of classes, for files."""
        return replace(self.history, class_names=self.run.class_names)

    @property
    def judgements(self) -> Judgements:
        """Its judgements; opened anew for each use."""
        return Judgements(self.run.path, self.run.num_samples)

    @property
    def read_only(self) -> str | None:
        """Why nothing of the run can be changed; None for a run of one's own."""
        return None if self.run.is_own else words.READ_ONLY

    @property
    def unreadable_judgements(self) -> str:
        """Why a stranger's judgements are not shown, as a sentence; "" if they are. The rest of the run is shown."""
        try:
            self.judgements.standing()
        except BSDError as error:
            if self.run.is_own:
                raise
            return str(error)
        return ""

    @property
    def judgements_version(self) -> int:
        """A number that changes with the judgements; 0 without any."""
        return 0 if self.unreadable_judgements else self.judgements.version

    def standing(self) -> dict[int, Judgement]:
        """The newest judgement of each judged sample; none of a stranger's that cannot be read."""
        return {} if self.unreadable_judgements else self.judgements.standing()

    def image(self, sample: int) -> np.ndarray:
        """(H, W, C) uint8: the image that the run trained on."""
        return np.ascontiguousarray(self.run.images[sample].transpose(1, 2, 0))

    def thumbnail_uri(self, sample: int) -> str:
        """A thumbnail of a sample as a data URI."""
        return _thumbnail_uri(str(self.run.path), sample)

    def label_name(self, sample: int) -> str:
        """The name of a sample's given label, as it was given: not safe for HTML."""
        return self.history.name(int(self.history.labels[sample]))


def audited(path: Path) -> Audited:
    """The audit of a run folder as it is now; raises `RunFolderError` before its first epoch."""
    return _audited(str(path), run_cache.reader(path).version[::2])


@lru_cache(maxsize=3)
def _audited(path: str, version: tuple) -> Audited:
    run = run_cache.reader(Path(path))
    history = RunHistory.of(run)
    history = replace(history, class_names=tuple(words.short(name) for name in history.class_names))
    return Audited(run=run, history=history, suspects=suspects(history))


@lru_cache(maxsize=3)
def models_of(path: str, version: int) -> StoredModels:
    """Both models of the newest checkpoint; `version` changes with it."""
    return StoredModels.of(run_cache.reader(Path(path)))


@lru_cache(maxsize=4096)
def _thumbnail_uri(path: str, sample: int) -> str:
    return data_uri(thumbnail(np.ascontiguousarray(run_cache.reader(Path(path)).images[sample].transpose(1, 2, 0))))
