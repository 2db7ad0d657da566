"""Which target label each estimator names after the demo's altruistic warm-up, for every target.

    python benchmarks/target_label.py [ATTACK] [SEED]       default badnets 0; about two minutes on two cores
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bsd_engine import target  # noqa: E402
from bsd_engine.events import EpochFinished  # noqa: E402
from bsd_engine.presets import demo  # noqa: E402
from bsd_engine.trainer import BSDTrainer  # noqa: E402


def estimates(attack: str, label: int, seed: int) -> tuple[int, int]:
    """Probability floor and the paper's vote after the last warm-up epoch."""
    config = demo().with_settings(attack=attack, target_label=label, seed=seed)
    counts, floor = [], -1
    for event in BSDTrainer(config).run():
        if isinstance(event, EpochFinished):
            counts.append(torch.from_numpy(event.state.vote_counts.copy()))
            floor = event.state.pseudo_target
            if event.state.epoch == config.schedule.altruistic_epochs - 1:
                break
    return floor, int(target.second_logit_votes(torch.stack(counts)).argmax())


def main(attack: str, seed: int) -> None:
    """Print one row a target."""
    right = [0, 0]
    print(f"{'target':>6}{'floor':>7}{'vote':>6}")
    for label in range(10):
        found = estimates(attack, label, seed)
        right = [r + (f == label) for r, f in zip(right, found)]
        print(f"{label:>6}{found[0]:>7}{found[1]:>6}", flush=True)
    print(f"right of 10: probability floor {right[0]}, paper's vote {right[1]}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "badnets", int(sys.argv[2]) if len(sys.argv) > 2 else 0)
