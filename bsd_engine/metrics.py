"""How well a run did. Only this module and the views read which samples are poisoned."""

from __future__ import annotations

import numpy as np


def defense_effectiveness_rating(
    clean_accuracy: float,
    attack_success_rate: float,
    *,
    baseline_clean_accuracy: float,
    baseline_attack_success_rate: float,
    clamp: bool = True,
) -> float:
    """DER in percent; all arguments in percent.

    Paper: Eq. 12, [max(0, dASR) - max(0, dCA) + 1] / 2, with differences undefended minus defended. Seven cells of the
    paper's tables depend on the clamp of dASR: four were computed with it, three without (`clamp=False`).
    """
    gain = baseline_attack_success_rate - attack_success_rate
    cost = max(0.0, baseline_clean_accuracy - clean_accuracy)
    return ((max(0.0, gain) if clamp else gain) - cost + 100) / 2


def poison_in_pool(clean_mask: np.ndarray, is_poison: np.ndarray | None) -> int | None:
    """Number of poisoned samples in the clean pool; None where the truth is unknown."""
    return None if is_poison is None else int((clean_mask & is_poison).sum())
