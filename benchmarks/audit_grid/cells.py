"""The cells of the grid: data sets, attacks and seeds, none of which a rule was made on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bsd_engine.config.presets import audit
from bsd_engine.config.settings import BSDConfig

LIMIT = 8000
TARGETS = {"cifar10": (0, 4, 9), "gtsrb": (13, 38, 1)}
SOURCES = {"cifar10": (3, 8, 6), "gtsrb": (2, 5, 8)}
"""The class of each seed that the source-specific patch works on."""
CORNER = {"pattern": "checkerboard", "size": 3, "row": 24, "col": 24}
ATTACKS: dict[str, dict[str, tuple[float | None, dict[str, Any]]]] = {
    "none": {"cifar10": (None, {}), "gtsrb": (None, {})},
    "badnets": {"cifar10": (0.08, CORNER), "gtsrb": (0.08, CORNER)},
    "noise": {"cifar10": (None, {}), "gtsrb": (None, {})},
    "blended": {
        "cifar10": (0.04, {"pattern": "noise", "opacity": 0.2}),
        "gtsrb": (0.04, {"pattern": "noise", "opacity": 0.25}),
    },
    "sig": {"cifar10": (0.5, {"weight": 0.35}), "gtsrb": (0.6, {"weight": 0.35})},
    "wanet": {
        "cifar10": (0.3, {"strength": 2.5, "noise_rate": 0.1}),
        "gtsrb": (0.25, {"strength": 4.0, "noise_rate": 0.1}),
    },
    "refool": {"cifar10": (0.25, {}), "gtsrb": (0.15, {})},
    "source_specific": {"cifar10": (0.5, CORNER), "gtsrb": (0.5, CORNER)},
    "adaptive_blend": {
        "cifar10": (0.08, {"training_opacity": 0.2, "opacity": 0.3}),
        "gtsrb": (0.08, {"training_opacity": 0.2, "opacity": 0.3}),
    },
}
"""Rate and parameters of each attack; noise is 10 % of wrong labels without an attack."""
SEEDS = (0, 1, 2)
NOISE_RATE = 0.1
Cell = dict[str, Any]


def cells() -> Iterator[Cell]:
    """Yield all cells, ordered so that the first ones cover every attack on both data sets."""
    for i, seed in enumerate(SEEDS):
        for attack, of_data in ATTACKS.items():
            for data, (rate, parameters) in of_data.items():
                source = {"source": SOURCES[data][i]} if attack == "source_specific" else {}
                yield {
                    "data": data,
                    "attack": attack,
                    "rate": rate,
                    "parameters": {**parameters, **source},
                    "target": TARGETS[data][i],
                    "seed": seed,
                }


def poisoning(cell: Cell) -> BSDConfig:
    """Return the settings that poison a cell's data; noise is added afterwards."""
    attack = "none" if cell["attack"] in ("none", "noise") else cell["attack"]
    return audit().with_settings(
        data=cell["data"],
        limit=LIMIT,
        attack=attack,
        attack_parameters=cell["parameters"],
        target_label=cell["target"],
        rate=cell["rate"],
        seed=cell["seed"],
    )
