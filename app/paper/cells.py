"""Which of our runs are compared with which numbers of the paper; no streamlit.

A cell is a set of settings, run with BSD and without a defence. The demo presets stand in for the paper's settings. An
attack's rate and strength are raised where plain training on these images would not learn it (docs/attacks.md).
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bsd_engine.config import presets
from bsd_engine.config.settings import BSDConfig
from bsd_engine.files.locations import assets_folder

NUMBERS = assets_folder() / "paper_tables.json"
PRESETS = {"cifar10": "demo", "gtsrb": "demo-gtsrb", "imagenet30": "paper-imagenet30"}
"""The preset that stands in for each of the paper's data sets."""
SPECS: dict[str, dict[str, str]] = {
    "demo": {
        "wanet": "wanet:strength=1,noise_rate=0.1@0.2",
        "sig": "sig:weight=0.4",
        "lc": "label_consistent:eps=32,step=3,size=8@0.9",
        "narcissus": "narcissus:eps=48@0.9",
        "badnets_all2all": "badnets_all2all@0.2",
    },
    "demo-gtsrb": {
        "badnets": "badnets:pattern=checkerboard",
        "blended": "blended:opacity=0.2@0.1",
        "wanet": "wanet:strength=5,noise_rate=0.05@0.3",
        "refool": "refool:weight_low=0.4,weight_high=0.55@0.2",
        "sig": "sig:weight=0.4@0.5",
        "lc": "label_consistent:pattern=checkerboard,size=14,eps=32,step=3@0.9",
        "narcissus": "narcissus:eps=48,rounds=150,others=classes@0.9",
    },
    "paper-imagenet30": {"lc": "label_consistent"},
}
"""Preset -> the paper's name of an attack -> "name:parameter=value,...@rate"; if missing, the attack's defaults."""
NO_ATTACK = "none"
ALL_TO_ALL: dict[str, Any] = {"all_to_all": "shared", "selective_drop": False}
TRIPLES = ("badnets", "blended", "wanet")
ABLATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "wo_init": {"init_combine": "random"},
    "wo_comp": {"completion": "off"},
    "wo_drop": {"selective_drop": False},
}
RATES = (0.01, 0.05, 0.1, 0.2)
FORCED = 3
"""The class that Fig. 10 forces as the target, whatever the true target is."""


@cache
def paper_numbers() -> dict[str, Any]:
    """The paper's tables by number, nested by row and column: [CA, ASR, DER] in percent, None where ambiguous."""
    return json.loads(NUMBERS.read_text())


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The settings whose outcome is compared with one cell of the paper."""

    preset: str
    attack: str
    """ "name:parameter=value,...@rate"; "none" trains on unpoisoned images and tests with the trigger of BadNets."""
    target: int = 3
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    """Settings of BSD that differ from the preset."""

    def key(self, defense: str) -> tuple[str, str, int, str, str]:
        """The key of its results; training without a defence does not depend on BSD's settings."""
        settings = self.settings if defense == "bsd" else {}
        return self.preset, self.attack, self.target, defense, json.dumps(settings, sort_keys=True)

    def config(self, seed: int = 0) -> BSDConfig:
        """The configuration of its run."""
        name, parameters, rate = attack_parts(self.attack)
        poison = (
            {} if name == NO_ATTACK else {"rate": rate, "target_label": self.target, "attack_parameters": parameters}
        )
        return presets.preset(self.preset).with_settings(
            seed=seed, attack=name, **{"attack_parameters": {}, **poison}, **self.settings
        )

    def digest(self) -> str:
        """Eight hex digits that change with any setting, so that results of an older preset are not reused."""
        defaults, settings = BSDConfig().to_dict(), self.config().to_dict()
        changed = {
            f"{group}.{name}": value
            for group, part in settings.items()
            if isinstance(part, dict)
            for name, value in part.items()
            if value != defaults[group][name]
        }
        return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]

    def command(self, seed: int = 0, defense: str = "bsd") -> str:
        """The command of the same training; it does not add the result to the table."""
        name, parameters, rate = attack_parts(self.attack)
        options = ["--preset", self.preset, "--seed", seed, "--attack", name]
        if parameters:
            options += ["--attack-parameters", *(word for pair in parameters.items() for word in pair)]
        options += ["--rate", rate] if rate is not None else []
        options += ["--target", self.target] if self.target != presets.preset(self.preset).attack.target_label else []
        for setting, value in self.settings.items() if defense == "bsd" else ():
            name = setting.replace("_", "-")
            if isinstance(value, bool):
                options.append(f"--{name}" if value else f"--no-{name}")
            else:
                options += [f"--{name}", value]
        command = "train" if defense == "bsd" else "undefended"
        return f"python -m bsd_engine {command} {shlex.join(map(str, options))}"


def attack_parts(spec: str) -> tuple[str, dict[str, Any], float | None]:
    """The name, parameters and rate in "name:parameter=value,...@rate"."""
    from bsd_engine.attacks import parse  # imported here because it loads torch, and the first page needs Table 7 only

    head, _, rate = spec.partition("@")
    name, _, given = head.partition(":")
    parameters = parse(name, dict(pair.split("=") for pair in given.split(","))) if given else {}
    return name, parameters, float(rate) if rate else None


def spec_of(preset: str, attack: str) -> str:
    """The spec that stands in for an attack of the paper on a preset."""
    return SPECS.get(preset, {}).get(attack, attack)


def with_rate(spec: str, rate: float) -> str:
    """The same attack at another rate; the same text if it has that rate already."""
    head, _, current = spec.partition("@")
    return spec if float(current or 0.05) == rate else f"{head}@{rate:g}"


def cells(table: str, preset: str = "demo") -> dict[tuple[str, str], Cell]:
    """(row, column) of a table or figure -> the cell that is run for it; names are those of `paper_numbers`.

    The columns of tables 1 and 2 are attacks, those of table 10 data sets. Figures are "figure3" and "figure10".
    """
    builders = {
        "1": _table_1,
        "2": _table_2,
        "4": _table_4,
        "6": _table_6,
        "7": _table_7,
        "10": _table_10,
        "12": _table_12,
        "figure3": _figure_3,
        "figure10": _figure_10,
    }
    return builders[table](preset)


def _table_1(preset: str) -> dict[tuple[str, str], Cell]:
    preset_of = {**PRESETS, "cifar10": preset}
    return {
        (data, attack): Cell(preset=name, attack=spec_of(name, attack))
        for data, name in preset_of.items()
        for attack in TRIPLES
    }


def _table_2(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        ("cifar10", attack): Cell(preset=preset, attack=spec_of(preset, attack))
        for attack in ("lc", "sig", "refool", "narcissus")
    }


def _table_4(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        (str(label), attack): Cell(preset=preset, attack=spec_of(preset, attack), target=label)
        for label in range(10)
        for attack in TRIPLES
    }


def _table_6(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        (row, attack): Cell(preset=preset, attack=spec_of(preset, attack), settings=settings)
        for row, settings in ABLATIONS.items()
        for attack in TRIPLES
    }


def _table_7(preset: str) -> dict[tuple[str, str], Cell]:
    split = presets.preset(preset).split
    by_place = {}
    for row, numbers in paper_numbers()["7"].items():
        settings = {name: numbers[name] for name in ("alpha", "beta") if numbers[name] != getattr(split, name)}
        for attack in TRIPLES:
            by_place[row, attack] = Cell(preset=preset, attack=spec_of(preset, attack), settings=settings)
    return by_place


def _table_10(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        (NO_ATTACK, data): Cell(preset=name, attack=NO_ATTACK)
        for data, name in (("cifar10", preset), ("gtsrb", PRESETS["gtsrb"]))
    }


def _table_12(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        ("badnets_all2all", "cifar10"): Cell(
            preset=preset, attack=spec_of(preset, "badnets_all2all"), settings=ALL_TO_ALL
        )
    }


def _figure_3(preset: str) -> dict[tuple[str, str], Cell]:
    return {
        (f"{rate:g}", attack): Cell(preset=preset, attack=with_rate(spec_of(preset, attack), rate))
        for rate in RATES
        for attack in TRIPLES
    }


def _figure_10(preset: str) -> dict[tuple[str, str], Cell]:
    settings = {"target_estimator": "given", "assume_target": FORCED}
    return {
        (str(label), "badnets"): Cell(preset=preset, attack=spec_of(preset, "badnets"), target=label, settings=settings)
        for label in range(10)
    }
