"""Previews of a recorded run's splits under other settings: pure functions over `EpochState`s.

Nothing that the first split reads depends on alpha or beta: g trains on everything, f warms up on the non-target
samples. The record of T = t is therefore what a run with T1 = t and the same T2 and T3 would have seen, so every alpha,
beta, T1 and distance is answered exactly. Later pools depend on how f was trained; of those, one epoch's split can be
done again. `pools` decides here as it does in training. It loads torch, so it is imported only when a split is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import DataError
from bsd_engine.events import EpochState
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.rules import PoolRules
from bsd_engine.shares import DISTANCES, Distance


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that a preview changes."""

    alpha: float
    beta: float
    t1: int
    """Main epochs of the OSS warm-up; T2 and T3 stay as they are."""
    altruistic_epochs: int
    distance: Distance

    @classmethod
    def of(cls, config: BSDConfig) -> Settings:
        """The settings of a run."""
        return cls(
            alpha=config.split.alpha,
            beta=config.split.beta,
            t1=config.schedule.t1,
            altruistic_epochs=config.schedule.altruistic_epochs,
            distance=config.split.oss_distance,
        )

    def applied_to(self, config: BSDConfig) -> BSDConfig:
        """A configuration with these settings; raises `ConfigError` if they do not fit, such as alpha below beta."""
        return config.with_settings(
            alpha=self.alpha,
            beta=self.beta,
            t1=self.t1,
            altruistic_epochs=self.altruistic_epochs,
            oss_distance=self.distance,
        )


def loss_epoch(config: BSDConfig, settings: Settings) -> int:
    """Global epoch whose record holds the altruistic losses of the first split.

    A record of the altruistic warm-up is taken after its epoch, a record of a main epoch before it.
    """
    learned = settings.altruistic_epochs + (settings.t1 if config.split.als_snapshot == "current" else 0)
    return learned - 1 if learned <= config.schedule.altruistic_epochs else learned


def distance_epoch(config: BSDConfig, settings: Settings) -> int:
    """Global epoch whose record holds the OSS scores of the first split: T = T1."""
    return config.schedule.altruistic_epochs + settings.t1


def first_scores(config: BSDConfig, settings: Settings, losses_of: EpochState, distances_of: EpochState) -> FirstScores:
    """The scores for the first split under other settings, from the records of `loss_epoch` and `distance_epoch`.

    Raises `DataError` if the distance was not recorded.
    """
    oss = distances_of.oss_score
    if distances_of.oss_distances is not None:
        oss = distances_of.oss_distances[DISTANCES.index(settings.distance)]
    elif settings.distance != config.split.oss_distance:
        oss = None
    if oss is None and not _suspects_nobody(config, distances_of):
        raise DataError(
            f"Epoch {distances_of.epoch} has no {settings.distance} distance recorded, expected one for T = 0 ... T1; "
            "choose an epoch of the OSS warm-up, or record the run anew."
        )
    return FirstScores(losses=losses_of.altruistic_loss, oss=oss, target=distances_of.pseudo_target)


def _suspects_nobody(config: BSDConfig, state: EpochState) -> bool:
    """Whether a run suspects no class at a main epoch up to T1; if it suspects every class, distances are recorded."""
    before_split = 0 <= state.main_epoch <= config.schedule.t1
    nothing = state.pseudo_target is None and state.oss_score is None and state.oss_distances is None
    return before_split and nothing and config.split.all_to_all == "off"


def first_pool(
    config: BSDConfig,
    settings: Settings,
    labels: np.ndarray,
    scores: FirstScores,
    verdict: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """(N,) bool: the first clean pool. Paper: Eq. 3. Unlike a run, a preview may have alpha below beta.

    Parameters
    ----------
    verdict : the run's verdict about the target, see `PoolRules.of`
    """
    from bsd_engine.method.pools import PoolEvidence, decide_pools

    rules = _rules(config, settings, verdict)
    evidence = PoolEvidence(
        labels=labels,
        target=scores.target,
        altruistic_loss=scores.losses,
        warmup_loss=scores.losses,  # those of the snapshot that the rules ask for
        oss_score=scores.oss,
    )
    return decide_pools(rules, rules.t1, evidence).clean_mask


def later_pool(config: BSDConfig, settings: Settings, labels: np.ndarray, state: EpochState) -> np.ndarray:
    """(N,) bool: the split of one later epoch done again, on the models as they were. Paper: Eq. 8-11."""
    if state.main_loss is None or state.main_prediction is None:
        raise DataError(
            f"Epoch {state.epoch} has no main loss recorded, expected one of the main training; choose a later epoch."
        )
    from bsd_engine.method.pools import decide_pools, recorded_evidence

    return decide_pools(_rules(config, settings), state.main_epoch, recorded_evidence(labels, state)).clean_mask


def _rules(config: BSDConfig, settings: Settings, verdict: Mapping[str, Any] | None = None) -> PoolRules:
    """The run's rules with other shares. The schedule stays: an epoch keeps the stage that it had in the run."""
    return PoolRules.of(config, verdict).with_settings(alpha=settings.alpha, beta=settings.beta)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The changes by a preview: samples that enter and leave the pool, and the poison among them where it is known."""

    gained: int
    lost: int
    gained_poison: int | None
    lost_poison: int | None

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray, is_poison: np.ndarray | None = None) -> Difference:
        """The difference between two pools, (N,) bool each."""
        gained, lost = after & ~before, before & ~after
        poison = [None if is_poison is None else int((mask & is_poison).sum()) for mask in (gained, lost)]
        return cls(gained=int(gained.sum()), lost=int(lost.sum()), gained_poison=poison[0], lost_poison=poison[1])
