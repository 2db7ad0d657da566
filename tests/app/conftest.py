"""Fixtures for the tests of the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.page.attack_page import to_page
from tests.support.page.pages import ran


@pytest.fixture
def attack_page(open_page: Callable[..., AppTest]) -> AppTest:
    """The page Attacks on 200 images, for test modules whose SCRIPT is the whole app."""
    app = open_page()
    app.selectbox(key="new_preset").set_value("smoke")
    return to_page(ran(app))
