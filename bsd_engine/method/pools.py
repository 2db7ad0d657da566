"""Decides which samples a main epoch trusts: Algorithm 1, lines 16-35, with every step recorded.

`decide_pools` is the only function that decides a pool. It is pure and blind to the ground truth; its trace has each
mask, each count and each rule that applied. The trainer, the previews, the audit and the recordings read that trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

import numpy as np
import torch

from bsd_engine import splits
from bsd_engine.compute.plans import generator_for
from bsd_engine.errors import DataError
from bsd_engine.events import EpochState
from bsd_engine.method.rules import PoolRules
from bsd_engine.selection import A
from bsd_engine.shares import exact_count

Rule = Literal["oss_warmup", "initial_split", "kept", "later_split"]
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class PoolEvidence(Generic[A]):
    """The evidence that the rules read at one main epoch; arrays are (N,). Fields that its rule ignores may be None."""

    labels: A
    """int: the given labels."""
    target: int | None
    """The suspected label; None with all-to-all, where every class is one, and where no class is suspected."""
    altruistic_loss: A | None = None
    """float, nats."""
    main_loss: A | None = None
    altruistic_prediction: A | None = None
    """int."""
    main_prediction: A | None = None
    warmup_loss: A | None = None
    """Altruistic losses at the end of the altruistic warm-up."""
    oss_score: A | None = None
    """OSS scores; None where no class is suspected."""
    previous_pool: A | None = None
    """bool: the clean pool of T - 1."""


def recorded_evidence(labels: np.ndarray, state: EpochState) -> PoolEvidence[np.ndarray]:
    """The evidence in the record of one epoch; fields that other epochs record are None."""
    return PoolEvidence(
        labels=labels,
        target=state.pseudo_target,
        altruistic_loss=state.altruistic_loss,
        main_loss=state.main_loss,
        altruistic_prediction=state.altruistic_prediction,
        main_prediction=state.main_prediction,
        oss_score=state.oss_score,
    )


@dataclass(frozen=True, kw_only=True)
class InitialSplit(Generic[A]):
    """The split at T = T1; masks are (N,) bool."""

    losses: A
    """The altruistic losses that ALS ranked."""
    als_mask: A
    als_count: int
    """Samples that ALS keeps."""
    oss_mask: A
    oss_counts: dict[int, int]
    """Samples that OSS keeps of each class that it judges; empty where no class is suspected, and OSS keeps all."""
    clean_mask: A
    """ALS and OSS combined."""


@dataclass(frozen=True, kw_only=True)
class LaterSplit(Generic[A]):
    """The split by loss discrepancy; masks are (N,) bool."""

    discrepancy: A
    """float, nats."""
    ratio: float
    """alpha_T."""
    top_mask: A
    """The top share of all samples."""
    top_count: int
    quotas: dict[int, int]
    """Samples that class completion gives each class; classes that it leaves unchanged are missing."""
    completed_mask: A
    """After class completion."""
    drops: bool
    """Whether selective drop ran."""
    clean_mask: A
    """After selective drop."""

    @property
    def dropped_mask(self) -> A:
        """(N,) bool: the samples that selective drop took out."""
        return self.completed_mask & ~self.clean_mask


@dataclass(frozen=True, kw_only=True)
class PoolTrace(Generic[A]):
    """The pools of one main epoch, and the steps of the decision."""

    t: int
    """Main epoch T."""
    rule: Rule
    """oss_warmup: the non-target samples; initial_split: ALS and OSS; kept: the pool of T - 1; later_split: the loss
    discrepancy."""
    rules: PoolRules
    """The settings that decided, after the verdict."""
    target: int | None
    """The suspected label."""
    clean_mask: A
    """(N,) bool."""
    unlabeled_mask: A
    """(N,) bool: the complement, except with variants of the OSS warm-up."""
    clean_ratio: float | None = None
    """alpha_T, or the share kept by ALS on the initial pools; None in the OSS warm-up."""
    initial: InitialSplit[A] | None = None
    """With the rule initial_split."""
    later: LaterSplit[A] | None = None
    """With the rule later_split."""


def decide_pools(rules: PoolRules, t: int, evidence: PoolEvidence[A]) -> PoolTrace[A]:
    """The pools of main epoch T with every step of the decision. An empty clean pool is a result, not an error."""
    if t < rules.t1:
        labeled, unlabeled = warmup_masks(rules, evidence.labels, evidence.target)
        return PoolTrace(
            t=t, rule="oss_warmup", rules=rules, target=evidence.target, clean_mask=labeled, unlabeled_mask=unlabeled
        )
    rule: Rule = "kept"
    initial, later, ratio = None, None, rules.als_ratio
    if t == rules.t1:
        rule, initial = "initial_split", initial_split(rules, evidence)
        mask = initial.clean_mask
    elif t < rules.t1 + rules.init_epochs:
        mask = _known(evidence.previous_pool, "pool of the epoch before")
    else:
        rule, later = "later_split", later_split(rules, t, evidence)
        mask, ratio = later.clean_mask, later.ratio
    return PoolTrace(
        t=t,
        rule=rule,
        rules=rules,
        target=evidence.target,
        clean_mask=mask,
        unlabeled_mask=~mask,
        clean_ratio=ratio,
        initial=initial,
        later=later,
    )


def warmup_masks(rules: PoolRules, labels: A, target: int | None) -> tuple[A, A]:
    """Labelled and unlabelled samples of the OSS warm-up, (N,) bool each.

    Labelled are the non-target samples, unlabelled the others, as in Algorithm 1, or a variant. Without a target every
    sample is labelled.
    """
    labeled = _everything(labels) if target is None else labels != target
    unlabeled = {"target": ~labeled, "nontarget": labeled, "none": ~_everything(labels)}
    return labeled, unlabeled[rules.oss_warmup_unlabeled]


def _everything(example: A) -> A:
    """(N,) bool: every sample."""
    if isinstance(example, np.ndarray):
        return np.ones(len(example), bool)
    return torch.ones(len(example), dtype=torch.bool, device=example.device)


def initial_split(rules: PoolRules, evidence: PoolEvidence[A]) -> InitialSplit[A]:
    """The split at T = T1: ALS on altruistic losses, OSS on distances, and their combination. Paper: Eq. 3-7.

    Without OSS scores OSS keeps every sample; they are required where a class is suspected.
    """
    current = rules.als_snapshot == "current"
    losses = _known(evidence.altruistic_loss if current else evidence.warmup_loss, "altruistic loss")
    als = splits.als_clean_mask(losses, rules.als_ratio)
    oss, counts = _oss_mask(rules, evidence)
    return InitialSplit(
        losses=losses,
        als_mask=als,
        als_count=exact_count(rules.als_ratio, len(losses)),
        oss_mask=oss,
        oss_counts=counts,
        clean_mask=splits.initial_clean_mask(als, oss, rules.init_combine, generator_for(rules.seed, "pools", 0)),
    )


def split_now(rules: PoolRules, labels: np.ndarray, state: EpochState) -> InitialSplit[np.ndarray]:
    """The first split as it would be with the scores of one epoch; before there are OSS scores, ALS alone cuts."""
    evidence = recorded_evidence(labels, state)
    if state.oss_score is None:
        evidence = replace(evidence, target=None)
    return initial_split(rules.with_settings(als_snapshot="current"), evidence)


def _oss_mask(rules: PoolRules, evidence: PoolEvidence[A]) -> tuple[A, dict[int, int]]:
    """(N,) bool: the samples that OSS keeps, and how many of each class that it judges."""
    scores, labels, target = evidence.oss_score, evidence.labels, evidence.target
    if rules.all_to_all == "off" and target is not None:
        mask = splits.oss_clean_mask(_known(scores, "OSS score"), labels, target, rules.beta)
        return mask, {target: exact_count(rules.beta, int((labels == target).sum()))}
    if rules.all_to_all == "off" or scores is None:
        return _everything(labels), {}
    sizes = _class_sizes(labels)
    return splits.all_to_all_clean_mask(scores, labels, rules.beta), {
        c: exact_count(rules.beta, size) for c, size in enumerate(sizes) if size > 0
    }


def _class_sizes(labels: A) -> list[int]:
    return np.bincount(labels).tolist() if isinstance(labels, np.ndarray) else torch.bincount(labels).tolist()


def schedule_ratio(rules: PoolRules, t: int) -> float:
    """alpha_T of Eq. 11."""
    return splits.clean_ratio(
        t, alpha=rules.alpha, beta=rules.schedule_start, t1=rules.t1, init_epochs=rules.init_epochs, t2=rules.t2
    )


def later_split(rules: PoolRules, t: int, evidence: PoolEvidence[A], ratio: float | None = None) -> LaterSplit[A]:
    """The split at a main epoch of class completion or selective drop. Paper: Eq. 8-11.

    Parameters
    ----------
    ratio : alpha_T, if not that of the schedule
    """
    share = schedule_ratio(rules, t) if ratio is None else ratio
    losses = [_known(loss, "loss") for loss in (evidence.altruistic_loss, evidence.main_loss)]
    discrepancy = splits.loss_discrepancy(*losses)
    top = splits.top_share_mask(discrepancy, share)
    quotas = _quotas(rules, evidence, top, share)
    completed = splits.completed_mask(discrepancy, evidence.labels, top, quotas, rules.completion)
    drops = t >= rules.drop_start and rules.selective_drop and evidence.target is not None
    kept = completed
    if drops and evidence.target is not None:
        f, g = (_known(p, "prediction") for p in (evidence.main_prediction, evidence.altruistic_prediction))
        kept = splits.selective_drop(completed, f, g, evidence.target)
    return LaterSplit(
        discrepancy=discrepancy,
        ratio=share,
        top_mask=top,
        top_count=exact_count(share, len(discrepancy)),
        quotas=quotas,
        completed_mask=completed,
        drops=drops,
        clean_mask=kept,
    )


def _quotas(rules: PoolRules, evidence: PoolEvidence[A], top: A, share: float) -> dict[int, int]:
    return splits.class_quotas(
        top,
        evidence.labels,
        share,
        rules.completion,
        count_by=rules.count_by,
        predictions=evidence.main_prediction,
        target_label=evidence.target,
    )


def combined(rules: PoolRules, by_als: bool, by_oss: bool) -> bool:
    """Whether the first pool has a sample that ALS and OSS keep or not; False where the pool is drawn at random."""
    rule = splits.COMBINED.get(rules.init_combine)
    return rule is not None and bool(rule(by_als, by_oss))


def completed_by_rank(
    rules: PoolRules, evidence: PoolEvidence[A], ratio: float, sample: int, overall: A, in_class: A
) -> bool:
    """Whether `later_split` keeps one sample before selective drop, from ranks: no score is compared, so it is fast.

    Parameters
    ----------
    ratio : alpha_T
    overall, in_class : (N,) int, ranks of the loss discrepancy among all samples and within the given label, from 1
    """
    top = overall <= exact_count(ratio, len(overall))
    quota = _quotas(rules, evidence, top, ratio).get(int(evidence.labels[sample]), 0)
    by_quota = int(in_class[sample]) <= quota
    return by_quota if rules.completion in splits.BY_CLASS else bool(top[sample]) or by_quota


def _known(value: V | None, name: str) -> V:
    if value is None:
        raise DataError(f"No {name} is known at this epoch, expected one value a sample; choose another epoch.")
    return value
