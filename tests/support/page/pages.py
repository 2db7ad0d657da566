"""Pages under Streamlit's AppTest: opened, run again, and read as the browser would get them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

WHOLE_APP = Path(__file__).resolve().parents[3] / "streamlit_app.py"
"""The script of all pages; a module that tests one page alone has a script of its own, as text."""


def opened(script: str | Path, **query: str) -> AppTest:
    """The page of a script after its first run with an address, without an exception; of the whole app the page Run."""
    page = (AppTest.from_file if isinstance(script, Path) else AppTest.from_string)(str(script), default_timeout=60)
    if isinstance(script, Path):
        page._page_hash = calc_hash("run")  # AppTest knows pages that are functions by their hashes alone
    for name, value in query.items():
        page.query_params[name] = value
    return ran(page)


def ran(page: AppTest) -> AppTest:
    """The page after another script run, without an exception."""
    page.run()
    assert not page.exception, page.exception
    return page


def everything(page: AppTest) -> str:
    """All that the page sends to the browser, as one text: elements of every kind with their data, and the address."""

    def walk(block: Any) -> Iterator[str]:
        for child in block.children.values():
            if hasattr(child, "children"):
                yield from walk(child)
            yield str(child.proto) if hasattr(child, "proto") else ""

    return "\n".join([*walk(page._tree), repr(dict(page.query_params))])


def html(page: AppTest) -> str:
    """The texts that the page shows as HTML, but for its side bar."""
    return "\n".join(e.proto.body for e in page.main.get("html"))
