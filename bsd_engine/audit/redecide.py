"""A recorded epoch's decision made again, rule by rule, with the functions that made it; with other settings, a what-if."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from bsd_engine import splits
from bsd_engine.audit.history import RunHistory
from bsd_engine.compute.plans import generator_for
from bsd_engine.config.settings import BSDConfig


@dataclass(frozen=True, kw_only=True)
class InitialSplit:
    """The split at T = T1, and what each view said; (N,) bool each."""

    als_mask: np.ndarray
    oss_mask: np.ndarray
    clean_mask: np.ndarray


@dataclass(frozen=True, kw_only=True)
class LaterSplit:
    """The split of a later epoch, and what each rule did; (N,) each."""

    discrepancy: np.ndarray
    """float32, nats."""
    top_mask: np.ndarray
    """bool: the top share of all samples."""
    completed_mask: np.ndarray
    """bool: after class completion."""
    clean_mask: np.ndarray
    """bool: after selective dropping."""
    ratio: float
    """alpha_T."""

    @property
    def dropped_mask(self) -> np.ndarray:
        """(N,) bool: what both models called the suspected target."""
        return self.completed_mask & ~self.clean_mask


def initial_losses(history: RunHistory, config: BSDConfig | None = None) -> np.ndarray:
    """(N,) float32: the altruistic losses that ALS ranks at T1."""
    schedule, config = history.config.schedule, config or history.config
    epoch = (
        schedule.altruistic_epochs - 1
        if config.split.als_snapshot == "after_warmup"
        else schedule.altruistic_epochs + schedule.t1
    )
    return history.altruistic_loss[epoch]


def initial_split(history: RunHistory, config: BSDConfig | None = None) -> InitialSplit:
    """The split at T1 with the run's settings or others; exact for any alpha, beta, combination and snapshot, since neither
    the altruistic losses nor the OSS scores depend on them."""
    config = config or history.config
    split = config.split
    als = splits.als_clean_mask(initial_losses(history, config), split.als_ratio)
    if split.all_to_all == "off":
        oss = splits.oss_clean_mask(history.oss_score, history.labels, history.pseudo_target, split.beta)
    else:
        oss = splits.all_to_all_clean_mask(history.oss_score, history.labels, split.beta)
    both = splits.initial_clean_mask(als, oss, split.init_combine, generator_for(config.seed, "pools", 0))
    return InitialSplit(als_mask=als, oss_mask=oss, clean_mask=both)


def ratio_at(history: RunHistory, epoch: int, config: BSDConfig | None = None) -> float:
    """alpha_T of a global epoch; epochs keep the stage that they had in the run."""
    split, s = (config or history.config).split, history.config.schedule
    return splits.clean_ratio(
        epoch - history.first_main,
        alpha=split.alpha,
        beta=split.schedule_start,
        t1=s.t1,
        init_epochs=s.init_epochs,
        t2=s.t2,
    )


def later_split(
    history: RunHistory, epoch: int, config: BSDConfig | None = None, *, ratio: float | None = None
) -> LaterSplit:
    """The split of an epoch of class completion or selective dropping, given both models as they were at its start."""
    config, t = config or history.config, epoch - history.first_main
    split, target = config.split, history.pseudo_target
    share = ratio_at(history, epoch, config) if ratio is None else ratio
    gap = splits.loss_discrepancy(history.altruistic_loss[epoch], history.main_loss[t])
    predictions = history.main_prediction[t].astype(np.int64)
    completed = splits.discrepancy_clean_mask(
        gap,
        history.labels,
        share,
        split.completion,
        count_by=split.count_by,
        predictions=predictions,
        target_label=target,
    )
    kept = completed
    if t >= config.drop_start and split.selective_drop and target is not None:
        kept = splits.selective_drop(
            completed, predictions, history.altruistic_prediction[epoch].astype(np.int64), target
        )
    top = splits.als_clean_mask(gap, share)  # the same rule: the top share, among equals the lower index
    return LaterSplit(discrepancy=gap, top_mask=top, completed_mask=completed, clean_mask=kept, ratio=share)


def redecided_pool(history: RunHistory, epoch: int, config: BSDConfig | None = None) -> np.ndarray:
    """(N,) bool: the clean pool of a main epoch, decided again."""
    stage = history.stage(epoch)
    if stage == "oss_warmup":
        target = history.pseudo_target
        return np.ones(history.num_samples, bool) if target is None else history.labels != target
    if stage == "initial_pools":
        return initial_split(history, config).clean_mask
    return later_split(history, epoch, config).clean_mask


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: place of each sample, 1 for the largest score; among equals the lower index first, as `splits` cuts."""
    order = torch.argsort(torch.as_tensor(np.require(scores, requirements="CW")), descending=True, stable=True).numpy()
    place = np.empty(len(scores), np.int64)
    place[order] = np.arange(1, len(scores) + 1)
    return place


def ranks_within(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) int64: place of each sample within its given label, 1 for the largest score."""
    place = np.zeros(len(scores), np.int64)
    for label in np.unique(labels):
        own = labels == label
        place[own] = ranks(scores[own])
    return place
