"""Finds, from ranks, the alpha and the beta nearest to a run's at which one sample changes sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bsd_engine.audit.explain.ranks import initial_ranks, later_ranks
from bsd_engine.audit.explain.traces import evidence
from bsd_engine.audit.history import RunHistory
from bsd_engine.method.pools import combined, completed_by_rank, schedule_ratio
from bsd_engine.shares import exact_count


@dataclass(frozen=True, kw_only=True)
class Move:
    """A setting with its value in the run and the value at which the sample changes sides."""

    name: str
    old: float
    new: float


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Moves that flip a sample together."""

    kind: Literal["alpha", "beta", "both"]
    moves: tuple[Move, ...]

    @property
    def settings(self) -> dict[str, float]:
        """The new values by name."""
        return {move.name: move.new for move in self.moves}


def at_first_split(history: RunHistory, sample: int) -> list[Moves]:
    """At T1: ALS keeps a sample of rank r of N once int(alpha N) reaches r, OSS likewise within the class.

    Returns the changes of alpha and of beta that flip the sample alone, or a change of both where neither does.
    """
    rules, ranked, label = history.rules, initial_ranks(history), int(history.labels[sample])
    by_als, by_oss = bool(ranked.split.als_mask[sample]), bool(ranked.split.oss_mask[sample])
    name = "alpha" if rules.als_init_ratio is None else "als_init_ratio"
    new = _crossing(rules.als_ratio, int(ranked.als[sample]), history.num_samples)
    alpha = (Move(name=name, old=rules.als_ratio, new=new),)
    beta: tuple[Move, ...] = ()
    if ranked.oss is not None and label in ranked.split.oss_counts:
        size = int((history.labels == label).sum())
        beta = (Move(name="beta", old=rules.beta, new=_crossing(rules.beta, int(ranked.oss[sample]), size)),)
    now = combined(rules, by_als, by_oss)

    def flipping(moves: Moves, als: bool, oss: bool) -> bool:
        possible = bool(moves.moves) and all(move.new > 0 for move in moves.moves)
        return possible and combined(rules, als, oss) != now

    alone = [
        moves
        for moves, als, oss in (
            (Moves(kind="alpha", moves=alpha), not by_als, by_oss),
            (Moves(kind="beta", moves=beta), by_als, not by_oss),
        )
        if flipping(moves, als, oss)
    ]
    both = Moves(kind="both", moves=(*alpha, *beta))
    return alone or ([both] if beta and flipping(both, not by_als, not by_oss) else [])


def _crossing(share: float, rank: int, n: int) -> float:
    """The share nearest to the given one at which the sample with a rank (counted from 1) changes sides.

    The share rank / n keeps it. Any smaller share, even by a millionth of a sample, does not.
    """
    return rank / n if exact_count(share, n) < rank else (rank - 1e-6) / n


def at_later_split(history: RunHistory, sample: int, epoch: int, inside: bool) -> list[Moves]:
    """After the initial pools: the alpha and the beta that give the nearest alpha_T at which the sample changes sides.

    A rounding error may remain, so the caller checks whether they flip the sample.
    """
    ratio = _flipping_ratio(history, sample, epoch, inside)
    if ratio is None:
        return []
    rules, start = history.rules, history.rules.schedule_start
    of_alpha = rules.with_settings(alpha=1.0, beta=0.0, alpha_start=None)
    weight = schedule_ratio(of_alpha, epoch - history.first_main)
    alpha = start + (ratio - start) / weight if weight > 0 else math.inf
    begin = (ratio - rules.alpha * weight) / (1 - weight) if weight < 1 else math.inf
    moves = []
    if start <= alpha <= 1:
        move = Move(name="alpha", old=rules.alpha, new=_past(alpha, rules.alpha))
        moves.append(Moves(kind="alpha", moves=(move,)))
    if 0 < begin <= rules.alpha:
        name = "beta" if rules.alpha_start is None else "alpha_start"
        moves.append(Moves(kind="beta", moves=(Move(name=name, old=start, new=_past(begin, start)),)))
    return moves


def _past(value: float, start: float) -> float:
    """The value moved a rounding error farther away from the old one, since alpha_T is computed from it again."""
    return min(1.0, value + math.copysign(1e-9, value - start))


def _flipping_ratio(history: RunHistory, sample: int, epoch: int, inside: bool) -> float | None:
    """The alpha_T nearest to the epoch's at which the sample changes sides, to a step of 1 / N; None where none does.

    A larger share keeps what a smaller one kept, except where another class becomes the fewest, which can hide a nearer
    crossing; the returned crossing is always a real one. The search takes about 16 steps of 0.2 ms for 50,000 samples.
    """
    n = history.num_samples
    if later_ranks(history, epoch).split.dropped_mask[sample]:
        return None  # both models call it the suspected class, whatever the share

    def kept(count: int) -> bool:
        return kept_at(history, sample, epoch, count / n)

    near = exact_count(schedule_ratio(history.rules, epoch - history.first_main), n)
    far = 0 if inside else n
    if kept(far) == inside:
        return None
    return _bisect(kept, near, far, inside) / n


def kept_at(history: RunHistory, sample: int, epoch: int, ratio: float) -> bool:
    """Whether an alpha_T and class completion keep a sample at a later epoch, before selective drop."""
    ranked = later_ranks(history, epoch)
    return completed_by_rank(history.rules, evidence(history, epoch), ratio, sample, ranked.overall, ranked.in_class)


def _bisect(kept: Callable[[int], bool], near: int, far: int, inside: bool) -> int:
    """The count next to `near` at which `kept` is no longer `inside`."""
    while abs(far - near) > 1:
        middle = (near + far) // 2
        if kept(middle) == inside:
            near = middle
        else:
            far = middle
    return far
