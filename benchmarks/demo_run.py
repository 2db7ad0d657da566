"""The demo preset from the command line, with and without BSD: seconds of the whole process, peak memory, CA and ASR.

python -m benchmarks.demo_run [SEED ...]        default seeds 0 1 2; about two minutes a seed on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.results import ROOT


def measure(command: str, seed: int, folder: Path) -> dict[str, Any]:
    """Run one command in a new process; returns its summary with wall seconds and peak MB."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "bsd_engine", command, "--preset", "demo", "--seed", str(seed), "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} with seed {seed} failed with status {status}")
    summary = json.loads((folder / "summary.json").read_text())
    return {**summary, "wall": time.monotonic() - started, "peak_mb": usage.ru_maxrss / 1024}


def main(seeds: list[int]) -> None:
    """Print one row per run."""
    print(f"{'command':<12}{'seed':>5}{'wall s':>9}{'peak MB':>9}{'CA %':>8}{'ASR %':>8}  target")
    for seed in seeds:
        for command in ("train", "undefended"):
            with tempfile.TemporaryDirectory() as folder:
                run = measure(command, seed, Path(folder) / "run")
            target = f"{run['pseudo_target']} (true {run['true_target']})" if "pseudo_target" in run else ""
            rates = f"{run['clean_accuracy']:>8.2f}{run['attack_success_rate']:>8.2f}"
            print(f"{command:<12}{seed:>5}{run['wall']:>9.1f}{run['peak_mb']:>9.0f}{rates}  {target}", flush=True)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [0, 1, 2])
