"""Which target every estimator names, over data sets, attacks, targets and seeds, and whether clean data are called attacked.

    python benchmarks/target_grid.py                 train what is not in the results file yet: about three hours on one core
    python benchmarks/target_grid.py --table         write the tables into docs/target.md, from what is there

Each cell is the altruistic warm-up alone; its attack success is that of the altruistic model, which is plain training on the poisoned
set. The results file has one JSON line a cell, so that an interrupted grid goes on where it was. CIFAR-10 and GTSRB have to be in
BSD_DATA; a data set that is not there is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bsd_engine.compute import runtime
from bsd_engine.config.presets import demo  # noqa: E402
from bsd_engine.config.settings import BSDConfig  # noqa: E402
from bsd_engine.errors import DataError  # noqa: E402
from bsd_engine.target.transplant import Transplant, transplant  # noqa: E402
from bsd_engine.target.verdict import decide_target  # noqa: E402
from bsd_engine.training import target_search  # noqa: E402
from bsd_engine.training.target_command import find_target  # noqa: E402

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
"""Parameters and rates other than the attack's own, so that a small network learns it in so few epochs."""
SEEDS, CLEAN_SEEDS = (0, 1), tuple(range(10))
RATES, RATE_TARGETS = (0.01, 0.1, 0.2), (0, 2, 4, 6, 8)
NUMBERS = ("foreign", "full", "apart", "separation", "warped", "withdrawn")
"""What the verdict is made from, of `Transplant`."""
Cell = dict[str, Any]


def cells() -> Iterator[Cell]:
    """All cells, such that a part of them says something about every data set; what takes the most poison to be learned comes last."""
    yield from (_cell(data, "none", 0, seed) for seed in CLEAN_SEEDS[:2] for data in DATA)
    for seed in SEEDS:
        yield from (cell for attack in ("badnets", "blended", "sig") for cell in _targets(attack, seed))
        yield from (_cell("bundled", "badnets", target, seed, rate=rate) for rate in RATES for target in RATE_TARGETS)
        yield _cell("bundled", "badnets_all2all", 0, seed, rate=0.3)
        first = 2 + 4 * seed
        yield from (_cell(data, "none", 0, clean) for clean in CLEAN_SEEDS[first : first + 4] for data in DATA)
    yield from (cell for seed in SEEDS for cell in _targets("wanet", seed))


def _targets(attack: str, seed: int) -> Iterator[Cell]:
    """An attack on every target of every data set, these in turn."""
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
    """The settings of a cell: the demo's but for size, length and attack."""
    return demo().with_settings(
        **DATA[cell["data"]],
        attack=cell["attack"],
        attack_parameters=cell["parameters"],
        target_label=cell["target"],
        rate=cell["rate"],
        seed=cell["seed"],
    )


def measure(cell: Cell) -> Cell:
    """The cell with its results, the numbers behind the verdict among them, so that another rule can be tried on them."""
    spent: list[float] = []
    seen: list[Transplant] = []

    def observed(*args: Any) -> Transplant:
        begin = time.perf_counter()
        seen.append(transplant(*args))
        spent.append(time.perf_counter() - begin)
        return seen[-1]

    begin = time.perf_counter()
    with mock.patch.object(target_search, "transplant", observed):
        found = find_target(config_of(cell))
    numbers = {name: getattr(seen[0], name) for name in NUMBERS}
    return {
        **cell,
        "epochs": found.epochs,
        "clean_accuracy": found.metrics["altruistic_clean_accuracy"],
        "attack_success_rate": found.metrics["altruistic_attack_success_rate"],
        "answers": {a.estimator: a.label for a in found.answers},
        "seconds": round(time.perf_counter() - begin, 1),
        "transplant_seconds": round(sum(spent), 2),
        "numbers": {name: [round(v, 3) for v in values.tolist()] for name, values in numbers.items()},
        "destinations": seen[0].destinations.tolist(),
    }


def judged(cell: Cell) -> Cell:
    """The cell with the verdict of the rule as it is now."""
    numbers = {name: torch.tensor(cell["numbers"][name]) for name in NUMBERS}
    nothing = torch.zeros(0)
    found = Transplant(
        **numbers,
        destinations=torch.tensor(cell["destinations"]),
        by_source=nothing,
        by_warp=nothing,
        residuals=nothing,
    )
    verdict = decide_target(found, cell["epochs"])
    answer = verdict.classes[0] if verdict.kind == "target" else None
    answers = {**cell["answers"], "auto": answer}
    return {
        **cell,
        "verdict": verdict.kind,
        "z": round(verdict.z, 2),
        "suspect": verdict.classes[0],
        "answers": answers,
    }


def key(cell: Cell) -> tuple[Any, ...]:
    """What tells cells apart."""
    return tuple(
        json.dumps(cell[name], sort_keys=True) for name in ("data", "attack", "parameters", "target", "rate", "seed")
    )


def read(path: Path) -> list[Cell]:
    """Cells in a results file, judged; a last line that a killed run left torn is skipped."""
    results = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            results.append(judged(json.loads(line)))
        except ValueError:
            continue
    return results


def run(path: Path, only: str | None) -> None:
    """Measure what is missing, a line each."""
    there, absent = {key(cell) for cell in read(path)}, set()
    missing = [cell for cell in cells() if key(cell) not in there and only in (None, cell["data"])]
    for i, cell in enumerate(missing):
        if cell["data"] in absent:
            continue
        try:
            result = measure(cell)
        except DataError as error:
            absent.add(cell["data"])
            print(f"{cell['data']} is left out: {error}", flush=True)
            continue
        with path.open("a") as file:
            file.write(
                "\n" * (path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")) + json.dumps(result) + "\n"
            )
        result, asr = judged(result), result["attack_success_rate"]
        print(
            f"{i + 1}/{len(missing)} {cell['data']} {cell['attack']} {cell['target']} seed {cell['seed']}: ASR "
            f"{'-' if asr is None else round(asr)} %, {result['verdict']} {result['suspect']} z {result['z']}, {result['seconds']} s",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results/target_grid.jsonl")
    parser.add_argument("--data", choices=DATA, help="only this data set")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores when not given")
    parser.add_argument("--table", action="store_true", help="write the tables into docs/target.md")
    options = parser.parse_args()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    if options.table:
        from target_tables import write_tables

        write_tables(read(options.results), sum(1 for _ in cells()), ROOT / "docs/target.md")
    else:
        if options.threads:
            runtime.available_threads = lambda: options.threads
        run(options.results, options.data)
