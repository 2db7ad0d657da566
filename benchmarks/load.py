"""Many viewers of one live run, and one viewer for a long time: delays of ticks, and cost in training time and memory.

    python -m benchmarks.load watch [--viewers 20] [--preset demo] [--settle 30]     about eight minutes on two cores
    python -m benchmarks.load replay [--ticks 28800]     a tick is a second of watching: eight hours

Viewers are pages without a browser (tests.support.page.page_socket) in this process: each holds its connection and
requests its fragments when their timers fire, as a browser does, but draws nothing. They share the cores with the
server, so the measured delays are rather high.

watch trains the preset twice, each time in a new server, watched by one page and by many pages, and compares the
seconds of the runs. replay watches a synthetic run that never ends, as fast as the server answers, and compares the
server's memory in both halves.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from app.server.web.sessions import KEPT_SECONDS
from benchmarks.common.memory import megabytes
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, LiveFakeRun
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket


def resident(server: Dashboard) -> float:
    """Return the memory of a server, MB."""
    return megabytes("VmRSS", server.process.pid)


class Viewer(threading.Thread):
    """A page that is watched until it is stopped."""

    def __init__(self, port: int, query: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.page, self.over = PageSocket(port, query), over
        self.delays: list[float] = []
        self.problem = ""

    def run(self) -> None:
        try:
            self.page.rerun()
            while not self.over.is_set() and self.page.timers:
                for fragment, interval in list(self.page.timers.items()):
                    taken = self.page.rerun(fragment=fragment)
                    self.delays.append(taken)
                    self.over.wait(max(0.0, interval - taken))
        except (OSError, AssertionError) as error:
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self.page.close()


def watched(folder: Path, preset: str, viewers: int, settle: float) -> dict[str, float]:
    """Return the measurements of one run of a preset, watched by that many pages."""
    folder.mkdir()
    over = threading.Event()
    with Dashboard(folder / "runs", folder / "log") as server:
        with PageSocket(server.port) as page:
            page.rerun()
            page.rerun(choose=("Preset", preset))
            page.rerun(press="Start")
        while not (epochs := list(server.runs.glob("*/epochs/00002.npz"))):
            time.sleep(0.2)
        path = epochs[0].parents[1]
        watching = [Viewer(server.port, f"run={path.name}", over) for _ in range(viewers)]
        alone = resident(server)
        for viewer in watching:
            viewer.start()
        most = alone
        while not (path / "summary.json").exists():
            most = max(most, resident(server))
            time.sleep(0.5)
        over.set()
        for viewer in watching:
            viewer.join(60)
        time.sleep(settle)  # the server keeps the session of a closed tab for a moment
        after = resident(server)
    for problem in {viewer.problem for viewer in watching if viewer.problem}:
        print(f"a viewer ended early: {problem}")
    delays = sorted(delay for viewer in watching for delay in viewer.delays)
    summary = RunReader(path).summary
    assert summary is not None, "the loop above waits for it"
    return {
        "seconds": summary["seconds"],
        "ticks": len(delays),
        "p50": statistics.median(delays),
        "p95": delays[int(0.95 * (len(delays) - 1))],
        "alone": alone,
        "most": most,
        "after": after,
    }


def watch(viewers: int, preset: str, settle: float) -> None:
    """Print the results of both runs, and the cost of many viewers."""
    with tempfile.TemporaryDirectory() as folder:
        results = {n: watched(Path(folder) / str(n), preset, n, settle) for n in (1, viewers)}
    for n, m in results.items():
        print(
            f"{n:>3} viewers: run {m['seconds']:.1f} s; {m['ticks']:.0f} ticks, p50 {m['p50']:.2f} s, "
            f"p95 {m['p95']:.2f} s; memory {m['alone']:.0f} MB before, {m['most']:.0f} MB at most, "
            f"{m['after']:.0f} MB after",
            flush=True,
        )
    one, many = results[1], results[viewers]
    growth = ((many["most"] - many["alone"]) - (one["most"] - one["alone"])) / max(1, viewers - 1)
    print(f"training slows by {100 * (many['seconds'] / one['seconds'] - 1):.1f} %; a viewer adds {growth:.1f} MB")


def replay(ticks: int) -> None:
    """Print the server's memory during a long watch."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs = Path(folder) / "runs"
        runs.mkdir()
        long_run = CONFIG.with_settings(t2=9000, t3=9030)
        live = stack.enter_context(LiveFakeRun(runs, epochs=9000, seconds=max(0.5, ticks / 8000), config=long_run))
        server = stack.enter_context(Dashboard(runs, Path(folder) / "log"))
        page = stack.enter_context(PageSocket(server.port, f"run={live.path.name}"))
        while not list(live.path.glob("epochs/00010.npz")):
            time.sleep(0.1)
        page.rerun()
        samples: list[float] = []
        for tick in range(ticks):
            for fragment in page.timers:
                page.rerun(fragment=fragment)
            if tick % max(1, ticks // 20) == 0:
                samples.append(resident(server))
                print(
                    f"{tick:>7} ticks: {samples[-1]:.0f} MB, {len(list(live.path.glob('epochs/*.npz')))} epochs",
                    flush=True,
                )
    settled = samples[len(samples) // 5 :]
    half = len(settled) // 2
    before, after = (statistics.mean(part) for part in (settled[:half], settled[half:]))
    print(
        f"memory: {before:.0f} MB in the first half, {after:.0f} MB in the second ({100 * (after / before - 1):+.1f} %)"
    )


def main() -> None:
    """Read the options and run the chosen benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("watch")
    watching.add_argument("--viewers", type=int, default=20)
    watching.add_argument("--preset", default="demo", help="start of the preset's name in the list")
    watching.add_argument(
        "--settle",
        type=float,
        default=KEPT_SECONDS + 10,
        help="seconds between the end of the run and the last reading of memory",
    )
    commands.add_parser("replay").add_argument("--ticks", type=int, default=8 * 3600)
    options = parser.parse_args()
    if options.command == "watch":
        watch(options.viewers, options.preset, options.settle)
    else:
        replay(options.ticks)


if __name__ == "__main__":
    main()
