"""What a training run says while it goes on: frozen events, in order, with a number that only grows.

A run yields `RunStarted`, then for each epoch some `IterationDone` and one `EpochFinished`, and at the end
`RunFinished`. Arrays are read-only copies on the CPU; no model or device tensor leaves the engine.
N samples, C classes, L landmarks (the fixed subset that the maps show), P principal components.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from bsd_engine.config.method_settings import Stage


@dataclass(frozen=True, kw_only=True)
class EpochState:
    """What one epoch saw, decided and reached.

    Scores are those that the epoch's decision read. In the altruistic warm-up that is the pass after the epoch
    (the vote follows each epoch); in a main epoch T it is the pass at its start, with both models as they stand
    after T - 1 (Algorithm 1, lines 16-35). Metrics are measured after the epoch's training.
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
    """(3, N) float32: smallest, mean and largest distance to the known class centres (Fig. 8), one of which `oss_score` is;
    with it, None with all-to-all and in folders of format 1."""
    nearest_class: np.ndarray | None = None
    """(N,) int16: the known class with the nearest centre, as long as `oss_distances`."""
    clean_mask: np.ndarray | None = None
    """(N,) bool: the clean pool this epoch trained on; None in the altruistic warm-up."""
    landmark_features: np.ndarray | None = None
    """(L, P) float16: landmark features of the main model (of g in its warm-up), first P principal components."""
    vote_counts: np.ndarray | None = None
    """(C,) int64: how often each class is the second most likely; altruistic warm-up only."""
    vote_scores: np.ndarray | None = None
    """(C,) float32: score of each class under the target estimator in use, larger is more suspect."""
    pseudo_target: int | None = None
    """Suspected target label as of this epoch; None where every class is one, or none."""
    estimators: list[str] | None = None
    """Names of the rows of `estimator_scores`."""
    estimator_scores: np.ndarray | None = None
    """(K, C) float32: how suspect each class is to each estimator as of this epoch, larger is more suspect, units differ;
    altruistic warm-up only. Older folders have none."""
    verdict: dict[str, Any] | None = None
    """`verdict.Verdict` as plain values: what `auto` makes of the transplant, at the end of the altruistic warm-up."""
    transplant_shares: np.ndarray | None = None
    """(C, C) float32: share of the images of the class of a column that are called the class of a row once that class's
    residual is put onto them, or, where the verdict rests on that, once they are warped at random; 0 in the diagonal. End of the altruistic
    warm-up."""
    residuals: np.ndarray | None = None
    """(R, H, W, K) int8, grey levels: what sets a class apart from images that look alike, see `residual_classes`."""
    residual_classes: np.ndarray | None = None
    """(R,) int16: the classes of `residuals`, most suspect first."""
    metrics: dict[str, float | int | None] = field(default_factory=dict)
    """seconds; clean_accuracy and attack_success_rate (percent), clean_pool_size, poison_in_clean_pool,
    poison_in_clean_pool_cumulative (samples); None where unknown."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events."""

    generation: int
    """Grows by one with each event of a run."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """Data are poisoned and models built; `first_epoch` is above 0 when a run is resumed."""

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
    """An epoch is whole."""

    state: EpochState
    checkpoint: Any = None
    """Call it for the plain dict to resume from; valid until the next event is asked for."""


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """Training is over; `summary` holds what `summary.json` will."""

    summary: dict[str, Any]
