"""The page Tune against its time limits, in headless Chromium with software rendering.

    python -m benchmarks.tuning [engine] [drag] [scrub] [live] [--samples 50000] [--updates 100]

Without arguments all parts run, about five minutes. The runs are synthetic, say so, and are deleted afterwards.

* engine: the first split by `splits`, and the map of 21 x 21 alphas and betas
* drag: a cut is dragged; each drag event must be drawn, and the server's table must be right soon after the release
* scrub: changes of the epoch by the range input, with all columns loaded
* live: epochs are added while a user has zoomed, selected, pinned and gone to an epoch; and the bytes sent to a user
  who follows the newest epoch
"""

from __future__ import annotations

import argparse

from benchmarks.tuning.drag import drag
from benchmarks.tuning.engine import engine
from benchmarks.tuning.live import live
from benchmarks.tuning.scrub import scrub

PARTS = ("engine", "drag", "scrub", "live")


def main() -> None:
    """Measure the parts named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tuning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=[], choices=[*PARTS, []])
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--updates", type=int, default=100)
    given = parser.parse_args()
    parts = given.parts or PARTS
    if "engine" in parts:
        engine(given.samples)
    if "drag" in parts:
        drag(given.samples, 33)
        drag(10_000, 16)
    if "scrub" in parts:
        scrub(given.samples)
    if "live" in parts:
        live(given.samples, given.updates)


if __name__ == "__main__":
    main()
