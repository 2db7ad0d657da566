"""The verdict on the target: a target, no attack found, or several targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from bsd_engine.target.marks import STANDS, Marks
from bsd_engine.target.transplant import Transplant

Kind = Literal["target", "uncertain", "no_attack", "several"]

STANDS_OUT = 6.0
"""A class is called the target if the z of a share reaches this (docs/target.md)."""
LEAST_SPREAD = 0.05
"""Smallest standard deviation that the z of a share divides by: about the error of 100 probed images."""
LEAST_WARPED_SPREAD = 0.02
"""The same for the share of warped images. In six unpoisoned sets, at most 6 % of 300 images were called one class,
half of what a verdict needs."""
LEAST_DISPERSAL_SPREAD = 0.5
"""The same for the number of classes that samples are called once the residual is subtracted."""
APART_STANDS_OUT = 12.0
"""z of separation times share that counts as much as `STANDS_OUT` of a share. In six unpoisoned sets the largest z of a
class was 8.8 (43 traffic signs, where some classes are a few drives past a few signs); the smallest of a target that
SIG had poisoned was 16.0."""
EARLY, EARLY_APART_STANDS_OUT = 6, 24.0
"""With fewer epochs of warm-up, another z is needed there, since a network that has learned little follows many
changes. After three epochs, the largest in 19 unpoisoned sets of traffic signs was 19.8."""
SEPARATION_STANDS_OUT, MOST_SEPARATION = 18.0, STANDS_OUT - 1
"""The same for the separation alone, which never reaches `STANDS_OUT`: two kinds whose difference no image follows are
no backdoor, but the likeliest place for one that is not learned yet (17.6 for Label-Consistent, at most 7.2 without
poison)."""
LEAST_APART_SPREAD, LEAST_SEPARATION_SPREAD = 0.5, 0.3
"""Smallest standard deviations that the z of `apart` and of the separation divide by."""
FEWEST_FLIPS, FEWEST_CLASSES = 0.25, 2.0
"""Share of the probed images that must follow, and classes that samples must be called without the residual, however
little the other classes vary."""
MOST = 4 * STANDS_OUT
"""Larger z count as this, so that one asking does not outweigh the others."""
MAJORITY = 3
"""Votes of other estimators that make a class a rival."""
RETURNED_STANDS_OUT = 9.0
"""z of share times `withdrawn` that counts as much as `STANDS_OUT` of a share; its tail is longer over 43 traffic
signs. The largest of a class in four unpoisoned sets was 6.9, the smallest of a target 11.6."""


NEARLY = 5.0
"""Evidence above which a class is called uncertain. After one asking, the largest of an unpoisoned set in the grid of
docs/target.md is 5.6."""
FIRM = 9.0
"""Evidence from which the confidence is called high."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The conclusion about the target, and what it rests on."""

    kind: Kind
    classes: tuple[int, ...]
    """Targets, most suspect first; with no_attack and uncertain the likeliest class alone."""
    z: float
    """The evidence for the likeliest class: the mean over the askings of how far it stands out, see `standing_out`,
    plus one for each estimator that names it."""
    why: str
    """One sentence, without the names of classes."""
    clue: str = ""
    """The clue by which the likeliest class stands out: a key of `clues`."""
    needed: float = STANDS_OUT
    """The evidence that is needed to call a class the target."""
    agreeing: int = 0
    """How many of the other estimators name the likeliest class."""
    asked: int = 1
    """How often the question was asked: at the end of the altruistic warm-up, at T1 and in the last epoch."""
    rivals: tuple[int, ...] = ()
    """Other classes that have as much evidence as is needed, or that most other estimators name."""

    @property
    def confidence(self) -> str:
        """High, moderate or low."""
        return confidence(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as stored with an epoch."""
        return {**asdict(self), "classes": list(self.classes), "rivals": list(self.rivals)}


def confidence(verdict: Mapping[str, Any]) -> str:
    """High, moderate or low, from a verdict as it is stored.

    A target is certain with much evidence and without a rival. That nothing was found is never more than moderately
    certain: an attack that the altruistic model does not learn leaves no trace.
    """
    z, rivals = verdict["z"], verdict.get("rivals") or ()
    if verdict["kind"] == "uncertain":
        return "low"
    if verdict["kind"] == "no_attack":
        return "low" if rivals else "moderate"
    return "high" if z >= FIRM and not rivals else "low" if rivals else "moderate"


def standing_out(scores: Tensor, least_spread: float = 0.0) -> Tensor:
    """(C,) float32: z of each class against the others: their median, and 1.4826 times their median absolute deviation.

    The class itself is left out of both, so that among few classes it does not hide itself. Where the other classes are
    all equal and `least_spread` is 0, a class above them has z = inf and an equal one 0. A score of nan or -inf has z =
    -inf.
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


def clues(found: Transplant, epochs: int = EARLY, marks: Marks | None = None) -> dict[str, Tensor]:
    """(C,) float32 each: how far every class stands out, by the name of each clue.

    foreign, full, warped: by these shares. returned: by the larger of the first two shares, times the number of classes
    that samples are called without the residual; a trigger raises both factors, a natural template only the first, and
    samples that are merely odd only the second. apart: by the share under the difference between its two kinds of
    samples, times their separation. separation: by that alone. mark: by the separation of the samples that carry a mark
    (`marks`).

    Parameters
    ----------
    epochs : length of the altruistic warm-up
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
        **({} if marks is None else {"mark": marks.clue.to(separation) * STANDS_OUT / STANDS}),
    }


def transplant_scores(found: Transplant, epochs: int = EARLY, marks: Marks | None = None) -> Tensor:
    """(C,) float32: how far each class stands out by its strongest clue, at most `MOST`."""
    return _largest(clues(found, epochs, marks)).clamp_max(MOST)


def shares_behind(found: Transplant, verdict: Verdict) -> Tensor:
    """(C, C) float32: `by_source`; `by_warp` in the row of the likeliest class if warps are its strongest clue."""
    shares = found.by_source.clone()
    if verdict.clue == "warped":
        shares[verdict.classes[0]] = found.by_warp[verdict.classes[0]]
    return shares


def _largest(named: dict[str, Tensor]) -> Tensor:
    """(C,): the largest of several numbers for each class."""
    return torch.stack(list(named.values())).amax(0)


def _capped(z: Tensor, counts: Tensor) -> Tensor:
    """z, kept below `STANDS_OUT` where the number behind it is too small to count."""
    return torch.where(counts, z, z.clamp_max(STANDS_OUT - 3))


def caution(epochs: int) -> str:
    """A sentence of caution about a verdict after a short warm-up; empty after a long one."""
    return (
        f"After a warm-up of fewer than {EARLY} epochs, for which the threshold was set, this says less."
        if epochs < EARLY
        else ""
    )


def decide_target(
    found: Transplant,
    epochs: int = EARLY,
    *,
    marks: Marks | None = None,
    votes: Tensor | None = None,
    earlier: Sequence[Tensor] = (),
) -> Verdict:
    """The verdict on a transplant; of equally suspect classes it names the lower one.

    Parameters
    ----------
    epochs : length of the altruistic warm-up
    marks : of the same images
    votes : (C,) int, how many of the other estimators name each class
    earlier : (C,) each, `transplant_scores` of earlier askings; a class that stands out by chance does so only once

    The verdict is several targets where more than half of the classes receive images of another class under one
    residual: the trigger of an all-to-all attack sends every class to another one, whichever class it was taken from.
    Only the first asking can conclude that.
    """
    z_of = clues(found, epochs, marks)
    z = torch.stack([*earlier, transplant_scores(found, epochs, marks).cpu()]).mean(0)
    votes = torch.zeros(len(z)) if votes is None else votes.float().cpu()
    evidence = z + votes
    first = int(evidence.argsort(descending=True, stable=True)[0])
    total, received, asked = float(evidence[first]), int(found.destinations.max()), 1 + len(earlier)
    if asked == 1 and len(z) > 2 and received > len(z) / 2:
        return Verdict(
            kind="several",
            classes=tuple(range(len(z))),
            z=total,
            why=f"one residual sends images of one class or another to {received} of {len(z)} classes",
        )
    return Verdict(
        kind="target" if total >= STANDS_OUT else "uncertain" if total > NEARLY else "no_attack",
        classes=(first,),
        z=total,
        clue=max(z_of, key=lambda name: float(z_of[name][first])),
        why=_why(total, float(z[first]), int(votes[first]), asked),
        agreeing=int(votes[first]),
        asked=asked,
        rivals=_rivals(evidence, votes, first),
    )


def _why(total: float, z: float, agreeing: int, asked: int) -> str:
    """What the evidence is made of."""
    askings = "" if asked == 1 else f" (the mean of {asked} answers)"
    return (
        f"evidence {total:.1f}, where {STANDS_OUT:g} is enough: {z:.1f} for how far the class stands out from the "
        f"others{askings}, and 1 for each of the {agreeing} of 5 other estimators that name it"
    )


def _rivals(evidence: Tensor, votes: Tensor, first: int) -> tuple[int, ...]:
    """Classes but the first one with as much evidence as is needed, or nearly as much and `MAJORITY` of the votes."""
    others = (evidence >= STANDS_OUT) | ((votes >= MAJORITY) & (evidence >= NEARLY))
    return tuple(c for c in evidence.argsort(descending=True, stable=True).tolist() if others[c] and c != first)
