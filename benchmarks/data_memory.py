"""Time and peak memory of making a data set ready for training: the first opening, which decodes, and the second.

    python benchmarks/data_memory.py gtsrb                       (below BSD_DATA)
    python benchmarks/data_memory.py generated --images 6000     (30 classes of 224x224 JPEGs in a temporary folder)

RssAnon is memory of the process's own; RssFile are pages of files, which the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIDE = 224
UNIQUE = 200  # images of a class

CHILD = """
import re, sys, threading, time
sys.path.insert(0, sys.argv[3])
from bsd_engine import preflight, presets

def resident():
    return {k: int(v) / 1024 for k, v in re.findall(r"(VmHWM|VmRSS|RssAnon|RssFile):\\s+(\\d+)", open("/proc/self/status").read())}

peak = {"RssAnon": 0.0, "RssFile": 0.0}
def watch():
    while True:
        now = resident()
        for key in peak:
            peak[key] = max(peak[key], now[key])
        time.sleep(0.02)

before = resident()
threading.Thread(target=watch, daemon=True).start()
settings = {"data": sys.argv[1], "limit": None, "device": "cpu"} | ({"image_size": int(sys.argv[2])} if int(sys.argv[2]) else {})
started = time.perf_counter()
prepared = preflight.prepare(presets.demo().with_settings(**settings))
seconds, now = time.perf_counter() - started, resident()
print(f"{tuple(prepared.images.shape)}, {prepared.images.nbytes / 1e6:.0f} MB: {seconds:.1f} s; VmHWM {now['VmHWM']:.0f} MB, of that "
      f"{before['VmRSS']:.0f} MB imports; peak RssAnon {peak['RssAnon']:.0f} MB ({before['RssAnon']:.0f} MB imports), "
      f"peak RssFile {peak['RssFile']:.0f} MB; "
      f"fingerprint {prepared.fingerprint}")
if "--report" in sys.argv:
    started = time.perf_counter()
    lines = preflight.report(prepared).lines()
    print(f"report: {time.perf_counter() - started:.1f} s, peak RssAnon {peak['RssAnon']:.0f} MB")
    print("\\n".join(lines))
"""


def write_class(folder: Path, label: int, count: int) -> None:
    """Write one class of noisy colour gradients; after the first 200 the same files again, under other names."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(label)
    folder.mkdir(parents=True)
    for i in range(min(count, UNIQUE)):
        coarse = rng.integers(0, 256, (14, 14, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        noisy = (smooth + rng.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i}.jpg", quality=85)
    for i in range(UNIQUE, count):
        os.link(folder / f"{i % UNIQUE}.jpg", folder / f"{i}.jpg")


def measure(spec: str, size: int, *options: str, **environment: str) -> None:
    """Two openings, each in a process of its own."""
    for which in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, spec, str(size), str(ROOT), *options],
            capture_output=True,
            text=True,
            env=os.environ | environment,
            check=False,
        )
        print(f"{which}: {done.stdout.strip() or done.stderr.strip()}", flush=True)


def main() -> None:
    """Print one line an opening."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a SPEC, or generated")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    more = ["--report"] * options.report
    if options.data != "generated":
        measure(options.data, 0, *more)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "images"
        with ProcessPoolExecutor() as pool:
            list(pool.map(write_class, [root / f"{c:02d}" for c in range(30)], range(30), [options.images // 30] * 30))
        print(f"{sum(p.stat().st_size for p in root.rglob('*.jpg')) / 1e6:.0f} MB of JPEG files")
        measure(f"folder:{root}", SIDE, *more, BSD_DATA=folder)


if __name__ == "__main__":
    main()
