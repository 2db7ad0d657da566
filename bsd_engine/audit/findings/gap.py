"""Whether the suspect scores of a class fall into two groups, and where the gap between them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BIN = 0.1
_LOWEST_SECOND_MODE = 0.8
_FEWEST = 10
FARTHEST = 20.0
"""Scores beyond it are counted at it: those of a run that diverged may be as large as 1e30, and bins are 0.1 wide."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Two groups of scores."""

    threshold: float
    """The middle of the emptiest place between them; what lies above is the suspect group."""
    above: int
    below: int
    depth: float
    """From 0 to 1: how far the counts fall between the groups, in parts of the smaller group's peak."""


def find_gap(scores: np.ndarray) -> Gap | None:
    """The gap between a lower and an upper group of scores; None where there is no clear one.

    Parameters
    ----------
    scores : (n,), suspect scores of one class

    The upper group must peak above 0.8, where the altruistic model knows labels that the main model contradicts nearly
    all the time. The counts in between must fall by half and by four standard deviations of a count. Measured on the
    demo's data, suspected class, bins of 0.1: with BadNets and Blended the counts fall to 8 and 21 between peaks of 160
    and more; without an attack they fall from 157 without rising again.
    """
    finite = scores[np.isfinite(scores)].clip(-FARTHEST, FARTHEST)
    if len(finite) < 2 * _FEWEST:
        return None
    edges = np.arange(np.floor(finite.min() / BIN) * BIN, finite.max() + 2 * BIN, BIN)
    counts = np.histogram(finite, edges)[0].astype(float)
    best: tuple[float, int] | None = None
    for place in range(1, len(counts) - 1):
        left, right = counts[:place].max(), counts[place + 1 :].max()
        peak = place + 1 + int(counts[place + 1 :].argmax())
        smaller = min(left, right)
        fall = smaller - counts[place]
        if (
            smaller < _FEWEST / 2
            or edges[peak] + BIN / 2 < _LOWEST_SECOND_MODE
            or fall < 4 * np.sqrt(smaller)
            or fall < smaller / 2
        ):
            continue
        best = max(best or (-1.0, 0), (fall, place))
    if best is None:
        return None
    place = best[1]
    threshold = float(edges[place] + BIN / 2)
    smaller = min(counts[:place].max(), counts[place + 1 :].max())
    return Gap(
        threshold=threshold,
        above=int((finite > threshold).sum()),
        below=int((finite <= threshold).sum()),
        depth=float(best[0] / smaller),
    )
