"""The cells of the grid: data sets, attacks, targets and seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bsd_engine.config.presets import demo
from bsd_engine.config.settings import BSDConfig

DATA: dict[str, dict[str, Any]] = {
    "bundled": {"data": "bundled", "limit": 6000, "altruistic_epochs": 6},
    "gtsrb": {
        "data": "gtsrb",
        "limit": 8000,
        "altruistic_epochs": 6,
        "flip": False,
        "crop_padding": 2,
        "width": 24,
        "altruistic_batch": 64,
        "altruistic_lr": 2e-3,
        "epoch_tests": 2000,
    },
    "cifar10": {"data": "cifar10", "limit": 8000, "altruistic_epochs": 10, "epoch_tests": 2000},
}
TARGETS = {"bundled": tuple(range(10)), "gtsrb": (2, 7, 14, 27, 38), "cifar10": (0, 3, 4, 6, 9)}
ATTACKS: dict[str, dict[str, dict[str, Any]]] = {
    "badnets": {"gtsrb": {"pattern": "checkerboard"}, "cifar10": {"pattern": "checkerboard"}},
    "blended": {"gtsrb": {"opacity": 0.2}, "cifar10": {"opacity": 0.2}},
    "sig": {name: {"weight": 0.4} for name in DATA},
    "wanet": {name: {"strength": 2.0 if name == "gtsrb" else 1.0, "noise_rate": 0.1} for name in DATA},
}
OWN_RATES = {"wanet": 0.4}
"""Parameters and rates that replace the attack's own, so that a small network learns it in few epochs."""
SEEDS, CLEAN_SEEDS = (0, 1), tuple(range(10))
RATES, RATE_TARGETS = (0.01, 0.1, 0.2), (0, 2, 4, 6, 8)
Cell = dict[str, Any]


def cells() -> Iterator[Cell]:
    """Yield all cells, ordered so that the first ones cover every data set; attacks that need the most poison come
    last."""
    yield from (_cell(data, "none", 0, seed) for seed in CLEAN_SEEDS[:2] for data in DATA)
    for seed in SEEDS:
        yield from (cell for attack in ("badnets", "blended", "sig") for cell in _targets(attack, seed))
        yield from (_cell("bundled", "badnets", target, seed, rate=rate) for rate in RATES for target in RATE_TARGETS)
        yield _cell("bundled", "badnets_all2all", 0, seed, rate=0.3)
        first = 2 + 4 * seed
        yield from (_cell(data, "none", 0, clean) for clean in CLEAN_SEEDS[first : first + 4] for data in DATA)
    yield from (cell for seed in SEEDS for cell in _targets("wanet", seed))


def _targets(attack: str, seed: int) -> Iterator[Cell]:
    """Yield an attack on every target of every data set, the data sets in turn."""
    for i in range(max(map(len, TARGETS.values()))):
        yield from (
            _cell(data, attack, TARGETS[data][i], seed, rate=OWN_RATES.get(attack))
            for data in DATA
            if i < len(TARGETS[data])
        )


def _cell(data: str, attack: str, target: int, seed: int, rate: float | None = None) -> Cell:
    return {
        "data": data,
        "attack": attack,
        "parameters": ATTACKS.get(attack, {}).get(data, {}),
        "target": target,
        "rate": rate,
        "seed": seed,
    }


def config_of(cell: Cell) -> BSDConfig:
    """Return the settings of a cell: the demo's, except for size, length and attack."""
    return demo().with_settings(
        **DATA[cell["data"]],
        attack=cell["attack"],
        attack_parameters=cell["parameters"],
        target_label=cell["target"],
        rate=cell["rate"],
        seed=cell["seed"],
    )


def key(cell: Cell) -> tuple[Any, ...]:
    """Return the values that identify a cell."""
    return tuple(
        json.dumps(cell[name], sort_keys=True) for name in ("data", "attack", "parameters", "target", "rate", "seed")
    )
