"""What would have to change for a sample to be on the other side of the split."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bsd_engine.audit import redecide
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.reasons import initial_ranks, later_ranks
from bsd_engine.config.settings import BSDConfig
from bsd_engine.splits import exact_count

BORDERLINE = 0.02
"""A change of alpha or beta that is small: a sample that it flips was a close call."""
Certainty = Literal["exact", "one step"]


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A change that alone puts the sample on the other side."""

    kind: Literal["alpha", "beta", "both", "rule", "epoch"]
    change: str
    """The change in words: "alpha 0.70 → 0.545"."""
    size: float | None = None
    """How far the setting moves, of both the one that moves farther; None for a rule or an epoch."""
    settings: tuple[tuple[str, float | str | bool], ...] = ()
    """The settings of that change, as `BSDConfig.with_settings` takes them; none for an epoch."""


@dataclass(frozen=True, kw_only=True)
class Flips:
    """All that would flip one sample at one epoch."""

    sample: int
    epoch: int
    """Global, 0-based."""
    in_pool: bool
    certainty: Certainty
    """exact: the first split, which a run with these settings makes just so; one step: this epoch's split on the models as
    they were, while another run would have trained other models before it."""
    flips: tuple[Flip, ...]
    """The smallest change of alpha, of beta, of both where neither does it alone; rules; the next epoch on the other side."""

    @property
    def borderline(self) -> bool:
        """Whether a change of `BORDERLINE` of alpha or of beta flips the sample."""
        return any(
            f.size is not None and f.size <= BORDERLINE + 1e-12 and f.kind in ("alpha", "beta") for f in self.flips
        )


def what_would_flip(history: RunHistory, sample: int, epoch: int) -> Flips | None:
    """The smallest changes that flip a sample at a global epoch; None before T1, where no sample is judged by itself."""
    pool, stage = history.pool(epoch), history.stage(epoch)
    if pool is None or stage == "oss_warmup":
        return None
    is_first = stage == "initial_pools"
    numbers = _initial_numbers(history, sample) if is_first else _later_numbers(history, sample, epoch)
    flips = (*numbers, *_rules(history, sample, epoch), *_epoch(history, sample, epoch))
    return Flips(
        sample=sample,
        epoch=epoch,
        in_pool=bool(pool[sample]),
        certainty="exact" if is_first else "one step",
        flips=flips,
    )


# -- alpha and beta --------------------------------------------------------------------------------


def _initial_numbers(history: RunHistory, sample: int) -> list[Flip]:
    """At T1, from the ranks: ALS keeps a sample of rank r of N once int(alpha N) reaches r, OSS likewise within the class."""
    split, ranks = history.config.split, initial_ranks(history)
    label = int(history.labels[sample])
    judged = history.pseudo_target in (None, label)
    size = int((history.labels == label).sum())
    alpha = _crossing(split.als_ratio, int(ranks.als[sample]), history.num_samples)
    beta = _crossing(split.beta, int(ranks.oss[sample]), size) if judged else None
    by_als, by_oss = bool(ranks.split.als_mask[sample]), bool(ranks.split.oss_mask[sample])
    name = "alpha" if split.als_init_ratio is None else "als_init_ratio"
    moves = {
        "alpha": [(name, split.als_ratio, alpha)],
        "beta": [("beta", split.beta, beta)] if beta is not None else [],
    }
    moves["both"] = moves["alpha"] + moves["beta"]
    swapped = {"alpha": (not by_als, by_oss), "beta": (by_als, not by_oss), "both": (not by_als, not by_oss)}
    now = _combined(split.init_combine, by_als, by_oss)
    possible = {kind for kind, moved in moves.items() if moved and all(new > 0 for *_, new in moved)}
    flips = [
        _number(kind, moves[kind], split.alpha)
        for kind in ("alpha", "beta")
        if kind in possible and _combined(split.init_combine, *swapped[kind]) != now
    ]
    if (
        not flips
        and len(moves["both"]) == 2
        and "both" in possible
        and _combined(split.init_combine, *swapped["both"]) != now
    ):
        flips = [_number("both", moves["both"], split.alpha)]
    return flips


def _combined(combine: str, by_als: bool, by_oss: bool) -> bool:
    """Whether the first pool has a sample; a random one does not look at it."""
    return {"intersection": by_als and by_oss, "union": by_als or by_oss, "als_only": by_als, "oss_only": by_oss}.get(
        combine, False
    )


def _crossing(share: float, rank: int, n: int) -> float:
    """The share nearest to the given one at which the sample of a rank, from 1, changes sides: rank / n lets it in, and
    whatever is below, be it by a millionth of a sample, leaves it out."""
    return rank / n if exact_count(share, n) < rank else (rank - 1e-6) / n


def _number(kind: str, moves: list[tuple[str, float, float]], alpha: float) -> Flip:
    words = " and ".join(f"{name} {_share(old)} → {_below(old, new)}{_share(new)}" for name, old, new in moves)
    new = {name: value for name, _, value in moves}
    if new.get("beta", 0.0) > new.get("alpha", alpha):
        words += " (a run needs an alpha as large)"
    return Flip(
        kind=kind,
        change=words,
        size=max(abs(new - old) for _, old, new in moves),
        settings=tuple((name, new) for name, _, new in moves),
    )


def _below(old: float, new: float) -> str:
    return "below " if new < old else ""


def _share(value: float) -> str:
    return f"{value:.4f}".rstrip("0").ljust(4, "0")


def _later_numbers(history: RunHistory, sample: int, epoch: int) -> list[Flip]:
    """Later, by the alpha_T nearest to the epoch's that flips the sample, and the alpha or beta that makes this alpha_T."""
    ratio = _flipping_ratio(history, sample, epoch)
    if ratio is None:
        return []
    split = history.config.split
    weight = redecide.splits.clean_ratio(
        epoch - history.first_main,
        alpha=1.0,
        beta=0.0,
        t1=history.config.schedule.t1,
        init_epochs=history.config.schedule.init_epochs,
        t2=history.config.schedule.t2,
    )
    start, flips = split.schedule_start, []
    alpha = start + (ratio - start) / weight if weight > 0 else math.inf
    start_name = "beta" if split.alpha_start is None else "alpha_start"
    begin = (ratio - split.alpha * weight) / (1 - weight) if weight < 1 else math.inf
    if start <= alpha <= 1:
        flips.append(_number("alpha", [("alpha", split.alpha, _past(alpha, split.alpha))], split.alpha))
    if 0 < begin <= split.alpha:
        flips.append(_number("beta", [(start_name, start, _past(begin, start))], split.alpha))
    return [
        flip for flip in flips if _flips(history, sample, epoch, history.config.with_settings(**dict(flip.settings)))
    ]


def _past(value: float, start: float) -> float:
    """The value, a rounding error farther from where it started: alpha_T is computed from it again."""
    return min(1.0, value + math.copysign(1e-9, value - start))


def _flips(history: RunHistory, sample: int, epoch: int, config: BSDConfig) -> bool:
    return bool(redecide.redecided_pool(history, epoch, config)[sample]) != bool(history.pool(epoch)[sample])


def _flipping_ratio(history: RunHistory, sample: int, epoch: int) -> float | None:
    """The alpha_T nearest to the epoch's at which the sample changes sides, to a step of 1 / N; None where none does.

    A larger share keeps what a smaller one kept, but for a change of the fewest class, which can hide a nearer crossing;
    the crossing that is found is a real one. Some 16 questions of 0.2 ms for 50,000 samples, answered from the ranks.
    """
    n, inside = history.num_samples, bool(history.pool(epoch)[sample])
    if later_ranks(history, epoch).split.dropped_mask[sample]:
        return None  # both models call it the suspected class, whatever the share

    def kept(count: int) -> bool:
        return _kept(history, sample, epoch, count / n)

    near = exact_count(redecide.ratio_at(history, epoch), n)
    far = 0 if inside else n
    if kept(far) == inside:
        return None
    return _bisect(kept, near, far, inside) / n


def _kept(history: RunHistory, sample: int, epoch: int, ratio: float) -> bool:
    """Whether the share and class completion keep a sample: `splits.discrepancy_clean_mask` for one sample, from ranks."""
    split, ranks, label = history.config.split, later_ranks(history, epoch), int(history.labels[sample])
    top = ranks.overall <= exact_count(ratio, history.num_samples)
    by_pred = history.main_prediction[epoch - history.first_main].astype(np.int64)
    counted = {"pool_label": history.labels[top], "pool_pred": by_pred[top], "all_pred": by_pred}[split.count_by]
    sizes = np.bincount(history.labels)
    counts = np.bincount(counted, minlength=len(sizes))
    quotas = redecide.splits._completion_quotas(counts.tolist(), sizes.tolist(), ratio, split.completion)
    if split.completion == "balanced_others" and label == history.pseudo_target:
        quotas[label] = min(quotas[label], int((history.labels[top] == label).sum()))
    by_quota = int(ranks.in_class[sample]) <= quotas.get(label, 0)
    return by_quota if split.completion.startswith("balanced") else bool(top[sample]) or by_quota


def _bisect(kept: Callable[[int], bool], near: int, far: int, inside: bool) -> int:
    """The count next to `near` at which `kept` is no longer `inside`."""
    while abs(far - near) > 1:
        middle = (near + far) // 2
        if kept(middle) == inside:
            near = middle
        else:
            far = middle
    return far


# -- rules and epochs ------------------------------------------------------------------------------

_INITIAL_RULES = {
    "both views must agree": {"init_combine": "intersection"},
    "either view is enough": {"init_combine": "union"},
    "only the loss counts (ALS)": {"init_combine": "als_only"},
    "only the distance counts (OSS)": {"init_combine": "oss_only"},
    "losses of the end of the altruistic warm-up": {"als_snapshot": "after_warmup"},
    "losses at T1": {"als_snapshot": "current"},
}
_LATER_RULES = {
    "without class completion": {"completion": "off"},
    "completion of the fewest class (paper)": {"completion": "fewest"},
    "each class keeps its share (balanced)": {"completion": "balanced"},
    "balanced, but for the suspected class": {"completion": "balanced_others"},
    "without selective drop": {"selective_drop": False},
}


def _rules(history: RunHistory, sample: int, epoch: int) -> list[Flip]:
    """Rules that would decide otherwise, everything else the same."""
    flips, is_first = [], history.stage(epoch) == "initial_pools"
    for words, changes in (_INITIAL_RULES if is_first else _LATER_RULES).items():
        if all(getattr(history.config.split, name) == value for name, value in changes.items()):
            continue
        if _flips(history, sample, epoch, history.config.with_settings(**changes)):
            flips.append(Flip(kind="rule", change=words, settings=tuple(changes.items())))
    return flips


def _epoch(history: RunHistory, sample: int, epoch: int) -> list[Flip]:
    """The nearest recorded epoch, later ones first, at which the sample was on the other side."""
    t, first = epoch - history.first_main, history.config.schedule.t1
    side = history.in_pool[:, sample]
    other = np.flatnonzero(side != side[t])
    later, earlier = other[other > t], other[(other < t) & (other >= first)]
    if not len(later) and not len(earlier):
        return []
    found = int(later[0] if len(later) else earlier[-1])
    words = f"epoch {found + history.first_main + 1}, where it was {'in the pool' if side[found] else 'kept out'}"
    return [Flip(kind="epoch", change=words)]
