"""The launch form as a value: what its fields hold, and the configuration that they ask for; no streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from app.style import words
from bsd_engine import attacks
from bsd_engine.config.checks import check, is_number
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.config.method_settings import ScheduleConfig, SplitConfig
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig

FIRST_PRESET = "demo"
ESTIMATORS = tuple(name for name in get_args(get_type_hints(SplitConfig)["target_estimator"]) if name != "lga_vote")
WITH_PATH = ("folder", "npz")
"""Sources that need a path."""
SAME_NAME = (
    "target_label",
    "alpha",
    "beta",
    "seed",
    "device",
    "limit",
    "flip",
    "model",
    "width",
    "target_estimator",
    "completion",
    "init_combine",
    "selective_drop",
)
"""Fields that hold the setting of the same name unchanged."""


@dataclass(frozen=True, kw_only=True)
class LaunchForm:
    """The values of all fields. A form may be half filled in, so only `to_config` checks them."""

    preset: str
    """Name of the preset; it supplies every setting that has no field."""
    source: str
    """Kind of data source, a key of `words.SOURCES`."""
    path: str
    """Path of the images, for sources that need one."""
    attack: str
    """Name of the attack, or none."""
    target_label: int
    """Target label, from 0."""
    rate: float
    """Poisoning rate in percent of the images of the other classes."""
    clean_rate: float
    """Poisoning rate of clean-label attacks, in percent of the target class; another quantity, so kept apart."""
    trigger_image: str
    """Path of the trigger image of the custom attack; empty for the drawn star."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Other parameters of an attack by the attack's name; the page Attacks or the preset sets them."""
    alpha: float
    beta: float
    alpha_start: float | None
    t1: int
    seed: int
    device: str
    limit: int | None
    """Largest number of training images; None for all."""
    flip: bool
    model: str
    width: int
    altruistic_epochs: int
    init_epochs: int
    """Length of the stage of the initial pools, epochs; likewise the two below."""
    completion_epochs: int
    drop_epochs: int
    iterations: int
    target_estimator: str
    assume_target: int
    """The target label to assume where the estimator is "given"."""
    completion: str
    init_combine: str
    selective_drop: bool

    @classmethod
    def from_config(cls, config: BSDConfig) -> LaunchForm:
        """The form that asks for a configuration."""
        schedule, split, attack = config.schedule, config.split, config.attack
        source, _, path = config.data.data.partition(":")
        return cls(
            preset=config.preset,
            source=source,
            path=path,
            attack=attack.attack,
            target_label=attack.target_label,
            trigger_image=str(attack.attack_parameters.get("image", "")),
            parameters={attack.attack: attack.attack_parameters},
            alpha=split.alpha,
            beta=split.beta,
            alpha_start=split.alpha_start,
            t1=schedule.t1,
            seed=config.seed,
            device=config.device,
            limit=config.data.limit,
            flip=config.data.flip,
            model=config.model.model,
            width=config.model.width,
            altruistic_epochs=schedule.altruistic_epochs,
            init_epochs=schedule.init_epochs,
            completion_epochs=schedule.t2 - schedule.t1 - schedule.init_epochs,
            drop_epochs=schedule.t3 - schedule.t2,
            iterations=schedule.iterations,
            target_estimator=split.target_estimator,
            assume_target=split.assume_target or 0,
            completion=split.completion,
            init_combine=split.init_combine,
            selective_drop=split.selective_drop,
            **_rates(attack),
        )

    def to_config(self) -> BSDConfig:
        """The configuration that the form asks for; raises `ConfigError` where a value does not fit."""
        self._check()
        config = preset(self.preset)
        settings = config.with_settings(
            data=self.data_spec,
            **self._attack_settings(spell_out_rate=config.attack.rate is not None),
            assume_target=self.assume_target if self.target_estimator == "given" else None,
            alpha_start=None if self.alpha_start is None else min(self.alpha_start, self.alpha),
            **{name: getattr(self, name) for name in SAME_NAME},
        )
        return replace(settings, schedule=self._schedule(config.schedule))

    def with_data_and_attack(self, config: BSDConfig) -> LaunchForm:
        """This form with the data, the attack and the seed of a configuration."""
        other, chosen = LaunchForm.from_config(config), config.attack
        rate = attacks.kind(chosen.attack).default_rate if chosen.rate is None else chosen.rate
        taken = ("source", "path", "attack", "target_label", "trigger_image", "parameters", "seed", "limit")
        values = {name: getattr(other, name) for name in taken}
        return replace(self, **values, **{rate_field(chosen.attack): 100 * rate})

    @property
    def data_spec(self) -> str:
        """The data source as the engine names it."""
        return f"{self.source}:{self.path.strip()}" if self.source in WITH_PATH else self.source

    @property
    def own_parameters(self) -> Mapping[str, Any]:
        """Parameters of the chosen attack that have no field in the form."""
        return self.parameters.get(self.attack, {})

    def _check(self) -> None:
        """Check what the form alone knows; the configuration checks its settings itself."""
        check(self.preset in PRESETS, "preset", self.preset, f"one of {', '.join(PRESETS)}")
        check(self.source in words.SOURCES, "source", self.source, f"one of {', '.join(words.SOURCES)}")
        for name in ("rate", "clean_rate"):
            check(is_number(getattr(self, name), 0, 100), name, getattr(self, name), "a percentage between 0 and 100")
        for name in ("t1", "altruistic_epochs", "init_epochs", "completion_epochs", "drop_epochs"):
            value = getattr(self, name)
            check(isinstance(value, int) and value >= 0, name, value, "a whole number of epochs, at least 0")

    def _schedule(self, schedule: ScheduleConfig) -> ScheduleConfig:
        """T2 and T3 follow from the lengths of the stages, by way of `ScheduleConfig.with_warmup`."""
        t2 = schedule.t1 + self.init_epochs + self.completion_epochs
        return replace(
            schedule,
            altruistic_epochs=self.altruistic_epochs,
            init_epochs=self.init_epochs,
            t2=t2,
            t3=t2 + self.drop_epochs,
            iterations=self.iterations,
        ).with_warmup(self.t1)

    def _attack_settings(self, *, spell_out_rate: bool) -> dict[str, Any]:
        """Attack, rate and parameters; each attack has its own parameters, and its default rate is not spelled out."""
        name = self.attack
        rate = getattr(self, rate_field(name)) / 100
        parameters = {key: value for key, value in self.own_parameters.items() if (name, key) != ("custom", "image")}
        if name == "custom" and self.trigger_image.strip():
            parameters["image"] = self.trigger_image.strip()
        needed = name != "none" and (spell_out_rate or rate != attacks.kind(name).default_rate)
        return {"attack": name, "rate": rate if needed else None, "attack_parameters": parameters}


def rate_field(attack: str) -> str:
    """Name of the field that holds the poisoning rate of an attack."""
    return "clean_rate" if attack != "none" and attacks.kind(attack).clean_label else "rate"


def _rates(attack: AttackConfig) -> dict[str, float]:
    """Both rates in percent: the configuration's own, and the default of the other kind of attack."""
    rates = {"rate": attacks.Attack.default_rate, "clean_rate": attacks.kind("sig").default_rate}
    if attack.attack != "none" and attack.rate is not None:
        rates[rate_field(attack.attack)] = attack.rate
    return {name: 100 * rate for name, rate in rates.items()}
