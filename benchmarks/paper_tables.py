"""Our numbers for Tables 1, 2, 4, 6, 7, 10 and 12 and Figures 3 and 10 of the paper, shown on the page Paper.

    python -m benchmarks.paper_tables TABLE [--rows R ...] [--columns C ...] [--defenses none bsd] [--seeds 0] [--list]

TABLE is 1, 2, 4, 6, 7, 10, 12, figure3 or figure10. Each cell is one run with BSD (two to four minutes on two cores)
and one without a defence, which cells with the same attack share. Each result is one line of
benchmarks/results/paper_tables.jsonl. Results in that file or in attack_table.jsonl are not measured again: to repeat
one, remove its line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.paper.cells import NO_ATTACK, Cell, cells
from app.paper.results import RESULTS, recorded_results
from benchmarks.common.results import SUMMARY_KEYS, append_line
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError
from bsd_engine.method.scoring import hit_rate
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.record import load_checkpoint, record_run
from bsd_engine.training.trainer import BSDTrainer
from bsd_engine.training.undefended import train_undefended


def data_of(config: BSDConfig) -> PreparedData:
    """Return the data of a run; unpoisoned data are also tested with the trigger of BadNets, as in Appendix D.5."""
    prepared = prepare(config)
    if config.attack.attack != NO_ATTACK:
        return prepared
    triggered = prepare(config.with_settings(attack="badnets"))
    return replace(prepared, triggered_images=triggered.triggered_images, triggered_labels=triggered.triggered_labels)


def robust_accuracy(folder: Path, config: BSDConfig, prepared: PreparedData) -> float | None:
    """Return RA: share of the triggered test images that the main model still classifies correctly, percent."""
    if prepared.test_labels is None or prepared.triggered_images is None:
        return None
    trainer = BSDTrainer(config, prepared, checkpoint=load_checkpoint(folder))
    shown = prepared.test_labels
    if len(shown) != len(prepared.triggered_images):
        shown = shown[shown != config.attack.target_label]
    return hit_rate(
        trainer.averaged,
        prepared.triggered_images.to(trainer.steps.runtime.device),
        shown.to(trainer.steps.runtime.device),
        trainer.steps.normalize,
        trainer.steps.runtime,
    )


def measure(cell: Cell, defense: str, seed: int) -> dict[str, Any]:
    """Train, append the result, and return it."""
    cell = cell if defense == "bsd" else replace(cell, settings={})
    config = cell.config(seed)
    prepared = data_of(config)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        summary = (
            record_run(config, run, prepared=prepared)
            if defense == "bsd"
            else train_undefended(config, run, prepared=prepared)
        )
        extra = {"robust_accuracy": robust_accuracy(run, config, prepared)} if defense == "bsd" else {}
    preset, attack, target, _, settings = cell.key(defense)
    result = {
        "preset": preset,
        "attack": attack,
        "target": target,
        "defense": defense,
        "settings": json.loads(settings),
        "seed": seed,
        "digest": cell.digest(),
        **{name: summary[name] for name in SUMMARY_KEYS},
        **extra,
    }
    append_line(RESULTS, result)
    return result


def missing(cell: Cell, seed: int) -> list[str]:
    """Return the kinds of training that a cell lacks, undefended training first."""
    known = recorded_results()
    return [defense for defense in ("none", "bsd") if seed not in known.get(cell.key(defense), {})]


def main() -> None:
    """Run the missing cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("--rows", nargs="+")
    parser.add_argument("--columns", nargs="+")
    parser.add_argument("--defenses", nargs="+", choices=("none", "bsd"), default=["none", "bsd"])
    parser.add_argument("--preset", default="demo", help="the preset used in place of CIFAR-10")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--list", action="store_true", help="print the missing cells, and run nothing")
    given = parser.parse_args()
    for seed in given.seeds:
        for (row, column), cell in cells(given.table, given.preset).items():
            if (given.rows and row not in given.rows) or (given.columns and column not in given.columns):
                continue
            for defense in (defense for defense in missing(cell, seed) if defense in given.defenses):
                if given.list:
                    print(f"table {given.table}, {row}, {column}, seed {seed}: {cell.command(seed, defense)}")
                    continue
                try:
                    print(json.dumps(measure(cell, defense, seed)), flush=True)
                except BSDError as error:
                    print(f"{row}, {column}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
