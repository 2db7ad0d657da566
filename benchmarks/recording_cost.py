"""What recording adds to training: the demo's epochs with and without a run folder, alternating, medians of the ratios.

    python benchmarks/recording_cost.py [ROUNDS]    default 3; each round trains the shortened demo twice
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bsd_engine.preflight import prepare  # noqa: E402
from bsd_engine.presets import demo  # noqa: E402
from bsd_engine.recorder import record_run  # noqa: E402
from bsd_engine.trainer import BSDTrainer  # noqa: E402


def main(rounds: int) -> None:
    """Print seconds and the median ratio."""
    config = demo().with_settings(altruistic_epochs=1, t1=2, init_epochs=1, t2=5, t3=7)
    prepared = prepare(config)
    ratios = []
    for i in range(rounds):
        seconds = {}
        for kind in ("bare", "recorded")[:: 1 if i % 2 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                if kind == "bare":
                    for _ in BSDTrainer(config, prepared).run():
                        pass
                else:
                    record_run(config, Path(folder) / "run", prepared=prepared)
                seconds[kind] = time.perf_counter() - started
        ratios.append(seconds["recorded"] / seconds["bare"])
        print(f"bare {seconds['bare']:.2f} s, recorded {seconds['recorded']:.2f} s, ratio {ratios[-1]:.3f}", flush=True)
    print(f"recording adds {100 * (statistics.median(ratios) - 1):.1f} % (median of {rounds})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
