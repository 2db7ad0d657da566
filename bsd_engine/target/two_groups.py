"""Whether numbers fall into two groups: a mixture of two normal distributions, fitted by expectation maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_STEPS = 60
_SMALLEST_SHARE = 0.02  # of one group when the fit starts
_OUTLYING = 0.005  # quantile beyond which numbers are pulled in


@dataclass(frozen=True, kw_only=True)
class TwoGroups:
    """A lower and an upper group of n numbers."""

    upper: Tensor
    """(n,) float64: probability that a number belongs to the upper group; it never falls as the number rises."""
    separation: float
    """Distance between the means, in root mean squares of both standard deviations; 0 where there is one group."""
    means: tuple[float, float]
    """Of the lower and the upper group."""

    @property
    def share(self) -> float:
        """Share of the upper group."""
        return float(self.upper.mean())


def two_groups(values: Tensor) -> TwoGroups:
    """Fit two groups to numbers (n,); outlying numbers are pulled in before, so that a few do not make a group.

    The fit starts from the cut with the largest variance between its sides (Otsu), each with 2 % of the numbers or
    more.
    """
    x = values.detach().cpu().double()
    one_group = TwoGroups(upper=torch.zeros(len(x), dtype=torch.float64), separation=0.0, means=(0.0, 0.0))
    if len(x) < 4 or not x.isfinite().all() or x.min() == x.max():
        return one_group
    low, high = x.quantile(torch.tensor([_OUTLYING, 1 - _OUTLYING], dtype=torch.float64)).tolist()
    x = x.clamp(low - (high - low) / 5, high + (high - low) / 5)
    upper, floor = (x > _best_cut(x)).double(), 1e-3 * float(x.var(correction=0)) + 1e-12
    for _ in range(_STEPS):
        share = float(upper.mean())
        if not 1e-3 < share < 1 - 1e-3:
            return one_group
        means = [float((p * x).sum() / p.sum()) for p in (1 - upper, upper)]
        variances = [
            float((p * (x - m) ** 2).sum() / p.sum()) + floor for p, m in zip((1 - upper, upper), means, strict=True)
        ]
        fit = [
            math.log(w / v**0.5) - (x - m) ** 2 / (2 * v)
            for w, m, v in zip((1 - share, share), means, variances, strict=True)
        ]
        upper = torch.sigmoid(fit[1] - fit[0])
    order = x.argsort(stable=True)
    upper[order] = upper[order].cummax(0).values  # of unequal widths, the wider group would claim both ends
    return TwoGroups(
        upper=upper, separation=abs(means[1] - means[0]) / (sum(variances) / 2) ** 0.5, means=(means[0], means[1])
    )


def _best_cut(x: Tensor) -> float:
    """The largest number of the lower side at Otsu's cut."""
    ordered, n = x.sort().values, len(x)
    total, k = ordered.cumsum(0)[:-1], torch.arange(1, n, dtype=torch.float64)
    between = k * (n - k) * (total / k - (ordered.sum() - total) / (n - k)) ** 2
    edge = max(1, int(_SMALLEST_SHARE * n))
    between[: edge - 1], between[n - edge :] = -1, -1
    return float(ordered[between.argmax()])
