"""The trace of a recorded epoch's pool, as decided or under other rules."""

from __future__ import annotations

import numpy as np

from bsd_engine.audit.history import RunHistory
from bsd_engine.method.pools import PoolEvidence, PoolTrace, decide_pools
from bsd_engine.method.rules import PoolRules


def deciding_epoch(history: RunHistory, epoch: int) -> int:
    """The global epoch that decided the pool of an epoch: T1 for epochs on the initial pools, else the epoch itself."""
    return history.first_main + history.config.schedule.t1 if history.stage(epoch) == "initial_pools" else epoch


def evidence(history: RunHistory, epoch: int) -> PoolEvidence[np.ndarray]:
    """The evidence that the pool rules read at a global main epoch."""
    t = epoch - history.first_main
    return PoolEvidence(
        labels=history.labels,
        target=history.targets[epoch],
        altruistic_loss=history.altruistic_loss[epoch],
        main_loss=history.main_loss[t],
        altruistic_prediction=history.altruistic_prediction[epoch],
        main_prediction=history.main_prediction[t],
        warmup_loss=history.altruistic_loss[history.first_main - 1],
        oss_score=history.oss_score,
    )


def trace(history: RunHistory, epoch: int, rules: PoolRules | None = None) -> PoolTrace[np.ndarray]:
    """The pools of a global main epoch, with every step of the decision.

    Parameters
    ----------
    rules : of the run when not given. Others are exact at the first split, whose scores depend on no share,
        combination or snapshot; later they give this epoch's split of the models as they were.
    """
    at = deciding_epoch(history, epoch)
    return decide_pools(rules or history.rules, at - history.first_main, evidence(history, at))
