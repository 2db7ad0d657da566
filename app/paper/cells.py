"""Which runs of ours stand beside which numbers of the paper; no streamlit.

A cell is a set of settings, run with BSD and without a defence. The demo presets take the paper's place here, with an
attack's rate and strength raised where plain training on these images would not fall for it (docs/attacks.md).
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bsd_engine.config import presets
from bsd_engine.config.settings import BSDConfig
from bsd_engine.files.locations import assets_folder

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = assets_folder() / "paper_tables.json"
PRESETS = {"cifar10": "demo", "gtsrb": "demo-gtsrb", "imagenet30": "paper-imagenet30"}
"""What stands in for each of the paper's data sets."""
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
"""The paper's name of an attack -> "name:parameter=value,...@rate"; where it is missing, the attack's own settings."""
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
"""The class that Fig. 10 has taken for the target, whatever the target is."""


@cache
def paper_numbers() -> dict[str, Any]:
    """The paper's tables by number: nested by row and column, cells [CA, ASR, DER] in percent, None where ambiguous."""
    return json.loads(NUMBERS.read_text())


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Settings whose outcome stands beside one number of the paper."""

    preset: str
    attack: str
    """ "name:parameter=value,...@rate"; "none" trains on unpoisoned images and tests with the trigger of BadNets."""
    target: int = 3
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    """What BSD is told beside the preset."""

    def key(self, defense: str) -> tuple[str, str, int, str, str]:
        """What results are found by; training without a defence reads none of BSD's settings."""
        told = self.settings if defense == "bsd" else {}
        return self.preset, self.attack, self.target, defense, json.dumps(told, sort_keys=True)

    def config(self, seed: int = 0) -> BSDConfig:
        """The configuration that is run."""
        name, parameters, rate = attack_parts(self.attack)
        poison = (
            {} if name == NO_ATTACK else {"rate": rate, "target_label": self.target, "attack_parameters": parameters}
        )
        return presets.preset(self.preset).with_settings(
            seed=seed, attack=name, **{"attack_parameters": {}, **poison}, **self.settings
        )

    def digest(self) -> str:
        """Eight letters that change with any setting of the preset or the cell: what an older preset gave is no result of this one."""
        plain, own = BSDConfig().to_dict(), self.config().to_dict()
        changed = {
            f"{group}.{name}": value
            for group, part in own.items()
            if isinstance(part, dict)
            for name, value in part.items()
            if value != plain[group][name]
        }
        return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]

    def command(self, seed: int = 0, defense: str = "bsd") -> str:
        """The same training from the command line, without its result being kept in the table."""
        name, parameters, rate = attack_parts(self.attack)
        words = ["--preset", self.preset, "--seed", seed, "--attack", name]
        if parameters:
            words += ["--attack-parameters", *(word for pair in parameters.items() for word in pair)]
        words += ["--rate", rate] if rate is not None else []
        words += ["--target", self.target] if self.target != presets.preset(self.preset).attack.target_label else []
        for setting, value in self.settings.items() if defense == "bsd" else ():
            option = setting.replace("_", "-")
            words += (
                [f"--{option}", value]
                if not isinstance(value, bool)
                else [f"--{option}" if value else f"--no-{option}"]
            )
        return f"python -m bsd_engine {'train' if defense == 'bsd' else 'undefended'} " + shlex.join(
            str(word) for word in words
        )


def attack_parts(spec: str) -> tuple[str, dict[str, Any], float | None]:
    """Name, parameters and rate in "name:parameter=value,...@rate"."""
    from bsd_engine.attacks import parse  # here: it loads torch, and the first page reads Table 7 only

    head, _, rate = spec.partition("@")
    name, _, given = head.partition(":")
    parameters = parse(name, dict(pair.split("=") for pair in given.split(","))) if given else {}
    return name, parameters, float(rate) if rate else None


def spec_of(preset: str, attack: str) -> str:
    """What the paper's attack is in a preset."""
    return SPECS.get(preset, {}).get(attack, attack)


def with_rate(spec: str, rate: float) -> str:
    """The same attack at another rate; at its own one the same text."""
    head, _, own = spec.partition("@")
    return spec if float(own or 0.05) == rate else f"{head}@{rate:g}"


def cells(table: str, preset: str = "demo") -> dict[tuple[str, str], Cell]:
    """(row, column) of a table or figure -> what is run for it; rows and columns are named as in `paper_numbers`.

    The columns of tables 1 and 2 are the attacks, those of table 10 the data sets; "3" and "10" with "figure" in front are figures.
    """
    made = {
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
    return made[table](preset)


def _table_1(preset: str) -> dict[tuple[str, str], Cell]:
    chosen = {**PRESETS, "cifar10": preset}
    return {
        (data, attack): Cell(preset=name, attack=spec_of(name, attack))
        for data, name in chosen.items()
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
        (row, attack): Cell(preset=preset, attack=spec_of(preset, attack), settings=told)
        for row, told in ABLATIONS.items()
        for attack in TRIPLES
    }


def _table_7(preset: str) -> dict[tuple[str, str], Cell]:
    split = presets.preset(preset).split
    found = {}
    for row, numbers in paper_numbers()["7"].items():
        wanted = {name: numbers[name] for name in ("alpha", "beta")}
        told = {name: value for name, value in wanted.items() if value != getattr(split, name)}
        for attack in TRIPLES:
            found[row, attack] = Cell(preset=preset, attack=spec_of(preset, attack), settings=told)
    return found


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
    told = {"target_estimator": "given", "assume_target": FORCED}
    return {
        (str(label), "badnets"): Cell(preset=preset, attack=spec_of(preset, "badnets"), target=label, settings=told)
        for label in range(10)
    }
