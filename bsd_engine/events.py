"""The events of a training run: frozen, in order, each with a number that increases.

A run yields `RunStarted`, then several `IterationDone` and one `EpochFinished` for each epoch, and `RunFinished` at the
end. Arrays are read-only copies on the CPU; no model or device tensor leaves the engine.
N samples, C classes, L landmarks (the fixed subset that the maps show), P principal components.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from bsd_engine.config.method_settings import Stage


@dataclass(frozen=True, kw_only=True)
class EpochState:
    """The scores, decisions and metrics of one epoch.

    The scores are those that the epoch's decision read. In the altruistic warm-up they come from the pass after the
    epoch (the vote follows each epoch); in a main epoch T they come from the pass at its start, with both models in
    their state after T - 1 (Algorithm 1, lines 16-35). Metrics are measured after the epoch's training.
    """

    epoch: int
    """Global, 0-based, altruistic warm-up included."""
    stage: Stage
    main_epoch: int
    """T of the paper; negative in the altruistic warm-up."""
    clean_ratio: float | None
    """alpha_T of Eq. 11 where it applies, the share kept by ALS on the initial pools, else None."""
    altruistic_loss: np.ndarray
    """(N,) float32, nats: symmetric cross-entropy under the altruistic model g."""
    altruistic_prediction: np.ndarray
    """(N,) int16."""
    main_loss: np.ndarray | None = None
    """(N,) float32, nats; None in the altruistic warm-up."""
    main_prediction: np.ndarray | None = None
    """(N,) int16."""
    oss_score: np.ndarray | None = None
    """(N,) float32, distance to the nearest known class centre (Eq. 6); present for T = 0 ... T1."""
    oss_distances: np.ndarray | None = None
    """(3, N) float32: smallest, mean and largest distance to the known class centres (Fig. 8); `oss_score` is one of
    them. Present whenever `oss_score` is, except with all-to-all and in folders of format 1."""
    nearest_class: np.ndarray | None = None
    """(N,) int16: the known class with the nearest centre; present with `oss_distances`."""
    clean_mask: np.ndarray | None = None
    """(N,) bool: the clean pool this epoch trained on; None in the altruistic warm-up."""
    landmark_features: np.ndarray | None = None
    """(L, P) float16: landmark features of the main model (of g in its warm-up), first P principal components."""
    vote_counts: np.ndarray | None = None
    """(C,) int64: how often each class is the second most likely; altruistic warm-up only."""
    vote_scores: np.ndarray | None = None
    """(C,) float32: score of each class under the target estimator in use; larger is more suspect."""
    pseudo_target: int | None = None
    """Suspected target label as of this epoch; None if every class is suspected, or none."""
    estimators: list[str] | None = None
    """Names of the rows of `estimator_scores`."""
    estimator_scores: np.ndarray | None = None
    """(K, C) float32: score of each class under each estimator as of this epoch. Larger is more suspect; units
    differ. Altruistic warm-up only; older folders have none."""
    verdict: dict[str, Any] | None = None
    """`verdict.Verdict` as plain values: the conclusion of `auto` at the end of the altruistic warm-up, at T1 and in
    the last epoch."""
    poison_probability: np.ndarray | None = None
    """(N,) float32, 0 to 1: how likely a sample of the target that the verdict names carries the trigger, by the mark
    of its class or, without one, by how foreign it looks to f; 0 for samples of other classes. Present with a verdict
    of a main epoch that names a target."""
    transplant_shares: np.ndarray | None = None
    """(C, C) float32: share of the images of a column's class that are predicted as a row's class once the residual of
    the row's class is added to them or, if the verdict rests on random warps, once they are warped at random; 0 on the
    diagonal. End of the altruistic warm-up."""
    residuals: np.ndarray | None = None
    """(R, H, W, K) int8, grey levels: the difference between each of `residual_classes` and images that look alike."""
    residual_classes: np.ndarray | None = None
    """(R,) int16: the classes of `residuals`, most suspect first."""
    metrics: dict[str, float | int | None] = field(default_factory=dict)
    """seconds; clean_accuracy and attack_success_rate (percent), clean_pool_size, poison_in_clean_pool,
    poison_in_clean_pool_cumulative (samples); None if unknown."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events."""

    generation: int
    """Increases by one with each event of a run."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """The data are poisoned and the models are built; `first_epoch` is above 0 in a resumed run."""

    first_epoch: int
    total_epochs: int


@dataclass(frozen=True, kw_only=True)
class IterationDone(Event):
    """Progress inside an epoch."""

    epoch: int
    stage: Stage
    iteration: int
    iterations: int


@dataclass(frozen=True, kw_only=True)
class EpochFinished(Event):
    """An epoch is complete."""

    state: EpochState
    checkpoint: Any = None
    """Function that returns the plain dict to resume from; valid until the next event is requested."""


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """Training has ended; `summary` holds the contents of `summary.json`."""

    summary: dict[str, Any]
