"""Descriptors and memory of a server after many pages were opened and closed.

    python -m benchmarks.sessions [--sessions 300] [--audits 100]      about three minutes on two cores

Each page is a session without a browser (tests.support.page.page_socket) that runs the script once and closes: first
pages of Run, then pages of Audit. The server is warmed up with a few of each, so that what it loads once is not
counted, and is read again when it should have ended the sessions of closed pages.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from app.server.web.sessions import KEPT_SECONDS
from benchmarks.common.memory import megabytes
from tests.support.audit_runs import recorded
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket

WARM_UP = 30
SETTLE_SECONDS = KEPT_SECONDS + 10


def descriptors(server: Dashboard) -> int:
    """Return the number of files, sockets and pipes that a server has open."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def resident(server: Dashboard) -> float:
    """Return the memory of a server, MB."""
    return megabytes("VmRSS", server.process.pid)


def open_and_close(server: Dashboard, page: str, run_id: str, sessions: int) -> tuple[int, float]:
    """Open that many pages one after the other; returns the most descriptors and the most memory (MB) on the way."""
    most_open, most_memory = 0, 0.0
    for _ in range(sessions):
        with PageSocket(server.port, f"run={run_id}", page=page) as opened:
            opened.rerun()
        most_open, most_memory = max(most_open, descriptors(server)), max(most_memory, resident(server))
    time.sleep(SETTLE_SECONDS)
    return most_open, most_memory


def measure(server: Dashboard, page: str, run_id: str, sessions: int) -> None:
    """Print the descriptors and the memory before, during and after that many sessions."""
    open_and_close(server, page, run_id, WARM_UP)
    before = descriptors(server), resident(server)
    begin = time.monotonic()
    most = open_and_close(server, page, run_id, sessions)
    took = time.monotonic() - begin - SETTLE_SECONDS
    after = descriptors(server), resident(server)
    change = [100 * (now / then - 1) for now, then in zip(after, before)]
    print(
        f"{sessions} sessions of {page} in {took:.0f} s: descriptors {before[0]} before, {most[0]} at most, "
        f"{after[0]} after ({change[0]:+.1f} %); memory {before[1]:.0f} MB before, {most[1]:.0f} MB at most, "
        f"{after[1]:.0f} MB after ({change[1]:+.1f} %)",
        flush=True,
    )


def main() -> None:
    """Read the options and measure both pages on one server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--audits", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_id = "20260101-000000-abcdef"
        recorded(Path(folder) / "runs" / run_id)
        with Dashboard(Path(folder) / "runs", Path(folder) / "log") as server:
            measure(server, "run", run_id, options.sessions)
            measure(server, "audit", run_id, options.audits)


if __name__ == "__main__":
    main()
