"""Why a sample is in the clean pool or not, as facts from the record and as a sentence made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bsd_engine.audit import redecide
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.number_format import measure
from bsd_engine.errors import RunFolderError
from bsd_engine.splits import als_clean_mask

TOO_EASY, TOO_NEAR = "learned too easily", "too much like another class"


@dataclass(frozen=True, kw_only=True)
class RankFact:
    """A score that a rule ranks, and where the rule cuts."""

    value: float
    rank: int
    """From 1, the largest score first."""
    of: int
    """How many are ranked."""
    cut_rank: int
    """The last rank that is kept; 0 where none is."""
    cut_value: float
    """The smallest score that is kept; NaN where none is."""

    @property
    def kept(self) -> bool:
        """Whether the rule keeps the sample."""
        return self.rank <= self.cut_rank


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What decided about one sample at one epoch; a fact that the epoch's rule does not read is None."""

    sample: int
    epoch: int
    """Global, 0-based."""
    decided_at: int | None
    """The epoch that made the decision: with pools that are fixed for some epochs, that at T1; None in the altruistic warm-up."""
    stage: str
    in_pool: bool | None
    """None in the altruistic warm-up, which has no pool."""
    label: str
    target: str | None
    """Name of the suspected class."""
    is_target: bool
    """Whether the sample's given label is the suspected one."""
    als: RankFact | None = None
    """Altruistic loss among all samples."""
    oss: RankFact | None = None
    """OSS distance within the suspected class; with all-to-all within the sample's own."""
    nearest: str | None = None
    """The known class with the nearest centre."""
    combine: str | None = None
    """How both views make the first pool."""
    altruistic_loss: float | None = None
    main_loss: float | None = None
    overall: RankFact | None = None
    """Loss discrepancy among all samples."""
    in_class: RankFact | None = None
    """The same within the sample's given label; its cut is what class completion lets in."""
    completed: bool = False
    """Whether class completion, not the share of all samples, let it in."""
    capped: bool = False
    """Whether class completion kept it out although it is in the top share of all samples."""
    dropped: bool = False
    """Whether both models call it the suspected class, so that it was dropped."""

    @property
    def sentence(self) -> str:
        """The facts in words and numbers, nothing else; class names stand as they were given."""
        return _SENTENCES[self.stage](self)


def reason(history: RunHistory, sample: int, epoch: int) -> Reason:
    """What decided about a sample at a global epoch; raises `RunFolderError` for one that is not there."""
    if not 0 <= sample < history.num_samples:
        raise RunFolderError(f"There is no sample {sample}; the run has the samples 0 to {history.num_samples - 1}.")
    if not 0 <= epoch < history.num_epochs:
        raise RunFolderError(f"Epoch {epoch + 1} is not recorded; the run has the epochs 1 to {history.num_epochs}.")
    stage, pool, target = history.stage(epoch), history.pool(epoch), history.pseudo_target
    label = int(history.labels[sample])
    common = {
        "sample": sample,
        "epoch": epoch,
        "stage": stage,
        "in_pool": None if pool is None else bool(pool[sample]),
        "label": history.name(label),
        "target": None if target is None else history.name(target),
        "is_target": label == target,
    }
    facts = {
        "altruistic_warmup": _warmup_facts,
        "oss_warmup": lambda *_: {"decided_at": epoch},
        "initial_pools": _initial_facts,
    }
    return Reason(**common, **facts.get(stage, _later_facts)(history, sample, epoch))


def _warmup_facts(history: RunHistory, sample: int, epoch: int) -> dict:
    losses = history.altruistic_loss[epoch]
    kept = als_clean_mask(losses, history.config.split.als_ratio)
    places = history.derived(("warm-up", epoch), lambda: redecide.ranks(losses))
    return {"decided_at": None, "als": _fact(losses, places, kept, sample)}


def _initial_facts(history: RunHistory, sample: int, epoch: int) -> dict:
    found, config = initial_ranks(history), history.config
    decided = history.first_main + config.schedule.t1
    label = int(history.labels[sample])
    facts = {
        "decided_at": decided,
        "combine": config.split.init_combine,
        "als": _fact(redecide.initial_losses(history), found.als, found.split.als_mask, sample),
    }
    if history.pseudo_target in (None, label):
        own = history.labels == label
        facts["oss"] = _fact(history.oss_score, found.oss, found.split.oss_mask & own, sample, of=int(own.sum()))
    if history.nearest_class is not None:
        facts["nearest"] = history.name(int(history.nearest_class[sample]))
    return facts


def _later_facts(history: RunHistory, sample: int, epoch: int) -> dict:
    found = later_ranks(history, epoch)
    split, own = found.split, history.labels == history.labels[sample]
    return {
        "decided_at": epoch,
        "altruistic_loss": float(history.altruistic_loss[epoch, sample]),
        "main_loss": float(history.main_loss[epoch - history.first_main, sample]),
        "overall": _fact(split.discrepancy, found.overall, split.top_mask, sample),
        "in_class": _fact(split.discrepancy, found.in_class, split.completed_mask & own, sample, of=int(own.sum())),
        "completed": bool(split.completed_mask[sample] & ~split.top_mask[sample]),
        "capped": bool(split.top_mask[sample] & ~split.completed_mask[sample]),
        "dropped": bool(split.dropped_mask[sample]),
    }


def _fact(scores: np.ndarray, ranks: np.ndarray, kept: np.ndarray, sample: int, of: int | None = None) -> RankFact:
    return RankFact(
        value=float(scores[sample]),
        rank=int(ranks[sample]),
        of=len(scores) if of is None else of,
        cut_rank=int(kept.sum()),
        cut_value=float(scores[kept].min()) if kept.any() else float("nan"),
    )


# -- what all samples of an epoch share, computed once (10 ms for 50,000 samples) ------------------


@dataclass(frozen=True)
class InitialRanks:
    """The split at T1 with the places of all samples."""

    split: redecide.InitialSplit
    als: np.ndarray
    """(N,) int64, by altruistic loss."""
    oss: np.ndarray
    """(N,) int64, by OSS score within the given label."""


@dataclass(frozen=True)
class LaterRanks:
    """The split of a later epoch with the places of all samples."""

    split: redecide.LaterSplit
    overall: np.ndarray
    """(N,) int64, by loss discrepancy."""
    in_class: np.ndarray
    """(N,) int64, the same within the given label."""


def initial_ranks(history: RunHistory) -> InitialRanks:
    """Split and ranks at T1."""
    return history.derived(
        "initial",
        lambda: InitialRanks(
            redecide.initial_split(history),
            redecide.ranks(redecide.initial_losses(history)),
            redecide.ranks_within(history.oss_score, history.labels),
        ),
    )


def later_ranks(history: RunHistory, epoch: int) -> LaterRanks:
    """Split and ranks of an epoch of class completion or selective dropping."""

    def make() -> LaterRanks:
        split = redecide.later_split(history, epoch)
        return LaterRanks(
            split, redecide.ranks(split.discrepancy), redecide.ranks_within(split.discrepancy, history.labels)
        )

    return history.derived(("later", epoch), make)


# -- sentences -------------------------------------------------------------------------------------


def _head(r: Reason) -> str:
    when = f"at epoch {r.epoch + 1}"
    if r.decided_at is not None and r.decided_at != r.epoch:
        when += f" (decided at epoch {r.decided_at + 1})"
    return f"{'In the clean pool' if r.in_pool else 'Dropped' if r.dropped else 'Kept out'} {when}"


def _warmup_sentence(r: Reason) -> str:
    als = r.als
    side = "above" if als.kept else "below"
    return (
        f"Not decided yet at epoch {r.epoch + 1}: altruistic loss {measure(als.value)} is rank {als.rank:,} of {als.of:,}, "
        f"{side} where ALS would cut, rank {als.cut_rank:,}."
    )


def _oss_warmup_sentence(r: Reason) -> str:
    if r.target is None:
        return f"{_head(r)}: no single class is suspected, so the warm-up learns every label."
    if r.is_target:
        return f"{_head(r)}: its label {r.target} is the suspected class, which the warm-up learns without labels."
    return f"{_head(r)}: its label {r.label} is not the suspected class {r.target}; no sample was judged by itself yet."


def _initial_sentence(r: Reason) -> str:
    if r.combine == "random":
        return f"{_head(r)}: the first pool was drawn at random, as the settings ask."
    als = r.als
    verdict = "" if als.kept else f": {TOO_EASY}"
    parts = [
        f"altruistic loss {measure(als.value)} is rank {als.rank:,} of {als.of:,}, the cut is rank {als.cut_rank:,}{verdict}."
    ]
    if r.oss is None:
        parts.append(f"Its label {r.label} is not the suspected class {r.target}, so OSS does not judge it.")
    else:
        side = (
            f"reaches the cut {measure(r.oss.cut_value)}"
            if r.oss.kept
            else f"is below the cut {measure(r.oss.cut_value)}"
        )
        side = side if r.oss.cut_rank else "counts for nothing, since OSS keeps none"
        near = f", nearest class {r.nearest}" if r.nearest is not None else ""
        verdict = "" if r.oss.kept else f": {TOO_NEAR}"
        parts.append(
            f"Distance {measure(r.oss.value)} (rank {r.oss.rank:,} of {r.oss.of:,} in {r.label}) {side}{near}{verdict}."
        )
    if r.combine != "intersection":
        parts.append(
            {
                "union": "Either view is enough.",
                "als_only": "Only the loss counts.",
                "oss_only": "Only the distance counts.",
            }[r.combine]
        )
    return f"{_head(r)}: {' '.join(parts)}"


def _later_sentence(r: Reason) -> str:
    gap, inside = r.overall, r.in_class
    text = (
        f"{_head(r)}: altruistic loss {measure(r.altruistic_loss)} minus main loss {measure(r.main_loss)} is {measure(gap.value)}, "
        f"rank {gap.rank:,} of {gap.of:,}, the cut is rank {gap.cut_rank:,}"
    )
    if r.dropped:
        return f"{text}; it would be in the pool, but both models call it {r.target}, the suspected class."
    if r.completed:
        return f"{text}; class completion lets in the first {inside.cut_rank:,} of {inside.of:,} in {r.label}, and it is rank {inside.rank:,} there."
    if r.capped:
        return f"{text}; but of {r.label} only the first {inside.cut_rank:,} of {inside.of:,} are kept, and it is rank {inside.rank:,} there."
    if r.in_pool:
        return f"{text}."
    return f"{text}: the altruistic model knows this label too well for what the main model makes of it. In {r.label} it is rank {inside.rank:,} of {inside.of:,}, {inside.cut_rank:,} are kept."


_SENTENCES = {
    "altruistic_warmup": _warmup_sentence,
    "oss_warmup": _oss_warmup_sentence,
    "initial_pools": _initial_sentence,
    "class_completion": _later_sentence,
    "selective_drop": _later_sentence,
}
