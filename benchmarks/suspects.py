"""How well the suspect score ranks poison: trains the demo with BadNets and Blended, three seeds, or reads runs that are there.

    python benchmarks/suspects.py                 # 6 runs of the demo, about 15 minutes on two cores
    python benchmarks/suspects.py runs/a runs/b   # these run folders, whose truth is known

The truth is read here alone, to measure. AUROC: how often a poisoned sample has a larger score than a clean one; precision:
poisoned samples among the n most suspect, n being the number of poisoned ones.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bsd_engine.audit.gap import find_gap
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.config.presets import demo
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run


def area(scores: np.ndarray, is_poison: np.ndarray) -> float:
    """Area under the ROC curve from ranks, ties at their mean."""
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    bad = int(is_poison.sum())
    return float((mean_rank[is_poison].sum() - bad * (bad + 1) / 2) / (bad * (len(scores) - bad)))


def line(folder: Path) -> str:
    """The numbers of one run."""
    run = RunReader(folder)
    history, truth = RunHistory.of(run), run.truth
    if truth is None:
        return f"{folder.name:<24} the truth is unknown"
    found, is_poison = suspects(history), truth.is_poison
    n = int(is_poison.sum())
    judged = history.labels == history.pseudo_target
    gap = find_gap(found.score[judged])
    kept = int((found.in_pool & is_poison).sum())
    return (
        f"{run.config.attack.attack:<10} seed {run.config.seed}  target {history.pseudo_target} (true {run.config.attack.target_label})  "
        f"AUROC {area(found.score, is_poison):.4f}  precision {is_poison[found.order[:n]].mean():.3f}  "
        f"poison {n}, apart {gap.above if gap else '-'}, in the pool {kept}"
    )


def main(folders: list[str]) -> None:
    """Print a line for each run."""
    if folders:
        for folder in folders:
            print(line(Path(folder)), flush=True)
        return
    with tempfile.TemporaryDirectory() as place:
        for attack in ("badnets", "blended"):
            for seed in range(3):
                folder = Path(place) / f"{attack}-{seed}"
                record_run(demo().with_settings(attack=attack, seed=seed), folder)
                print(line(folder), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
