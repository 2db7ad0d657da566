"""Which samples an attacker changes, under every convention of the literature on what a rate counts."""

from __future__ import annotations

import torch
from torch import Tensor

from bsd_engine.config.data_settings import PoisonCountMode
from bsd_engine.errors import ConfigError
from bsd_engine.splits import exact_count


def poison_idx(eligible: Tensor, rate: float, mode: PoisonCountMode, generator: torch.Generator) -> Tensor:
    """Sorted indices of the samples to poison; those of a lower rate are among those of a higher one.

    Parameters
    ----------
    eligible : (N,) bool
        Samples that the attack may poison: the other classes, or the target class for a clean-label attack.
    rate : float
    mode : PoisonCountMode
        See `AttackConfig.poison_count_mode`.
    generator : torch.Generator

    Raises
    ------
    ConfigError
        If no sample would be poisoned, or more samples than there are.
    """
    candidates = (torch.ones_like(eligible) if mode == "exact_all" else eligible).nonzero().squeeze(1)
    if mode == "bernoulli_nontarget":
        chosen = candidates[torch.rand(len(candidates), generator=generator) < rate]
    else:
        count = exact_count(rate, len(candidates) if mode == "exact_nontarget" else len(eligible))
        _check_count(count, len(candidates), rate)
        chosen = candidates[torch.randperm(len(candidates), generator=generator)[:count]].sort().values
    if len(chosen) == 0:
        raise ConfigError(
            f"rate is {rate:g}, which poisons none of the {len(eligible)} samples; raise the rate or use more images."
        )
    return chosen


def noise_idx(eligible: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Sorted indices of `count` samples among those (N,) bool that may become noise samples."""
    candidates = eligible.nonzero().squeeze(1)
    if count > len(candidates):
        raise ConfigError(
            f"noise_rate asks for {count} noise samples, but only {len(candidates)} samples can be one; lower it."
        )
    return candidates[torch.randperm(len(candidates), generator=generator)[:count]].sort().values


def _check_count(count: int, available: int, rate: float) -> None:
    if count > available:
        raise ConfigError(
            f"rate is {rate:g}, which asks for {count} poisoned samples of {available} that may be poisoned; "
            "lower the rate or choose another poison_count_mode."
        )
