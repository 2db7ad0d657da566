"""All epochs of a run side by side, as the audit reads them.

E epochs in all, M of them main epochs, N samples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from bsd_engine.config.method_settings import Stage
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.method.rules import PoolRules
from bsd_engine.runs.reader import RunReader

Derived = TypeVar("Derived")
_MOST_DERIVED = 16
_BYTES_A_SAMPLE = 13  # and epoch: two losses, two predictions, the pool
_MOST_FOREIGN_BYTES = 500_000_000  # of 50,000 samples, 770 epochs


@dataclass(frozen=True, kw_only=True, eq=False)
class RunHistory:
    """The recorded state of every sample at every epoch; about 30 bytes a sample and epoch."""

    config: BSDConfig
    class_names: tuple[str, ...]
    labels: np.ndarray
    """(N,) int64: given labels."""
    altruistic_loss: np.ndarray
    """(E, N) float32, nats."""
    altruistic_prediction: np.ndarray
    """(E, N) int16."""
    main_loss: np.ndarray
    """(M, N) float32, nats."""
    main_prediction: np.ndarray
    """(M, N) int16."""
    in_pool: np.ndarray
    """(M, N) bool: the clean pool of each main epoch."""
    clean_ratio: tuple[float | None, ...]
    """(M,)."""
    oss_score: np.ndarray | None
    """(N,) float32 at T1, before it of the newest main epoch; None before there is one."""
    nearest_class: np.ndarray | None
    """(N,) int16: the known class with the nearest centre at T1; None where it is not recorded."""
    pseudo_target: int | None
    """The suspected class as of the last epoch; None where every class is suspected, or none."""
    targets: tuple[int | None, ...]
    """(E,) the suspected class as of each epoch."""
    vote_scores: np.ndarray | None
    """(C,) float32: the estimator's scores of the classes at the end of the altruistic warm-up, or so far."""
    verdict: dict[str, Any] | None = None
    """What `auto` concluded about the target when it was asked last; None before the end of the altruistic warm-up."""
    poison_probability: np.ndarray | None = None
    """(N,) float32: see `EpochState`, as of the last epoch that recorded it."""
    _derived: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, run: RunReader) -> RunHistory:
        """The history of a run folder up to its last recorded epoch.

        Raises `RunFolderError` before the first epoch, and for a foreign run that would fill the memory.
        """
        count = len(run.epochs)
        if not count:
            raise RunFolderError(
                f"{run.path} has no finished epoch yet, so there is nothing to audit; wait for the first."
            )
        first = run.config.schedule.altruistic_epochs
        needed = _BYTES_A_SAMPLE * count * len(run.labels)
        if needed > _MOST_FOREIGN_BYTES and not run.is_own:
            raise RunFolderError(
                f"The record of {run.path} takes {needed / 1e9:.1f} GB of memory, expected at most "
                f"{_MOST_FOREIGN_BYTES / 1e9:.1f} GB for a run that was not written by this installation; make a copy "
                f"of your own first: python -m bsd_engine adopt {run.path} --out NEW_FOLDER"
            )
        kept = _Rows(count, max(0, count - first), run.num_samples)
        for epoch in range(count):
            # a new reader each time, since a reader keeps the epochs that it has read
            kept.put(epoch, epoch - first, RunReader(run.path).epoch(epoch))
        return cls(config=run.config, class_names=run.class_names, labels=run.labels, **kept.fields())

    @property
    def num_samples(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def num_epochs(self) -> int:
        """E."""
        return len(self.altruistic_loss)

    @property
    def first_main(self) -> int:
        """Global epoch of T = 0."""
        return self.config.schedule.altruistic_epochs

    @cached_property
    def rules(self) -> PoolRules:
        """The rules that decided the pools, after the verdict."""
        return PoolRules.of(self.config, self.verdict)

    @cached_property
    def candidates(self) -> np.ndarray:
        """(N,) bool: the samples among which poison is looked for: those of the suspected class, else all."""
        if self.pseudo_target is None:
            return np.ones(self.num_samples, bool)
        return self.labels == self.pseudo_target

    @property
    def decided(self) -> bool:
        """Whether the first split, at T = T1, is recorded."""
        return self.num_epochs > self.first_main + self.config.schedule.t1

    def stage(self, epoch: int) -> Stage:
        """Stage of a global epoch."""
        return self.config.schedule.stage(epoch)

    def pool(self, epoch: int) -> np.ndarray | None:
        """(N,) bool: the clean pool of a global epoch; None in the altruistic warm-up."""
        return self.in_pool[epoch - self.first_main] if epoch >= self.first_main else None

    def derived(self, key: Hashable, make: Callable[[], Derived]) -> Derived:
        """A result that all samples share, computed once and kept; the oldest of 16 results is forgotten."""
        kept = self._derived
        if key not in kept:
            for old in list(kept)[: len(kept) - _MOST_DERIVED + 1]:
                kept.pop(old, None)
            kept[key] = made = make()
            return made
        return kept[key]

    def name(self, label: int) -> str:
        """Name of a class as it was given: not safe for HTML."""
        return self.class_names[label] if 0 <= label < len(self.class_names) else f"class {label}"


class _Rows:
    """The arrays of a history while they are filled."""

    def __init__(self, epochs: int, main: int, n: int) -> None:
        self.altruistic_loss, self.main_loss = np.empty((epochs, n), np.float32), np.empty((main, n), np.float32)
        self.altruistic_prediction, self.main_prediction = (
            np.empty((epochs, n), np.int16),
            np.empty((main, n), np.int16),
        )
        self.in_pool = np.zeros((main, n), bool)
        self.clean_ratio: list[float | None] = []
        self.oss_score: np.ndarray | None = None
        self.nearest_class: np.ndarray | None = None
        self.pseudo_target: int | None = None
        self.targets: list[int | None] = []
        self.vote_scores: np.ndarray | None = None
        self.verdict: dict[str, Any] | None = None
        self.poison_probability: np.ndarray | None = None

    def put(self, epoch: int, t: int, state: EpochState) -> None:
        self.altruistic_loss[epoch], self.altruistic_prediction[epoch] = (
            state.altruistic_loss,
            state.altruistic_prediction,
        )
        self.pseudo_target = state.pseudo_target
        self.targets.append(state.pseudo_target)
        self.vote_scores = self.vote_scores if state.vote_scores is None else state.vote_scores
        if state.verdict is not None:  # a later verdict without a target withdraws the probabilities
            self.verdict, self.poison_probability = state.verdict, state.poison_probability
        if t >= 0:
            assert state.main_loss is not None, "the reader refuses a main epoch without it"
            assert state.main_prediction is not None and state.clean_mask is not None
            self.main_loss[t], self.main_prediction[t] = state.main_loss, state.main_prediction
            self.in_pool[t] = state.clean_mask
            self.clean_ratio.append(state.clean_ratio)
            self.oss_score = self.oss_score if state.oss_score is None else state.oss_score
            self.nearest_class = self.nearest_class if state.nearest_class is None else state.nearest_class

    def fields(self) -> dict[str, Any]:
        return {**vars(self), "clean_ratio": tuple(self.clean_ratio), "targets": tuple(self.targets)}
