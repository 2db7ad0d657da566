"""Runs for the page Tune, and the page opened on one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.page.tune_views import make_runs, page_opener


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def tune(server: Any, visit: Callable) -> Callable[..., Any]:
    return page_opener(server, visit)
