"""The facts about a sample in words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bsd_engine.audit.explain.facts import Facts, RankFact
from bsd_engine.audit.number_format import measure

TOO_EASY, TOO_NEAR = "learned too easily", "too much like another class"
V = TypeVar("V")


def sentence(r: Facts) -> str:
    """The facts of the stage in one or more sentences; class names are unchanged."""
    return _SENTENCES[r.stage](r)


def _present(value: V | None) -> V:
    assert value is not None, "a fact that the stage always has"
    return value


def _head(r: Facts) -> str:
    when = f"at epoch {r.epoch + 1}"
    if r.decided_at is not None and r.decided_at != r.epoch:
        when += f" (decided at epoch {r.decided_at + 1})"
    return f"{'In the clean pool' if r.in_pool else 'Dropped' if r.dropped else 'Kept out'} {when}"


def _altruistic_warmup(r: Facts) -> str:
    als = _present(r.als)
    side = "above" if als.kept else "below"
    return (
        f"Not decided yet at epoch {r.epoch + 1}: altruistic loss {measure(als.value)} is rank {als.rank:,} "
        f"of {als.of:,}, {side} where ALS would cut, rank {als.cut_rank:,}."
    )


def _oss_warmup(r: Facts) -> str:
    if r.target is None:
        return f"{_head(r)}: no single class is suspected, so the warm-up learns every label."
    if r.is_target:
        return f"{_head(r)}: its label {r.target} is the suspected class, which the warm-up learns without labels."
    return f"{_head(r)}: its label {r.label} is not the suspected class {r.target}; no sample was judged by itself yet."


_COMBINED = {
    "union": " Either view is enough.",
    "als_only": " Only the loss counts.",
    "oss_only": " Only the distance counts.",
}


def _initial_pools(r: Facts) -> str:
    if r.combine == "random":
        return f"{_head(r)}: the first pool was drawn at random, as the settings ask."
    als = _present(r.als)
    easy = "" if als.kept else f": {TOO_EASY}"
    by_als = (
        f"altruistic loss {measure(als.value)} is rank {als.rank:,} of {als.of:,}, "
        f"the cut is rank {als.cut_rank:,}{easy}."
    )
    return f"{_head(r)}: {by_als} {_by_oss(r)}{_COMBINED.get(r.combine or '', '')}"


def _by_oss(r: Facts) -> str:
    if r.oss is not None:
        return _distance(r, r.oss)
    if r.target is None:
        return "By the verdict no class is suspected, so OSS keeps every sample."
    return f"Its label {r.label} is not the suspected class {r.target}, so OSS does not judge it."


def _distance(r: Facts, oss: RankFact) -> str:
    cut = measure(oss.cut_value)
    side = f"reaches the cut {cut}" if oss.kept else f"is below the cut {cut}"
    side = side if oss.cut_rank else "counts for nothing, since OSS keeps none"
    near = f", nearest class {r.nearest}" if r.nearest is not None else ""
    too_near = "" if oss.kept else f": {TOO_NEAR}"
    return f"Distance {measure(oss.value)} (rank {oss.rank:,} of {oss.of:,} in {r.label}) {side}{near}{too_near}."


def _later(r: Facts) -> str:
    overall, inside = _present(r.overall), _present(r.in_class)
    text = (
        f"{_head(r)}: altruistic loss {measure(_present(r.altruistic_loss))} minus main loss "
        f"{measure(_present(r.main_loss))} is {measure(overall.value)}, rank {overall.rank:,} of {overall.of:,}, "
        f"the cut is rank {overall.cut_rank:,}"
    )
    first = f"the first {inside.cut_rank:,} of {inside.of:,}"
    if r.dropped:
        return f"{text}; it would be in the pool, but both models call it {r.target}, the suspected class."
    if r.completed:
        return f"{text}; class completion lets in {first} in {r.label}, and it is rank {inside.rank:,} there."
    if r.capped:
        return f"{text}; but of {r.label} only {first} are kept, and it is rank {inside.rank:,} there."
    if r.in_pool:
        return f"{text}."
    return (
        f"{text}: the altruistic model knows this label too well for what the main model makes of it. "
        f"In {r.label} it is rank {inside.rank:,} of {inside.of:,}, {inside.cut_rank:,} are kept."
    )


_SENTENCES: dict[str, Callable[[Facts], str]] = {
    "altruistic_warmup": _altruistic_warmup,
    "oss_warmup": _oss_warmup,
    "initial_pools": _initial_pools,
    "class_completion": _later,
    "selective_drop": _later,
}
