"""Many pages of one run look less often, each at its own time. Closed pages and those of other runs are not counted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from app.server.viewers import MOST_SECONDS, PRESENT_SECONDS, Viewers
from tests.support.fake_run import LiveFakeRun
from tests.support.page.dashboard import Dashboard
from tests.support.page.page_socket import PageSocket


@pytest.mark.parametrize(("pages", "seconds"), [(1, 1), (6, 1), (7, 2), (12, 2), (13, 3), (20, 3), (500, MOST_SECONDS)])
def test_more_pages_look_less_often(pages: int, seconds: float) -> None:
    viewers = Viewers(clock=lambda: 0.0)
    told = [viewers.seconds_between_looks("run", f"page {i}") for i in range(pages)]
    assert told[-1] == seconds and told == sorted(told)
    assert viewers.seconds_between_looks("run", "page 0") == seconds
    assert viewers.seconds_between_looks("another", "page 0") == 1


def test_closed_pages_are_forgotten() -> None:
    now = 0.0
    viewers = Viewers(clock=lambda: now)
    for i in range(20):
        viewers.seconds_between_looks("run", f"page {i}")
    now = PRESENT_SECONDS + 1
    assert viewers.seconds_between_looks("run", "page 0") == 1 and len(viewers._looks) == 1


def test_pages_of_a_live_run_are_told_when_more_come(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with ExitStack() as stack:
        live = stack.enter_context(LiveFakeRun(tmp_path / "runs", seconds=2))
        server = stack.enter_context(Dashboard(tmp_path / "runs", tmp_path / "log"))
        pages = [stack.enter_context(PageSocket(server.port, f"run={live.path.name}")) for _ in range(7)]
        for page in pages[:6]:
            page.rerun()
            assert set(page.timers.values()) == {1.0}
        pages[6].rerun()
        for _ in range(20):  # a busy machine may open seven pages too slowly for all of them to be there at once
            for page in pages:
                page.rerun(fragment=next(iter(page.timers)))
            if all(set(page.timers.values()) == {2.0} for page in pages):
                break
        assert [set(page.timers.values()) for page in pages] == [{2.0}] * 7
