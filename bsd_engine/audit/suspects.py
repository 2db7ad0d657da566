"""All samples ranked by how suspect their record is. No function here takes the ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bsd_engine.audit.explain.ranks import initial_ranks, later_ranks, ranks
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.audit.history import RunHistory

EARLY_WEIGHT, DISTANCE_WEIGHT, POOL_WEIGHT, DOUBTFUL_WEIGHT = 0.1, 0.05, 0.05, 0.25


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """The record of each sample: (N,) arrays in the order of the samples; `order` ranks them."""

    epoch: int
    """Global, 0-based: the newest recorded epoch, at which the flags are taken."""
    score: np.ndarray
    """float32: larger is more suspect; see `suspects`."""
    rank: np.ndarray
    """int64: 1 for the most suspect."""
    als_flag: np.ndarray
    """bool: the altruistic loss at T1 was too small for ALS."""
    oss_flag: np.ndarray
    """bool: judged by OSS, and too near to another class."""
    discrepancy_flag: np.ndarray
    """bool: below the cut of the loss discrepancy at the newest epoch."""
    drop_flag: np.ndarray
    """bool: both models call it the suspected class at the newest epoch of selective drop."""
    margin: np.ndarray
    """float32: ranks behind the cut over the size of its class, at the newest epoch; positive is outside, negative
    inside; NaN before T1."""
    epochs_in_pool: np.ndarray
    """int64: out of `epochs_decided`."""
    epochs_decided: int
    """Main epochs from T1 on."""
    in_pool: np.ndarray
    """bool: at the newest epoch; True for all where there is no pool yet."""

    @property
    def order(self) -> np.ndarray:
        """(N,) int64: samples, the most suspect first."""
        return np.argsort(self.rank)

    def flags(self, sample: int) -> tuple[str, ...]:
        """Names of the flags of a sample."""
        named = {
            "ALS": self.als_flag,
            "OSS": self.oss_flag,
            "discrepancy": self.discrepancy_flag,
            "drop": self.drop_flag,
        }
        return tuple(name for name, flag in named.items() if flag[sample])


def suspects(history: RunHistory) -> Suspects:
    """Rank all samples of a run up to its last recorded epoch.

    The score is the mean of (main loss - altruistic loss) over the epochs from T1 on, in units of what a confident
    mistake costs (9.21 nats). It is near 1 where the altruistic model knows a label that the main model, which learned
    without the sample, always contradicts. A negative mean counts as 0: f knows that label better. For samples of the
    target that the verdict names, the recorded probability of carrying the trigger takes the place of the mean. Three
    small parts from 0 to 1 are added: how small the altruistic loss was throughout (0.1), how near the sample lies to
    another class, where OSS judges it (0.05), and the share of epochs outside the pool (0.05). A label that both models
    contradict alike gets 0.25: it is probably wrong, but no poison. Before T1 there are only the losses so far.

    On the demo's data with BadNets and Blended the first part alone ranks poison with an AUROC of at least 0.9986. Each
    of the others alone is far behind (0.72 to 0.97), and with weights of 0.5 they do harm.
    """
    n, first = history.num_samples, history.first_main
    begin = first + history.config.schedule.t1 if history.decided else first
    score = _main_part(history, begin) + EARLY_WEIGHT * _percentile(
        -history.altruistic_loss[min(first, history.num_epochs - 1) :].mean(0)
    )
    score += DOUBTFUL_WEIGHT * doubtful_labels(history)
    flags = {name: np.zeros(n, bool) for name in ("als_flag", "oss_flag", "discrepancy_flag", "drop_flag")}
    margin, in_pool_epochs = np.full(n, np.nan, np.float32), np.zeros(n, np.int64)
    decided = max(0, history.num_epochs - begin) if history.decided else 0
    if decided:
        pools = history.in_pool[begin - first :]
        in_pool_epochs = pools.sum(0)
        flags |= _initial_flags(history)
        score += DISTANCE_WEIGHT * _nearness(history) + POOL_WEIGHT * (1 - in_pool_epochs / decided)
        margin, later = _margin_and_flags(history)
        flags |= later
    pool = history.pool(history.num_epochs - 1)
    return Suspects(
        epoch=history.num_epochs - 1,
        score=score.astype(np.float32),
        rank=ranks(score.astype(np.float32)),
        margin=margin,
        epochs_in_pool=in_pool_epochs,
        epochs_decided=decided,
        in_pool=np.ones(n, bool) if pool is None else pool,
        **flags,
    )


def _main_part(history: RunHistory, begin: int) -> np.ndarray:
    """(N,) float64: the mean of main minus altruistic loss, at least 0 once there is f; or the recorded probability."""
    part = _gap(history, begin)
    if history.num_epochs > begin:
        part = part.clip(0)
    if history.poison_probability is not None and history.verdict is not None:
        of_target = history.labels == history.verdict["classes"][0]
        part[of_target] = history.poison_probability[of_target]
    return part


def _gap(history: RunHistory, begin: int) -> np.ndarray:
    """(N,) float64: mean of main minus altruistic loss from an epoch on, a confident mistake being 1."""
    split = history.config.split
    mistake = max(split.sce_weights[1] * -math.log(split.sce_bounds[1]), split.sce_weights[0])
    if history.num_epochs <= begin:
        return -history.altruistic_loss.mean(0, dtype=np.float64) / mistake
    return (history.main_loss[begin - history.first_main :] - history.altruistic_loss[begin:]).mean(
        0, dtype=np.float64
    ) / mistake


def _percentile(values: np.ndarray) -> np.ndarray:
    """(N,) float64: 1 for the largest value, 0 for the smallest."""
    return 1 - (ranks(values) - 1) / max(1, len(values) - 1)


def _nearness(history: RunHistory) -> np.ndarray:
    """(N,) float64: within a class that OSS judges 1 for the sample nearest to another class, 0 for the farthest.

    0 for samples that OSS does not judge.
    """
    ranked = initial_ranks(history)
    if ranked.oss is None:
        return np.zeros(history.num_samples)
    sizes = np.bincount(history.labels)[history.labels]
    judged = np.isin(history.labels, list(ranked.split.oss_counts))
    return np.where(judged, (ranked.oss - 1) / np.maximum(1, sizes - 1), 0.0)


def _initial_flags(history: RunHistory) -> dict[str, np.ndarray]:
    split = initial_ranks(history).split
    return {"als_flag": ~split.als_mask, "oss_flag": ~split.oss_mask}


def _margin_and_flags(history: RunHistory) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """How far each sample is from the cut of its class at the newest epoch; on the initial pools from the ALS cut."""
    epoch = history.num_epochs - 1
    if history.stage(epoch) == "initial_pools":
        first = initial_ranks(history)
        return ((first.als - first.split.als_count) / history.num_samples).astype(np.float32), {}
    ranked = later_ranks(history, epoch)
    classes = len(history.class_names)
    kept = np.bincount(history.labels[ranked.split.completed_mask], minlength=classes)[history.labels]
    sizes = np.bincount(history.labels, minlength=classes)[history.labels]
    return ((ranked.in_class - kept) / sizes).astype(np.float32), {
        "discrepancy_flag": ~ranked.split.completed_mask,
        "drop_flag": ranked.split.dropped_mask,
    }
