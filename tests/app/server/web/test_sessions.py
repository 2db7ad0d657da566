"""Sessions of closed pages: a page that comes back finds its own, and the others give back what they held."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.server.web.sessions import KEPT_SECONDS, MOST_KEPT
from tests.support.fake_run import fake_run
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket

LIMIT = 256
"""Descriptors that macOS gives a program by default."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard with one run, and no more descriptors than the limit."""
    folder = tmp_path_factory.mktemp("server")
    fake_run(folder / "runs", epochs=2, samples=60)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))  # the server inherits it
    try:
        dashboard = Dashboard(folder / "runs", folder / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with dashboard:
        yield dashboard


def descriptors(server: Dashboard) -> int:
    """Files, sockets and pipes that the server has open."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true in that time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_no_page_fails_after_many_were_closed_and_all_descriptors_come_back(server: Dashboard) -> None:
    """Three descriptors of each closed page were kept for two minutes: the 83rd page failed."""
    before, most = descriptors(server), 0
    for _ in range(110):
        with PageSocket(server.port) as page:
            page.rerun()
            assert page.session_id
        most, closed = max(most, descriptors(server)), time.monotonic()
    assert most <= before + 3 * MOST_KEPT + 20
    assert within(KEPT_SECONDS + 20, lambda: descriptors(server) <= before + 2), descriptors(server)
    time.sleep(max(0.0, closed + KEPT_SECONDS + 2 - time.monotonic()))  # a session may hold fewer descriptors than 3
    with PageSocket(server.port, session=page.session_id) as late:
        late.rerun()
    assert late.session_id != page.session_id, "its session has ended"


def test_a_page_that_lost_its_connection_finds_its_session(server: Dashboard) -> None:
    with PageSocket(server.port) as page:
        page.rerun()
    with PageSocket(server.port, session=page.session_id) as again:
        again.rerun()
    assert again.session_id == page.session_id != ""
