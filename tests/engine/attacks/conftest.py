"""Fixtures of the tests of attacks."""

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("BSD_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "crafted"
