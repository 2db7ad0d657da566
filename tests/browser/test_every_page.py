"""Every page with hostile names: no exception box, no console error, no request that leaves the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import hostile_run

RUN = "20260101-000000-abcdef"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run in which every text is hostile."""
    root = tmp_path_factory.mktemp("runs")
    hostile_run(root, RUN)
    return root


def test_no_page_breaks_on_hostile_names(server: Any, visit: Callable) -> None:
    """`visit` fails the test for console errors and for requests to other machines."""
    page = visit(f"{server.url}/run?run={RUN}", width=1440, height=900)
    opened: list[str] = []
    page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    links = page.locator("[data-testid=stTopNavLink]")
    links.first.wait_for()
    names = links.all_inner_texts()
    assert len(names) >= 2
    for name in names:
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_timeout(4000)
        assert page.locator("[data-testid=stException]").count() == 0, name
        assert page.evaluate("window.broken") is None and opened == []
        assert page.locator("img[src=x], svg[onload], a[href*='evil.test']").count() == 0
