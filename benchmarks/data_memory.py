"""Time and peak memory of preparing a data set for training: the first opening, which decodes, and the second.

    python -m benchmarks.data_memory gtsrb                       (below BSD_DATA)
    python -m benchmarks.data_memory generated --images 6000     (30 classes of 224x224 JPEGs in a temporary folder)

RssAnon is the process's own memory; RssFile is memory of file pages, which the system reclaims when it needs it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common.memory import megabytes
from benchmarks.common.results import ROOT
from bsd_engine.config.presets import demo
from bsd_engine.prepare.prepare import prepare
from bsd_engine.prepare.report import report

SIDE = 224
CLASSES = 30
UNIQUE = 200  # different images per class


class PeakMemory(threading.Thread):
    """The largest RssAnon and RssFile since the start of this thread, MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.anonymous = self.file = 0.0

    def run(self) -> None:
        while True:
            self.anonymous = max(self.anonymous, megabytes("RssAnon"))
            self.file = max(self.file, megabytes("RssFile"))
            time.sleep(0.02)


def open_here(spec: str, side: int | None, with_report: bool) -> None:
    """Prepare a data set in this process, and print the time and memory used."""
    imports, imports_anonymous = megabytes("VmRSS"), megabytes("RssAnon")
    peak = PeakMemory()
    peak.start()
    config = demo().with_settings(data=spec, limit=None, device="cpu")
    started = time.perf_counter()
    prepared = prepare(config if side is None else config.with_settings(image_size=side))
    seconds = time.perf_counter() - started
    print(
        f"{tuple(prepared.images.shape)}, {prepared.images.nbytes / 1e6:.0f} MB: {seconds:.1f} s; "
        f"VmHWM {megabytes('VmHWM'):.0f} MB, of that {imports:.0f} MB imports; peak RssAnon {peak.anonymous:.0f} MB "
        f"({imports_anonymous:.0f} MB imports), peak RssFile {peak.file:.0f} MB; fingerprint {prepared.fingerprint}"
    )
    if with_report:
        started = time.perf_counter()
        lines = report(prepared).lines()
        print(f"report: {time.perf_counter() - started:.1f} s, peak RssAnon {peak.anonymous:.0f} MB")
        print("\n".join(lines))


def open_twice(spec: str, *options: str, **environment: str) -> None:
    """Print the results of two openings, each in a new process."""
    command = [sys.executable, "-m", "benchmarks.data_memory", spec, "--here", *options]
    for which in ("first", "second"):
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment, check=False
        )
        print(f"{which}: {done.stdout.strip() or done.stderr.strip()}", flush=True)


def write_class(folder: Path, label: int, count: int) -> None:
    """Write one class of noisy colour gradients; after the first 200, the same files follow under other names."""
    rng = np.random.default_rng(label)
    folder.mkdir(parents=True)
    for i in range(min(count, UNIQUE)):
        coarse = rng.integers(0, 256, (14, 14, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        noisy = (smooth + rng.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i}.jpg", quality=85)
    for i in range(UNIQUE, count):
        os.link(folder / f"{i % UNIQUE}.jpg", folder / f"{i}.jpg")


def generate(folder: Path, images: int) -> None:
    """Write `images` images, and print their total size."""
    with ProcessPoolExecutor() as pool:
        folders = [folder / f"{c:02d}" for c in range(CLASSES)]
        list(pool.map(write_class, folders, range(CLASSES), [images // CLASSES] * CLASSES))
    print(f"{sum(p.stat().st_size for p in folder.rglob('*.jpg')) / 1e6:.0f} MB of JPEG files")


def main() -> None:
    """Print one line per opening."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a SPEC, or generated")
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--report", action="store_true", help="also the report on the data")
    parser.add_argument("--here", action="store_true", help="open once, in this process")
    parser.add_argument("--side", type=int, help="with --here: pixels per side; the data's own when not given")
    options = parser.parse_args()
    if options.here:
        open_here(options.data, options.side, options.report)
        return
    more = ["--report"] * options.report
    if options.data != "generated":
        open_twice(options.data, *more)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "images", options.images)
        open_twice(f"folder:{Path(folder) / 'images'}", "--side", str(SIDE), *more, BSD_DATA=folder)


if __name__ == "__main__":
    main()
