"""Peak host memory of a paper preset on the CPU: the whole data set, both models, MixMatch iterations of f with g
beside it.

    BSD_DATA=FOLDER python -m benchmarks.paper_memory [PRESET] [ITERATIONS]

The defaults are paper-gtsrb and 20: about seven minutes on two cores, because one iteration of a ResNet-18 takes ten
seconds.
"""

from __future__ import annotations

import resource
import sys
import threading
import time

from bsd_engine.config.presets import preset
from bsd_engine.prepare.prepare import prepare
from bsd_engine.training.workload import Workload


def peak() -> str:
    """Return the peak memory of this process so far, as text."""
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


def main(name: str, iterations: int) -> None:
    """Print the peak memory after each part."""
    config = preset(name).with_settings(device="cpu", iterations=iterations)
    prepared = prepare(config)
    megabytes = prepared.nbytes / 1e6
    print(
        f"{len(prepared.labels)} training images, {megabytes:.0f} MB of images with the test parts: {peak()}",
        flush=True,
    )
    workload, over = Workload(config, prepared, scored=512), threading.Event()
    workload.score_main()
    workload.score_altruistic()
    print(f"512 images scored by both models: {peak()}", flush=True)

    def train_altruistic() -> None:
        while not over.is_set():
            workload.altruistic_update()

    g = threading.Thread(target=train_altruistic)
    g.start()
    begin = time.perf_counter()
    for _ in range(iterations):
        workload.main()
    over.set()
    g.join()
    print(f"{iterations} iterations of f with g beside it, {time.perf_counter() - begin:.0f} s: {peak()}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0] if given else "paper-gtsrb", int(given[1]) if len(given) > 1 else 20)
