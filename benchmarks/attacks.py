"""Measure the seconds that each attack takes to poison 50,000 images, and to put its trigger on all of them.

python -m benchmarks.attacks [SIDE] [COUNT]       default 32 50000; half a minute on two cores
"""

from __future__ import annotations

import sys

import torch

from benchmarks.common.timing import seconds_of
from bsd_engine import attacks


def main(side: int, count: int) -> None:
    """Print one row per attack: time to make it and poison at its own rate, and time to trigger all images."""
    shape = (3, side, side)
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 10
    print(f"{count} images of {side}x{side}, {torch.get_num_threads()} threads, seconds")
    print(f"{'attack':<18}{'poison':>8}{'trigger on all':>16}")
    for name in attacks.names():
        poison = seconds_of(lambda name=name: attacks.make(name, shape).poison(images, labels, None, 3, 0))
        attack = attacks.make(name, shape)
        trigger = seconds_of(lambda attack=attack: attack.apply(images))
        print(f"{name:<18}{poison:>8.2f}{trigger:>16.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 32, int(sys.argv[2]) if len(sys.argv) > 2 else 50_000)
