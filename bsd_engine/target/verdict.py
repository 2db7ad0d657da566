"""What the evidence on the target amounts to: a target, no sign of an attack, or several targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from bsd_engine.target.transplant import Transplant

Kind = Literal["target", "no_attack", "several"]

STANDS_OUT = 6.0
"""z of a share from which a class is called the target (docs/target.md)."""
LEAST_SPREAD = 0.05
"""Smallest standard deviation that the z of a share divides by: about the error of 100 probed images."""
LEAST_WARPED_SPREAD = 0.02
"""The same for the share of warped images: of 300, 6 % at most were called one class in six unpoisoned sets, half of what it takes."""
LEAST_DISPERSAL_SPREAD = 0.5
"""The same for the number of classes that a residual's withdrawal leads to."""
APART_STANDS_OUT = 12.0
"""z of separation times share that is worth as much as `STANDS_OUT` of a share: the largest of a class in six unpoisoned sets was 8.8
(43 traffic signs, where some classes are a few drives past a few signs), the smallest of a target that SIG had poisoned 16.0."""
EARLY, EARLY_APART_STANDS_OUT = 6, 24.0
"""Epochs of warm-up under which another z holds there: a network that knows little follows much. After three epochs the largest of 19
unpoisoned sets of traffic signs was 19.8."""
SEPARATION_STANDS_OUT, MOST_SEPARATION = 18.0, STANDS_OUT - 1
"""The same for the separation alone, which never reaches `STANDS_OUT`: two kinds that no image follows are no backdoor, yet the
likeliest place for one that is not learned so far (17.6 for Label-Consistent; 7.2 at most without poison)."""
LEAST_APART_SPREAD, LEAST_SEPARATION_SPREAD = 0.5, 0.3
"""Smallest standard deviations that these two divide by."""
FEWEST_FLIPS, FEWEST_CLASSES = 0.25, 2.0
"""Share of the probed images that must follow, and classes that a withdrawal must lead to, however still the others are."""
RETURNED_STANDS_OUT = 9.0
"""z of share times withdrawal that is worth as much as `STANDS_OUT` of a share: over 43 traffic signs its tail is longer. The
largest of a class in four unpoisoned sets was 6.9, the smallest of a target 11.6."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer, and how far it stands out."""

    kind: Kind
    classes: tuple[int, ...]
    """Targets, most suspect first; with no_attack the likeliest class alone."""
    z: float
    """How far the likeliest class stands out from the others, see `standing_out`."""
    why: str
    """One sentence, without the names of classes."""
    clue: str = ""
    """What the likeliest class stands out by, a name of `clues`."""
    needed: float = STANDS_OUT
    """The z that an attack would have had to reach."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored with an epoch."""
        return {**asdict(self), "classes": list(self.classes)}


def standing_out(scores: Tensor, least_spread: float = 0.0) -> Tensor:
    """(C,) float32: z of each class against the others, their median and their median absolute deviation times 1.4826.

    The class itself is left out of both, so that among few the one that stands out does not hide itself. Where the others do
    not differ at all and `least_spread` is 0, a class above them has z = inf, an equal one 0. A score of nan or -inf has z = -inf.
    """
    usable = scores.isfinite()
    result = torch.full_like(scores, -torch.inf, dtype=torch.float32)
    for c in usable.nonzero().squeeze(1).tolist():
        rest = usable.clone()
        rest[c] = False
        others = scores[rest].float()
        if len(others) == 0:
            result[c] = 0.0
            continue
        middle = others.quantile(0.5)
        spread = max(1.4826 * float((others - middle).abs().quantile(0.5)), least_spread)
        gap = float(scores[c].float() - middle)
        result[c] = gap / spread if spread > 0 else torch.inf * gap if gap else 0.0
    return result


def clues(found: Transplant, epochs: int = EARLY) -> dict[str, Tensor]:
    """(C,) float32 each: how far every class stands out by what follows its residuals, or a warp, after so many epochs of warm-up.

    foreign, full, warped: the shares. returned: the larger of the first two times the classes that a withdrawal leads to (a trigger
    does both, a natural template the first, and samples that are merely odd the second). apart: the share that follows what
    tells its two kinds of samples apart, times their separation. separation: that alone.
    """
    z = {
        name: _capped(standing_out(share, LEAST_SPREAD), share >= FEWEST_FLIPS) for name, share in found.shares.items()
    }
    returned = (
        standing_out(_largest(found.shares) * found.withdrawn, LEAST_DISPERSAL_SPREAD)
        * STANDS_OUT
        / RETURNED_STANDS_OUT
    )
    apart = standing_out(found.apart * found.separation, LEAST_APART_SPREAD) * STANDS_OUT
    apart /= EARLY_APART_STANDS_OUT if epochs < EARLY else APART_STANDS_OUT
    separation = standing_out(found.separation, LEAST_SEPARATION_SPREAD) * STANDS_OUT / SEPARATION_STANDS_OUT
    return {
        **z,
        "warped": standing_out(found.warped, LEAST_WARPED_SPREAD),
        "returned": _capped(returned, found.withdrawn >= FEWEST_CLASSES),
        "apart": _capped(apart, found.apart >= FEWEST_FLIPS),
        "separation": separation.clamp_max(MOST_SEPARATION),
    }


def transplant_scores(found: Transplant, epochs: int = EARLY) -> Tensor:
    """(C,) float32: how far each class stands out by the clue that speaks loudest against it."""
    return _largest(clues(found, epochs))


def shares_behind(found: Transplant, verdict: Verdict) -> Tensor:
    """(C, C) float32: `by_source`, with the likeliest class's row under warps where those speak loudest against it."""
    shares = found.by_source.clone()
    if verdict.clue == "warped":
        shares[verdict.classes[0]] = found.by_warp[verdict.classes[0]]
    return shares


def _largest(named: dict[str, Tensor]) -> Tensor:
    """(C,): of several numbers for each class."""
    return torch.stack(list(named.values())).amax(0)


def _capped(z: Tensor, counts: Tensor) -> Tensor:
    """z, below `STANDS_OUT` where the number behind it does not count."""
    return torch.where(counts, z, z.clamp_max(STANDS_OUT - 3))


def caution(epochs: int) -> str:
    """A sentence about a verdict after so many epochs of warm-up, or nothing."""
    return (
        f"After a warm-up of fewer than {EARLY} epochs, for which the threshold was set, this says less."
        if epochs < EARLY
        else ""
    )


def decide_target(found: Transplant, epochs: int = EARLY) -> Verdict:
    """The verdict on a transplant after so many epochs of warm-up; among equals the lower class.

    Several targets where, under one residual, more than half of the classes receive another one each: the trigger of an
    all-to-all attack sends every class elsewhere, whichever class it was cut from.
    """
    z_of = clues(found, epochs)
    scores = _largest(z_of)
    first = int(scores.argsort(descending=True, stable=True)[0])
    z, received = float(scores[first]), int(found.destinations.max())
    clue = max(z_of, key=lambda name: float(z_of[name][first]))
    if len(scores) > 2 and received > len(scores) / 2:
        return Verdict(
            kind="several",
            classes=tuple(range(len(scores))),
            z=z,
            why=f"one residual sends images of one class or another to {received} of {len(scores)} classes",
        )
    if z < STANDS_OUT:
        return Verdict(
            kind="no_attack",
            classes=(first,),
            z=z,
            clue=clue,
            why=f"no class stands out: the likeliest has z = {z:.1f} and {STANDS_OUT:g} would be needed",
        )
    return Verdict(
        kind="target",
        classes=(first,),
        z=z,
        clue=clue,
        why=f"z = {z:.1f} against the other classes; {STANDS_OUT:g} is needed",
    )
