"""Every setting of a run, as frozen dataclasses that check themselves.

The text under each field is its help on the command line: meaning, unit, and source of the default.
Symbols are those of the paper (alpha, beta, T1, T2, T3, lambda_u).
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from bsd_engine.config.checks import check, check_choices, check_kinds, is_number
from bsd_engine.config.data_settings import AttackConfig, DataConfig, ModelConfig, UndefendedConfig
from bsd_engine.config.method_settings import AltruisticConfig, MixMatchConfig, ScheduleConfig, SplitConfig
from bsd_engine.errors import ConfigError

GROUPS: dict[str, type] = {
    "data": DataConfig,
    "attack": AttackConfig,
    "model": ModelConfig,
    "schedule": ScheduleConfig,
    "altruistic": AltruisticConfig,
    "mixmatch": MixMatchConfig,
    "split": SplitConfig,
    "undefended": UndefendedConfig,
}


@dataclass(frozen=True, kw_only=True)
class BSDConfig:
    """All settings of a run. The defaults are the paper's on CIFAR-10."""

    preset: str = "paper-cifar10"
    """Preset that these settings started from."""
    seed: int = 0
    """Seed of everything random: poisoned indices, initial weights, batches, augmentation, mixup."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N; auto takes the GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of convolutions and products; losses are always float32. auto: bfloat16 if the device is faster with
    it."""
    data: DataConfig = field(default_factory=DataConfig)
    attack: AttackConfig = field(default_factory=AttackConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    altruistic: AltruisticConfig = field(default_factory=AltruisticConfig)
    mixmatch: MixMatchConfig = field(default_factory=MixMatchConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    undefended: UndefendedConfig = field(default_factory=UndefendedConfig)

    def __post_init__(self) -> None:
        check_kinds(self)
        check(
            is_number(self.seed, 0, 2**31 - 1) and isinstance(self.seed, int),
            "seed",
            self.seed,
            "a whole number from 0 to 2147483647",
        )
        device = self.device
        known = device in ("auto", "cpu", "cuda") or re.fullmatch("cuda:[0-9]{1,3}", device) is not None
        check(known, "device", device, "auto, cpu, cuda or cuda:N")
        check_choices(self)
        _ = self.altruistic_network  # checks itself
        lga = self.split.target_estimator != "lga_vote" or self.altruistic.altruistic_loss == "lga"
        check(
            lga,
            "target_estimator",
            self.split.target_estimator,
            "another one where altruistic_loss is ce",
            "Set altruistic_loss to lga, or take low_loss_mode.",
        )
        no_drop = (
            self.split.all_to_all == "off" or not self.split.selective_drop or self.schedule.t3 == self.schedule.t2
        )
        check(
            no_drop,
            "all_to_all",
            self.split.all_to_all,
            "off where samples of one target are dropped",
            "Set t3 = t2 as the paper does, or switch selective_drop off.",
        )

    @property
    def altruistic_network(self) -> ModelConfig:
        """Architecture of g."""
        return replace(self.model, model=self.altruistic.altruistic_model or self.model.model)

    @property
    def drop_start(self) -> int:
        """Main epoch T from which samples are dropped."""
        return self.schedule.t2 if self.split.drop_start is None else self.split.drop_start

    def with_settings(self, **settings: Any) -> BSDConfig:
        """This configuration with some settings replaced, each by the name of its field in any group."""
        ungrouped = {name: settings.pop(name) for name in ("preset", "seed", "device", "precision") if name in settings}
        grouped: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            grouped.setdefault(_group_of(name), {})[name] = value
        parts = {group: replace(getattr(self, group), **values) for group, values in grouped.items()}
        return replace(self, **ungrouped, **parts)

    def to_dict(self) -> dict[str, Any]:
        """The settings as nested plain values, as stored in a run folder."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BSDConfig:
        """The configuration from what `to_dict` returned; unknown or missing settings raise `ConfigError`."""
        try:
            parts = {name: group(**values[name]) for name, group in GROUPS.items()}
            return cls(**{k: v for k, v in values.items() if k not in GROUPS}, **parts)
        except (TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"the stored configuration does not fit this version: {error}. Start a new run."
            ) from None


def _group_of(setting: str) -> str:
    for name, group in GROUPS.items():
        if setting in {f.name for f in fields(group)}:
            return name
    raise ConfigError(f"there is no setting {setting!r}; see python -m bsd_engine train --help.")
