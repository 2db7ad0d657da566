"""Verdicts and cleaned sets of the preset `audit` on sets that were poisoned beforehand, with the truth put away.

    python -m benchmarks.audit_grid              measure the missing cells: about an hour on two cores
    python -m benchmarks.audit_grid --table      write the table into docs/audit.md, from the results so far

Each set is poisoned with settings that no rule was made on and saved without its truth; the run sees the file alone.
Then the truth is compared with the run's verdict, ranking and cleaned set, and the audit's network is trained plainly
on the found set and on the cleaned one. `--part 0/2 --threads 1` in one process and `--part 1/2 --threads 1` in another
share the work. CIFAR-10 and GTSRB must be in BSD_DATA.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.audit_grid.cells import NOISE_RATE, Cell, cells, poisoning
from benchmarks.audit_grid.table import write_table
from benchmarks.common.results import RESULTS, ROOT, append_line, read_lines
from benchmarks.suspects import area
from benchmarks.target_grid.cells import key
from bsd_engine.audit.export.report import report
from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.findings.cleaning import clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.compute import runtime
from bsd_engine.config.presets import audit
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.target.words import headline, sentence
from bsd_engine.training.undefended import train_undefended


def measure(cell: Cell) -> Cell:
    """Return the cell with its results."""
    poisoned, wrong = _with_noise(prepare(poisoning(cell)), cell)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        truth = _saved_without_truth(poisoned, root / "set.npz")
        config = audit().with_settings(data=f"npz:{root / 'set.npz'}", seed=cell["seed"])
        summary = record_run(config, root / "run")
        run = RunReader(root / "run")
        return {
            **cell,
            **_verdict(run, summary),
            **_ranking(run, truth if truth.any() else wrong, cell),
            **_cleaned(run, poisoned, truth, wrong, root),
            "seconds": summary["seconds"],
            "defended": [summary["clean_accuracy"]],
        }


def _with_noise(prepared: PreparedData, cell: Cell) -> tuple[PreparedData, np.ndarray]:
    """Return the data with wrong labels where the cell asks for them, and which labels are wrong, (N,) bool."""
    wrong = np.zeros(len(prepared.labels), bool)
    if cell["attack"] != "noise":
        return prepared, wrong
    draw, labels = np.random.default_rng(cell["seed"]), prepared.labels.clone()
    chosen = draw.choice(len(labels), int(NOISE_RATE * len(labels)), replace=False)
    shift = torch.from_numpy(draw.integers(1, prepared.num_classes, len(chosen)))
    labels[chosen] = (labels[chosen] + shift) % prepared.num_classes
    wrong[chosen] = True
    return replace(prepared, labels=labels), wrong


def _saved_without_truth(prepared: PreparedData, path: Path) -> np.ndarray:
    """Save images and given labels alone; returns the truth, (N,) bool."""
    assert prepared.test_images is not None and prepared.test_labels is not None, "both sources have a test part"
    np.savez(
        path,
        train_images=prepared.images.numpy(),
        train_labels=prepared.labels.numpy(),
        test_images=prepared.test_images.numpy(),
        test_labels=prepared.test_labels.numpy(),
        class_names=np.array(prepared.class_names),
    )
    return np.zeros(len(prepared.labels), bool) if prepared.is_poison is None else prepared.is_poison.numpy()


def _verdict(run: RunReader, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict, how it changed, and in how many places it is told otherwise."""
    history = RunHistory.of(run)
    told, text = history.verdict, sentence(history.verdict, run.class_names)
    assert told is not None, "the run is finished"
    first = next(a for a in alarms(history, suspects(history)) if a.kind == "attack")
    page = report(run, with_truth=False, history=history)
    places = (
        summary["verdict"] == text,
        first.title == headline(told, run.class_names) and first.sentence.startswith(text),
        headline(told, run.class_names) in page,
    )
    asked = [run.epoch(e).verdict for e in range(history.num_epochs)]
    return {
        "verdict": told["kind"],
        "suspect": told["classes"][0],
        "evidence": round(told["z"], 2),
        "clue": told["clue"],
        "agreeing": told["agreeing"],
        "rivals": told["rivals"],
        "told_otherwise": places.count(False),
        "asked": [(v["kind"], v["classes"][0], round(v["z"], 2)) for v in asked if v is not None],
    }


def _ranking(run: RunReader, sought: np.ndarray, cell: Cell) -> dict[str, Any]:
    """Return how well the ranking tells poison, or wrong labels, from the rest."""
    history = RunHistory.of(run)
    ranking, n = suspects(history), int(sought.sum())
    return {
        "defended_class": history.pseudo_target,
        "sought": n,
        "auroc": round(area(ranking.score, sought), 4) if n else None,
        "precision": round(float(sought[ranking.order[:n]].mean()), 4) if n else None,
    }


def _cleaned(
    run: RunReader, poisoned: PreparedData, truth: np.ndarray, wrong: np.ndarray, root: Path
) -> dict[str, Any]:
    """Return what each rule keeps, and the rates of plain training on the found set and on the default's."""
    history = RunHistory.of(run)
    ranking, result = suspects(history), {}
    for rule in ("strict", "balanced", "generous", "pool"):
        chosen = clean(history, ranking, {}, rule)
        keep = chosen.keep
        result[rule] = {
            "kept": int(keep.sum()),
            "poison_left": int((keep & truth).sum()),
            "estimated_left": round(chosen.poison_left, 1),
            "clean_lost": int((~keep & ~truth).sum()),
            "estimated_lost": round(chosen.clean_lost, 1),
            "wrong_left": int((keep & wrong).sum()),
            "starving": len(chosen.starving),
        }
    keep = clean(history, ranking, {}).keep
    found = _plain(poisoned, root / "found")
    return {
        **result,
        "plain_found": found,
        "plain_cleaned": found if keep.all() else _plain(_kept(poisoned, keep), root / "kept"),
    }


def _kept(prepared: PreparedData, keep: np.ndarray) -> PreparedData:
    chosen = torch.from_numpy(keep)
    return replace(prepared, images=prepared.images[chosen], labels=prepared.labels[chosen])


def _plain(prepared: PreparedData, folder: Path) -> list[float | None]:
    """Return clean accuracy and attack success rate of plain training."""
    summary = train_undefended(audit(), folder, prepared=prepared)
    return [summary["clean_accuracy"], summary["attack_success_rate"]]


def run_cells(path: Path, part: int, parts: int) -> None:
    """Measure the missing cells of a part and print one line each."""
    known = {key(cell) for cell in read_lines(path)}
    for i, cell in enumerate(cells()):
        if i % parts != part or key(cell) in known:
            continue
        result = measure(cell)
        append_line(path, result)
        print(_line(result), flush=True)


def _line(cell: Cell) -> str:
    """Return a line with a cell's settings and results."""
    return (
        f"{cell['data']} {cell['attack']} {cell['target']} seed {cell['seed']}: {cell['verdict']} {cell['suspect']} "
        f"({cell['evidence']}, {cell['clue']}), AUROC {cell['auroc']}, left {cell['balanced']['poison_left']} of "
        f"{cell['sought']}, lost {cell['balanced']['clean_lost']}, plain {cell['plain_found']} -> "
        f"{cell['plain_cleaned']}, {cell['seconds']:.0f} s"
    )


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit_grid",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=RESULTS / "audit_grid.jsonl")
    parser.add_argument("--part", default="0/1", help="K/M: every M-th cell from the K-th on")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores when not given")
    parser.add_argument("--table", action="store_true", help="write the table into docs/audit.md")
    options = parser.parse_args()
    if options.table:
        write_table(list(read_lines(options.results)), ROOT / "docs/audit.md")
        return
    if options.threads:
        runtime.available_threads = lambda: options.threads
    part, parts = (int(number) for number in options.part.split("/"))
    run_cells(options.results, part, parts)


if __name__ == "__main__":
    main()
