"""The changes that would put a sample on the other side of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bsd_engine.audit.explain import crossings
from bsd_engine.audit.explain.traces import trace
from bsd_engine.audit.history import RunHistory
from bsd_engine.method.rules import PoolRules

BORDERLINE = 0.02
"""A small change of alpha or beta: a sample that it flips was a close call."""
Certainty = Literal["exact", "one step"]
Kind = Literal["alpha", "beta", "both", "rule", "epoch"]


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A change that alone puts the sample on the other side."""

    kind: Kind
    change: str
    """The change in words: "alpha 0.70 → 0.545"."""
    size: float | None = None
    """The change of the setting, the larger one of two settings; None for a rule or an epoch."""
    settings: tuple[tuple[str, float | str | bool], ...] = ()
    """The settings of that change, as `BSDConfig.with_settings` takes them; none for an epoch."""


@dataclass(frozen=True, kw_only=True)
class Flips:
    """All changes that would flip one sample at one epoch."""

    sample: int
    epoch: int
    """Global, 0-based."""
    in_pool: bool
    certainty: Certainty
    """exact: the first split, as a run with these settings makes it. one step: this epoch's split of the models
    as they were; another run would have trained other models before it."""
    flips: tuple[Flip, ...]
    """The smallest change of alpha, of beta, of both where neither does it alone; rules; the next epoch on the other
    side."""

    @property
    def borderline(self) -> bool:
        """Whether a change of `BORDERLINE` of alpha or of beta flips the sample."""
        return any(
            f.size is not None and f.size <= BORDERLINE + 1e-12 and f.kind in ("alpha", "beta") for f in self.flips
        )


def what_would_flip(history: RunHistory, sample: int, epoch: int) -> Flips | None:
    """The smallest changes that flip a sample at a global epoch; None before T1, where no sample is judged."""
    pool, stage = history.pool(epoch), history.stage(epoch)
    if pool is None or stage == "oss_warmup":
        return None
    is_first = stage == "initial_pools"
    inside = bool(pool[sample])
    shares = (
        crossings.at_first_split(history, sample)
        if is_first
        else [
            moves
            for moves in crossings.at_later_split(history, sample, epoch, inside)
            if _flips(history, sample, epoch, history.rules.with_settings(**moves.settings))
        ]
    )
    numbers = [_number(moves, history.rules) for moves in shares]
    return Flips(
        sample=sample,
        epoch=epoch,
        in_pool=inside,
        certainty="exact" if is_first else "one step",
        flips=(*numbers, *_changed_rules(history, sample, epoch), *_other_epoch(history, sample, epoch)),
    )


def _flips(history: RunHistory, sample: int, epoch: int, rules: PoolRules) -> bool:
    pool = history.pool(epoch)
    return pool is not None and bool(trace(history, epoch, rules).clean_mask[sample]) != bool(pool[sample])


# -- alpha and beta in words -----------------------------------------------------------------------


def _number(moves: crossings.Moves, rules: PoolRules) -> Flip:
    words = " and ".join(
        f"{m.name} {_share(m.old)} → {'below ' if m.new < m.old else ''}{_share(m.new)}" for m in moves.moves
    )
    new = moves.settings
    if new.get("beta", 0.0) > new.get("alpha", rules.alpha):
        words += " (a run needs an alpha as large)"
    return Flip(
        kind=moves.kind, change=words, size=max(abs(m.new - m.old) for m in moves.moves), settings=tuple(new.items())
    )


def _share(value: float) -> str:
    return f"{value:.4f}".rstrip("0").ljust(4, "0")


# -- rules and epochs ------------------------------------------------------------------------------

_INITIAL_RULES: dict[str, dict[str, Any]] = {
    "both views must agree": {"init_combine": "intersection"},
    "either view is enough": {"init_combine": "union"},
    "only the loss counts (ALS)": {"init_combine": "als_only"},
    "only the distance counts (OSS)": {"init_combine": "oss_only"},
    "losses of the end of the altruistic warm-up": {"als_snapshot": "after_warmup"},
    "losses at T1": {"als_snapshot": "current"},
}
_LATER_RULES: dict[str, dict[str, Any]] = {
    "without class completion": {"completion": "off"},
    "completion of the fewest class (paper)": {"completion": "fewest"},
    "each class keeps its share (balanced)": {"completion": "balanced"},
    "balanced, but for the suspected class": {"completion": "balanced_others"},
    "without selective drop": {"selective_drop": False},
}


def _changed_rules(history: RunHistory, sample: int, epoch: int) -> list[Flip]:
    """Rules that would decide differently, with everything else unchanged."""
    rules, is_first = history.rules, history.stage(epoch) == "initial_pools"
    return [
        Flip(kind="rule", change=words, settings=tuple(changes.items()))
        for words, changes in (_INITIAL_RULES if is_first else _LATER_RULES).items()
        if (changed := rules.with_settings(**changes)) != rules and _flips(history, sample, epoch, changed)
    ]


def _other_epoch(history: RunHistory, sample: int, epoch: int) -> list[Flip]:
    """The nearest recorded epoch, later ones first, at which the sample was on the other side."""
    t, first = epoch - history.first_main, history.config.schedule.t1
    side = history.in_pool[:, sample]
    other = np.flatnonzero(side != side[t])
    later, earlier = other[other > t], other[(other < t) & (other >= first)]
    if not len(later) and not len(earlier):
        return []
    nearest = int(later[0] if len(later) else earlier[-1])
    words = f"epoch {nearest + history.first_main + 1}, where it was {'in the pool' if side[nearest] else 'kept out'}"
    return [Flip(kind="epoch", change=words)]
