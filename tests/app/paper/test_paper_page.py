"""The page Paper without a browser: every figure and table opens, with and without runs; wrong URLs are reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.paper.figures import FIGURES
from app.paper.tables import TABLES
from bsd_engine.recordings import library
from tests.support.origins import own_copy
from tests.support.page.pages import html, ran

SCRIPT = """
import streamlit as st
from app.pages import paper
st.navigation([st.Page(paper.render, title="Paper", url_path="paper", default=True)]).run()
"""
ITEMS = [*(f"figure{number}" for number in FIGURES), *(f"table{number}" for number in TABLES)]


def _text(page: AppTest) -> str:
    """The texts of the page without the backslashes that escape markdown."""
    return "\n".join(element.value for element in [*page.markdown, *page.subheader, *page.code]).replace("\\", "")


@pytest.mark.parametrize("item", ITEMS)
def test_everything_opens_without_a_run_or_a_recording(
    open_page: Callable[..., AppTest], item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bsd_engine.recordings.library.names", lambda: ())
    page = open_page(item=item)
    assert item in page.query_params["item"]
    kind, number = (
        ("Figure", item.removeprefix("figure")) if item.startswith("figure") else ("Table", item.removeprefix("table"))
    )
    assert page.subheader[0].value.startswith(f"{kind} {number}:")
    assert "**In the paper:**" in _text(page) and "**What differs:**" in _text(page)
    if FIGURES.get(number) is not None and kind == "Figure" and FIGURES[number].slots:
        assert "python -m bsd_engine train" in _text(page)


def test_without_runs_of_the_user_a_recording_is_drawn(open_page: Callable[..., AppTest]) -> None:
    if "healthy" not in library.names():
        pytest.skip("there is no recording of a healthy run")
    page = open_page(item="figure7")
    assert page.selectbox[
        0
    ].value == "recording-healthy" and "recording-healthy: 6,000 images of Fashion-MNIST" in _text(page)
    assert not page.error and not page.code


def test_a_run_is_found_and_drawn(open_page: Callable[..., AppTest], root: Path, recorded_run: Path) -> None:
    own_copy(recorded_run, root / "20260101-000000-aaaaaa")
    page = open_page(item="figure7")
    assert page.selectbox[0].value == "20260101-000000-aaaaaa"
    assert (
        "1,000 images of Fashion-MNIST" in _text(page) and "seed 0" in _text(page) and "One run is drawn" in _text(page)
    )
    assert not page.error


def test_the_page_opens_with_the_truth_switched_off(
    open_page: Callable[..., AppTest], root: Path, recorded_run: Path
) -> None:
    own_copy(recorded_run, root / "20260101-000000-aaaaaa")
    page = open_page(item="figure5")
    page.toggle[0].set_value(False)
    ran(page)
    assert not page.exception and not page.error


def test_a_wrong_url_gives_a_sentence(open_page: Callable[..., AppTest]) -> None:
    page = open_page(item="figure99<b>")
    assert "There is no" in page.warning[0].value and page.subheader[0].value.startswith("Figure 7")


def test_a_table_has_the_papers_numbers_and_marks_ours(open_page: Callable[..., AppTest]) -> None:
    page = open_page(item="table6")
    shown = html(page)
    assert '<td class="is-paper">94.7 / 100.0 / 49.9</td>' in shown and 'scope="row">without selective drop' in shown
    assert 'class="is-ours"' in shown or "not run" in shown


def test_another_item_is_chosen(open_page: Callable[..., AppTest]) -> None:
    page = open_page(item="figure7")
    page.segmented_control[0].set_value("table10")
    ran(page)
    assert "table10" in page.query_params["item"] and page.subheader[0].value.startswith("Table 10")
