"""Peak host memory of a paper preset on the CPU: the whole data set, both models, MixMatch iterations of f with g beside it.

    BSD_DATA=FOLDER python benchmarks/paper_memory.py [PRESET] [ITERATIONS]

defaults paper-gtsrb 20: some seven minutes on two cores, since one iteration of a ResNet-18 takes ten seconds there.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bsd_engine.config.presets import preset
from bsd_engine.prepare.prepare import prepare
from bsd_engine.training.workload import Workload


def peak() -> str:
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


def main(name: str, iterations: int) -> None:
    """Print the peak after each part."""
    config = preset(name).with_settings(device="cpu", iterations=iterations)
    prepared = prepare(config)
    print(
        f"{len(prepared.labels)} training images, {prepared.nbytes / 1e6:.0f} MB of images with the test parts: {peak()}",
        flush=True,
    )
    works, over = Workload(config, prepared, scored=512), threading.Event()
    works.score_main()
    works.score_altruistic()
    print(f"512 images scored by both models: {peak()}", flush=True)

    def beside() -> None:
        while not over.is_set():
            works.altruistic_update()

    g = threading.Thread(target=beside)
    g.start()
    begin = time.perf_counter()
    for _ in range(iterations):
        works.main()
    over.set()
    g.join()
    print(f"{iterations} iterations of f with g beside it, {time.perf_counter() - begin:.0f} s: {peak()}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0] if given else "paper-gtsrb", int(given[1]) if len(given) > 1 else 20)
