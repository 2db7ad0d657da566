"""Targets found by every estimator, over data sets, attacks, targets and seeds, and verdicts on clean data.

    python -m benchmarks.target_grid             train the missing cells: about three hours on one core
    python -m benchmarks.target_grid --table     write the tables into docs/target.md, from the results so far

Each cell is only the altruistic warm-up; its attack success is that of the altruistic model, which is trained plainly
on the poisoned set. The results file has one JSON line per cell, so that an interrupted grid can continue. CIFAR-10 and
GTSRB must be in BSD_DATA; a missing data set is left out, with a message.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.common.results import RESULTS, ROOT, append_line, read_lines
from benchmarks.target_grid.cells import DATA, Cell, cells, config_of, key
from benchmarks.target_grid.tables import write_tables
from bsd_engine.compute import runtime
from bsd_engine.errors import DataError
from bsd_engine.target.transplant import Transplant, transplant
from bsd_engine.target.verdict import decide_target
from bsd_engine.training import target_search
from bsd_engine.training.target_command import find_target

NUMBERS = ("foreign", "full", "apart", "separation", "warped", "withdrawn")
"""The fields of `Transplant` that the verdict is made from."""


def measure(cell: Cell) -> Cell:
    """Return the cell with its results, including the numbers behind the verdict, so that another rule can be tried on
    them."""
    spent: list[float] = []
    transplants: list[Transplant] = []

    def observed(*args: Any) -> Transplant:
        begin = time.perf_counter()
        transplants.append(transplant(*args))
        spent.append(time.perf_counter() - begin)
        return transplants[-1]

    begin = time.perf_counter()
    with mock.patch.object(target_search, "transplant", observed):
        findings = find_target(config_of(cell))
    numbers = {name: getattr(transplants[0], name) for name in NUMBERS}
    return {
        **cell,
        "epochs": findings.epochs,
        "clean_accuracy": findings.metrics["altruistic_clean_accuracy"],
        "attack_success_rate": findings.metrics["altruistic_attack_success_rate"],
        "answers": {a.estimator: a.label for a in findings.answers},
        "seconds": round(time.perf_counter() - begin, 1),
        "transplant_seconds": round(sum(spent), 2),
        "numbers": {name: [round(v, 3) for v in values.tolist()] for name, values in numbers.items()},
        "destinations": transplants[0].destinations.tolist(),
    }


def judged(cell: Cell) -> Cell:
    """Return the cell with the verdict of the current rule."""
    numbers = {name: torch.tensor(cell["numbers"][name]) for name in NUMBERS}
    nothing = torch.zeros(0)
    stored = Transplant(
        **numbers,
        destinations=torch.tensor(cell["destinations"]),
        by_source=nothing,
        by_warp=nothing,
        residuals=nothing,
    )
    verdict = decide_target(stored, cell["epochs"])
    answer = verdict.classes[0] if verdict.kind == "target" else None
    answers = {**cell["answers"], "auto": answer}
    return {
        **cell,
        "verdict": verdict.kind,
        "z": round(verdict.z, 2),
        "suspect": verdict.classes[0],
        "answers": answers,
    }


def read(path: Path) -> list[Cell]:
    """Return the cells in a results file, with the verdicts of the current rule."""
    return [judged(cell) for cell in read_lines(path)]


def run(path: Path, only: str | None) -> None:
    """Measure the missing cells and print one line each; with `only`, those of one data set."""
    known, absent = {key(cell) for cell in read(path)}, set()
    missing = [cell for cell in cells() if key(cell) not in known and only in (None, cell["data"])]
    for i, cell in enumerate(missing):
        if cell["data"] in absent:
            continue
        try:
            result = measure(cell)
        except DataError as error:
            absent.add(cell["data"])
            print(f"{cell['data']} is left out: {error}", flush=True)
            continue
        append_line(path, result)
        print(f"{i + 1}/{len(missing)} {_line(judged(result))}", flush=True)


def _line(cell: Cell) -> str:
    """Return a line with a cell's settings and results."""
    rate = cell["attack_success_rate"]
    return (
        f"{cell['data']} {cell['attack']} {cell['target']} seed {cell['seed']}: "
        f"ASR {'-' if rate is None else round(rate)} %, {cell['verdict']} {cell['suspect']} z {cell['z']}, "
        f"{cell['seconds']} s"
    )


def main() -> None:
    """Measure, or write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.target_grid",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=RESULTS / "target_grid.jsonl")
    parser.add_argument("--data", choices=DATA, help="only this data set")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores when not given")
    parser.add_argument("--table", action="store_true", help="write the tables into docs/target.md")
    options = parser.parse_args()
    if options.table:
        write_tables(read(options.results), sum(1 for _ in cells()), ROOT / "docs/target.md")
        return
    if options.threads:
        runtime.available_threads = lambda: options.threads
    run(options.results, options.data)


if __name__ == "__main__":
    main()
