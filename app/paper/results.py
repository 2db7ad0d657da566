"""Our recorded results, looked up by the settings they were measured with; no streamlit."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.paper.cells import ALL_TO_ALL, Cell
from app.server.home import shipped
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.metrics import defense_effectiveness_rating

RESULTS = shipped() / "benchmarks/results/paper_tables.jsonl"
ATTACK_TABLE = shipped() / "benchmarks/results/attack_table.jsonl"
Key = tuple[str, str, int, str, str]
Results = Mapping[Key, Mapping[int, Mapping[str, Any]]]
"""`Cell.key` -> seed -> the numbers of a run's summary."""


@dataclass(frozen=True, kw_only=True)
class OurResult:
    """Medians over seeds in percent; None where not measured."""

    clean_accuracy: float | None
    attack_success_rate: float | None
    rating: float | None
    """DER; each seed is compared with plain training on the same seed."""
    seeds: tuple[int, ...]


def recorded_results() -> Results:
    """All results on disk."""
    return _read(results_stamp())


def results_stamp() -> tuple[tuple[str, Stamp | None], ...]:
    """A value that changes when a result is added."""
    return tuple((str(path), _stamp(path)) for path in (ATTACK_TABLE, RESULTS))


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(path)
    except OSError:
        return None


@lru_cache(maxsize=2)
def _read(files: tuple[tuple[str, Stamp | None], ...]) -> Results:
    results: dict[Key, dict[int, Mapping[str, Any]]] = {}
    for path, stamp in files:
        for line in Path(path).read_text().splitlines() if stamp else ():
            for cell, defense, seed, numbers in _results_in(_parsed(line)):
                if numbers.get("digest", cell.digest()) != cell.digest():
                    continue  # the preset has changed since
                results.setdefault(cell.key(defense), {})[seed] = numbers
    return results


def _parsed(line: str) -> dict[str, Any]:
    """The content of a line; nothing if a benchmark is still writing it or was interrupted."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _results_in(line: dict[str, Any]) -> list[tuple[Cell, str, int, Mapping[str, Any]]]:
    """(cell, defense, seed, numbers) of the results in a line: one, or the pair that attack_table.py writes."""
    if not line:
        return []
    name = {"preset": line["preset"], "attack": line["attack"]}
    if "defense" in line:
        return [(Cell(**name, target=line["target"], settings=line["settings"]), line["defense"], line["seed"], line)]
    settings = ALL_TO_ALL if line["attack"].startswith("badnets_all2all") else {}
    cell = Cell(**name, settings=settings)
    return [(cell, "none", line["seed"], line["plain"]), (cell, "bsd", line["seed"], line["bsd"])]


def measured(cell: Cell, defense: str, results: Results) -> OurResult | None:
    """The result of a cell, or None if it has not been run."""
    runs, plain = results.get(cell.key(defense), {}), results.get(cell.key("none"), {})
    if not runs:
        return None
    ratings = [_rating(runs[seed], plain[seed]) for seed in runs if seed in plain] if defense == "bsd" else []
    return OurResult(
        clean_accuracy=_median([run["clean_accuracy"] for run in runs.values()]),
        attack_success_rate=_median([run["attack_success_rate"] for run in runs.values()]),
        rating=_median(ratings),
        seeds=tuple(sorted(runs)),
    )


def _rating(run: Mapping[str, Any], plain: Mapping[str, Any]) -> float | None:
    numbers = [numbers[name] for numbers in (run, plain) for name in ("clean_accuracy", "attack_success_rate")]
    if None in numbers:
        return None
    return defense_effectiveness_rating(
        *numbers[:2], baseline_clean_accuracy=numbers[2], baseline_attack_success_rate=numbers[3]
    )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
