"""The reason why a sample is in the clean pool or not: facts from the record, and a sentence made from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bsd_engine.audit.explain.facts import Facts, RankFact
from bsd_engine.audit.explain.ranks import initial_ranks, later_ranks, ranks
from bsd_engine.audit.explain.sentences import sentence
from bsd_engine.audit.explain.traces import deciding_epoch
from bsd_engine.audit.history import RunHistory
from bsd_engine.errors import RunFolderError
from bsd_engine.method.pools import PoolEvidence, initial_split


@dataclass(frozen=True, kw_only=True)
class Reason(Facts):
    """The facts about a sample, and the sentence made from them."""

    @property
    def sentence(self) -> str:
        """The facts in words and numbers, nothing else; class names are unchanged."""
        return sentence(self)


def reason(history: RunHistory, sample: int, epoch: int) -> Reason:
    """The facts that decided about a sample at a global epoch; raises `RunFolderError` if either is unknown."""
    if not 0 <= sample < history.num_samples:
        raise RunFolderError(f"There is no sample {sample}; the run has the samples 0 to {history.num_samples - 1}.")
    if not 0 <= epoch < history.num_epochs:
        raise RunFolderError(f"Epoch {epoch + 1} is not recorded; the run has the epochs 1 to {history.num_epochs}.")
    stage, pool, target = history.stage(epoch), history.pool(epoch), history.pseudo_target
    label = int(history.labels[sample])
    common = Reason(
        sample=sample,
        epoch=epoch,
        stage=stage,
        in_pool=None if pool is None else bool(pool[sample]),
        label=history.name(label),
        target=None if target is None else history.name(target),
        is_target=label == target,
    )
    return _ADDED[stage](history, common)


def _add_warmup(history: RunHistory, common: Reason) -> Reason:
    """Add the rank at which ALS would cut the losses of a warm-up epoch."""
    losses = history.altruistic_loss[common.epoch]
    rules = history.rules.with_settings(als_snapshot="current")
    evidence = PoolEvidence(labels=history.labels, target=None, altruistic_loss=losses)  # ALS alone
    kept, by_rank = history.derived(
        ("warm-up", common.epoch), lambda: (initial_split(rules, evidence).als_mask, ranks(losses))
    )
    return replace(common, als=_fact(losses, by_rank, kept, common.sample))


def _add_oss_warmup(history: RunHistory, common: Reason) -> Reason:
    return replace(common, decided_at=common.epoch)


def _add_initial(history: RunHistory, common: Reason) -> Reason:
    ranked, sample = initial_ranks(history), common.sample
    split, label = ranked.split, int(history.labels[sample])
    oss = None
    if ranked.oss is not None and history.oss_score is not None and label in split.oss_counts:
        in_class = history.labels == label
        oss = _fact(history.oss_score, ranked.oss, split.oss_mask & in_class, sample, of=int(in_class.sum()))
    nearest = history.nearest_class
    return replace(
        common,
        decided_at=deciding_epoch(history, common.epoch),
        combine=history.rules.init_combine,
        als=_fact(split.losses, ranked.als, split.als_mask, sample),
        oss=oss,
        nearest=None if nearest is None else history.name(int(nearest[sample])),
    )


def _add_later(history: RunHistory, common: Reason) -> Reason:
    ranked, sample, epoch = later_ranks(history, common.epoch), common.sample, common.epoch
    split, in_class = ranked.split, history.labels == history.labels[sample]
    in_top, completed = bool(split.top_mask[sample]), bool(split.completed_mask[sample])
    return replace(
        common,
        decided_at=epoch,
        altruistic_loss=float(history.altruistic_loss[epoch, sample]),
        main_loss=float(history.main_loss[epoch - history.first_main, sample]),
        overall=_fact(split.discrepancy, ranked.overall, split.top_mask, sample),
        in_class=_fact(
            split.discrepancy, ranked.in_class, split.completed_mask & in_class, sample, of=int(in_class.sum())
        ),
        completed=completed and not in_top,
        capped=in_top and not completed,
        dropped=bool(split.dropped_mask[sample]),
    )


def _fact(scores: np.ndarray, by_rank: np.ndarray, kept: np.ndarray, sample: int, of: int | None = None) -> RankFact:
    return RankFact(
        value=float(scores[sample]),
        rank=int(by_rank[sample]),
        of=len(scores) if of is None else of,
        cut_rank=int(kept.sum()),
        cut_value=float(scores[kept].min()) if kept.any() else float("nan"),
    )


_ADDED: dict[str, Callable[[RunHistory, Reason], Reason]] = {
    "altruistic_warmup": _add_warmup,
    "oss_warmup": _add_oss_warmup,
    "initial_pools": _add_initial,
    "class_completion": _add_later,
    "selective_drop": _add_later,
}
"""For each stage, the function that adds its facts."""
