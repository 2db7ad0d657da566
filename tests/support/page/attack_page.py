"""The page Attacks under AppTest."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.support.page.pages import ran


def to_page(app: AppTest, url_path: str = "attacks") -> AppTest:
    """The app after a click on a page; pages are functions, which AppTest knows by their hashes only."""
    app._page_hash = calc_hash(url_path)
    return ran(app)
