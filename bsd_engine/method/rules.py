"""The settings that the pool rules read, as plain values, and how a verdict changes them. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bsd_engine.config.method_settings import StartingShares
from bsd_engine.config.settings import BSDConfig

if TYPE_CHECKING:
    from bsd_engine.splits import Completion, CountBy, InitCombine


@dataclass(frozen=True, kw_only=True)
class PoolRules(StartingShares):
    """The settings that decide the pools, named as in `BSDConfig`.

    They are not checked: a preview may have alpha below beta, which a run may not.
    """

    seed: int
    alpha: float
    beta: float
    alpha_start: float | None
    als_init_ratio: float | None
    als_snapshot: str
    init_combine: InitCombine
    all_to_all: str
    oss_warmup_unlabeled: str
    completion: Completion
    count_by: CountBy
    selective_drop: bool
    drop_start: int
    """Main epoch T from which samples are dropped."""
    t1: int
    init_epochs: int
    t2: int
    several_targets: bool = False
    """Whether the verdict several targets decided `all_to_all` and `selective_drop`, not the configuration."""

    @classmethod
    def of(cls, config: BSDConfig, verdict: Mapping[str, Any] | None = None) -> PoolRules:
        """The rules of a run.

        Parameters
        ----------
        verdict : the verdict of `auto` about the target, as recorded in an `EpochState`. After the verdict several
            targets the pools are decided as for an all-to-all attack: with "shared", and without selective drop.
        """
        split, schedule = config.split, config.schedule
        rules = cls(
            seed=config.seed,
            alpha=split.alpha,
            beta=split.beta,
            alpha_start=split.alpha_start,
            als_init_ratio=split.als_init_ratio,
            als_snapshot=split.als_snapshot,
            init_combine=split.init_combine,
            all_to_all=split.all_to_all,
            oss_warmup_unlabeled=split.oss_warmup_unlabeled,
            completion=split.completion,
            count_by=split.count_by,
            selective_drop=split.selective_drop,
            drop_start=config.drop_start,
            t1=schedule.t1,
            init_epochs=schedule.init_epochs,
            t2=schedule.t2,
        )
        auto = split.target_estimator == "auto" and split.all_to_all == "off"
        if auto and verdict is not None and verdict["kind"] == "several":
            return replace(rules, all_to_all="shared", selective_drop=False, several_targets=True)
        return rules

    def with_settings(self, **settings: Any) -> PoolRules:
        """These rules with some settings replaced, unchecked."""
        return replace(self, **settings)
