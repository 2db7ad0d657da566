"""The record of an epoch: its numbers as arrays on the CPU."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from torch import Tensor

from bsd_engine.config.method_settings import ScheduleConfig
from bsd_engine.errors import TrainingError
from bsd_engine.events import EpochState
from bsd_engine.method.decisions import Decision
from bsd_engine.method.scoring import Scores


def epoch_state(schedule: ScheduleConfig, epoch: int, altruistic: Scores, **values: Any) -> EpochState:
    """The record of an epoch; `values` are the fields that only some stages have."""
    return EpochState(
        epoch=epoch,
        stage=schedule.stage(epoch),
        main_epoch=schedule.main_epoch(epoch),
        altruistic_loss=to_numpy(altruistic.loss),
        altruistic_prediction=to_numpy(altruistic.prediction, np.int16),
        **{"clean_ratio": None, **values},
    )


def decision_fields(main: Scores, decision: Decision) -> dict[str, Any]:
    """Fields of a main epoch: the scores of f and the decision."""
    return {
        "main_loss": to_numpy(main.loss),
        "main_prediction": to_numpy(main.prediction, np.int16),
        "clean_mask": to_numpy(decision.clean_mask),
        "clean_ratio": decision.clean_ratio,
        "oss_score": to_numpy(decision.oss_score),
        "oss_distances": to_numpy(decision.oss_distances),
        "nearest_class": to_numpy(decision.nearest_class, np.int16),
    }


def finite_loss(loss: Tensor, model: str, epoch: int) -> float:
    """The mean loss of a model's epoch as a number; raises `TrainingError` if it is not finite."""
    value = float(loss.item())
    if not math.isfinite(value):
        raise TrainingError(
            f"The {model} model's loss is {value} in epoch {epoch}, expected a finite number. "
            f"Earlier epochs are kept; lower its learning rate and start again."
        )
    return value


@overload
def to_numpy(tensor: Tensor, dtype: type | None = None) -> np.ndarray: ...
@overload
def to_numpy(tensor: None, dtype: type | None = None) -> None: ...
def to_numpy(tensor: Tensor | None, dtype: type | None = None) -> np.ndarray | None:
    """A copy on the CPU that nothing else writes to; None for None."""
    if tensor is None:
        return None
    array = tensor.detach().cpu().numpy()
    return array.astype(dtype) if dtype else array.copy()
