"""Fixtures: the writer and a reader of a run folder with three epochs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.small_runs import create, warmup_state


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RunWriter]:
    """The writer of a run folder with three epochs."""
    with create(tmp_path / "run") as open_writer:
        for epoch in range(3):
            open_writer.epoch(warmup_state(epoch))
        yield open_writer


@pytest.fixture
def reader(writer: RunWriter) -> RunReader:
    """A reader of the same folder."""
    return RunReader(writer.path)
