"""Fixtures: a recording of a short run, and a cache folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsd_engine.recordings.pack import pack
from tests.support.recordings import CARD


@pytest.fixture(scope="session")
def file(recorded_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a run of 1,000 samples; no test may write to it."""
    return pack(recorded_run, tmp_path_factory.mktemp("packed") / "short.bsdrec", CARD)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "recordings"
