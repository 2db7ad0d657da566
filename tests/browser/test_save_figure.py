"""A chart is saved as SVG, PNG and data from its own bar, and the saved command makes the figure again."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import figure_file
from tests.support.origins import own_copy

pytestmark = pytest.mark.slow

RUN = "20260101-000000-abcdef"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, recorded_run: Path) -> Path:
    """A runs folder that holds the recorded run under a fixed name."""
    root = tmp_path_factory.mktemp("runs")
    own_copy(recorded_run, root / RUN)
    return root


def _saved(page: Any, chart: Any, button: str, folder: Path) -> Path:
    chart.hover()
    with page.expect_download() as download:
        chart.locator(f'.modebar-btn[data-title^="{button}"]').click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_figure_is_saved_with_its_data_and_the_command_that_makes_it_again(
    server: Any, runs: Path, visit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit(f"{server.url}/paper?item=figure7", width=1280, height=900, expect_errors=True)
    chart = page.locator(".live-plot-chart").nth(2)
    chart.locator(".main-svg").first.wait_for()
    svg = _saved(page, chart, "Save as SVG", tmp_path)
    tree = ElementTree.fromstring(svg.read_text())
    inside = json.loads(tree.find(f"{SVG}metadata").text)
    assert (
        svg.name == "figure7c.svg"
        and tree.find(f"{SVG}title").text == inside["summary"]
        and tree.find(f"{SVG}desc").text == inside["command"]
    )
    assert len(tree.findall(f".//{SVG}path")) > 5

    data = json.loads(_saved(page, chart, "Save the data", tmp_path).read_text())
    assert data == inside and data["summary"].startswith("Loss discrepancy, altruistic minus main, of")
    monkeypatch.setenv("BSD_RUNS", str(runs))
    words = shlex.split(data["command"])
    words[words.index("--out") + 1] = str(tmp_path / "again.json")
    assert RUN in words and figure_file.main(words[3:]) == 0
    assert json.loads((tmp_path / "again.json").read_text())["data"] == data["data"]

    png = _saved(page, chart, "Save as PNG", tmp_path).read_bytes()
    width = int.from_bytes(png[16:20], "big")
    assert png.startswith(b"\x89PNG") and width == 2 * chart.evaluate("c => c.clientWidth")


@pytest.mark.parametrize("address", [f"/run?run={RUN}", f"/audit?run={RUN}", "/attacks"])
def test_every_page_has_charts_with_the_buttons(server: Any, visit: Callable, address: str) -> None:
    """Console errors are expected: Streamlit first requests files below the address of a page, which gives a 404."""
    page = visit(f"{server.url}{address}", width=1440, height=900, expect_errors=True)
    chart = page.locator(".live-plot-chart:has(.main-svg)").first
    chart.wait_for()
    assert chart.locator('.modebar-btn[data-title^="Save"]').count() == 3
