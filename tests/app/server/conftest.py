"""The real server with one run, for tests that ask it over HTTP or its WebSocket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fake_run import fake_run
from tests.support.page.dashboard import RUN, Dashboard


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard as the README starts it, on a free port, with the tests' token."""
    folder = tmp_path_factory.mktemp("server")
    fake_run(folder / "runs", epochs=2, samples=60, run_id=RUN)
    with Dashboard(folder / "runs", folder / "log") as dashboard:
        yield dashboard
