"""A rerun of every page with few and with many runs in the list, and with very many files in the shown run's folder.

    python -m benchmarks.many_runs [--runs 2000] [--files 200000] [--reruns 7]     about four minutes on two cores

Each number is a median over reruns of the whole script in a real server, by a page without a browser
(tests.support.page.page_socket). The shown run is the same throughout; the others are copies of a synthetic one.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks.common.timing import report
from bsd_engine.runs.origin.provenance import write_signature
from tests.support.audit_runs import recorded
from tests.support.fake_run import fake_run
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket

PAGES = {"": "Learn", "run": "Run", "tune": "Tune", "audit": "Audit", "attacks": "Attacks", "bench": "Trigger bench"}
PAGES["paper"] = "Paper"
SHOWN = "20300101-000000-shown0"
FEW = 10
MOST_MORE_SECONDS = 0.5


def add_copies(source: Path, runs: Path, numbers: range) -> None:
    """Add copies of a run folder that count as this installation's own."""
    for number in numbers:
        shutil.copytree(source, copy := runs / f"20260101-{number:06d}-copy00")
        write_signature(copy)


def add_files(run: Path, number: int) -> None:
    """Add empty files to the folders of a run that pages list, none of which a run has written."""
    for folder in ("epochs", "maps", "checkpoints", "."):
        (run / folder).mkdir(exist_ok=True)
        for i in range(number // 4):
            (run / folder / f"{i:07d}.junk").touch()


def seconds_of_pages(runs: Path, log: Path, reruns: int) -> dict[str, tuple[float, float]]:
    """Return the seconds of the first script run of each page, and the median of its reruns."""
    found = {}
    with Dashboard(runs, log) as server:
        for page, name in PAGES.items():
            with PageSocket(server.port, f"run={SHOWN}", page=page, timeout=300) as socket:
                first = socket.rerun()
                found[name] = first, statistics.median(socket.rerun() for _ in range(reruns))
    return found


def main(runs_number: int, files: int, reruns: int) -> None:
    """Print the seconds of each page with few runs, many runs and many files."""
    with tempfile.TemporaryDirectory() as folder:
        root, runs = Path(folder), Path(folder) / "runs"
        recorded(runs / SHOWN)
        source = fake_run(root, epochs=2, samples=60, run_id="source")
        add_copies(source, runs, range(FEW - 1))
        few = seconds_of_pages(runs, root / "log", reruns)
        add_copies(source, runs, range(FEW - 1, runs_number - 1))
        many = seconds_of_pages(runs, root / "log", reruns)
        shutil.rmtree(runs)
        recorded(runs / SHOWN)
        add_files(runs / SHOWN, files)
        full = seconds_of_pages(runs, root / "log", reruns)
    for name, (first, again) in few.items():
        print(f"{name}: first {1000 * first:,.0f} ms, rerun {1000 * again:,.0f} ms with {FEW} runs")
        for what, (other_first, other) in ((f"{runs_number:,} runs", many[name]), (f"{files:,} files", full[name])):
            text = f"  {what}, {other / again:.1f} times as long: first, rerun, more"
            numbers = (1000 * other_first, 1000 * other, 1000 * (other - again))
            report(text, f"{MOST_MORE_SECONDS:g} s more", *numbers, passed=other - again <= MOST_MORE_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--reruns", type=int, default=7)
    options = parser.parse_args()
    main(options.runs, options.files, options.reruns)
