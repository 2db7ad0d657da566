"""Measure how well the suspect score ranks poison: train the demo with BadNets and Blended, three seeds each, or read
finished runs.

    python -m benchmarks.suspects                 # 6 runs of the demo, about 15 minutes on two cores
    python -m benchmarks.suspects runs/a runs/b   # these run folders, whose ground truth is known

The ground truth is read only for the measurement. AUROC: how often a poisoned sample has a larger score than a clean
one. Precision: share of poisoned samples among the n most suspect, where n is the number of poisoned samples.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from bsd_engine.audit.findings.apart import stands_apart
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.config.presets import demo
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run


def area(scores: np.ndarray, is_poison: np.ndarray) -> float:
    """Return the area under the ROC curve, from ranks; ties get their mean rank."""
    _, rank, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[rank]
    count = int(is_poison.sum())
    return float((mean_rank[is_poison].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def line(folder: Path) -> str:
    """Return a line with the numbers of one run."""
    run = RunReader(folder)
    history, truth = RunHistory.of(run), run.truth
    if truth is None:
        return f"{folder.name:<24} the ground truth is unknown"
    ranking, is_poison = suspects(history), truth.is_poison
    n = int(is_poison.sum())
    apart = int(stands_apart(history, ranking).sum())
    kept = int((ranking.in_pool & is_poison).sum())
    return (
        f"{run.config.attack.attack:<10} seed {run.config.seed}  "
        f"target {history.pseudo_target} (true {run.config.attack.target_label})  "
        f"AUROC {area(ranking.score, is_poison):.4f}  precision {is_poison[ranking.order[:n]].mean():.3f}  "
        f"poison {n}, apart {apart}, in the pool {kept}"
    )


def main(folders: list[str]) -> None:
    """Print one line per run."""
    if folders:
        for folder in folders:
            print(line(Path(folder)), flush=True)
        return
    with tempfile.TemporaryDirectory() as runs:
        for attack in ("badnets", "blended"):
            for seed in range(3):
                folder = Path(runs) / f"{attack}-{seed}"
                record_run(demo().with_settings(attack=attack, seed=seed), folder)
                print(line(folder), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
