"""The page Audit in a browser: a folder of unknown origin, from the first click to a cleaned folder and a report."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsd_engine.audit.findings.cleaning import clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.config.presets import smoke
from bsd_engine.data import dataset
from bsd_engine.prepare import export
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import choose, choose_smoke, until, wait_until_ran

pytestmark = pytest.mark.slow

TABLE = "[data-testid=stDataFrame]"


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a poisoned data set, without its list of poisoned files and its triggered images."""
    saved = tmp_path_factory.mktemp("saved") / "set"
    export.save(prepare(smoke().with_settings(attack="blended")), saved, "folder")
    folder = tmp_path_factory.mktemp("own") / "found <b>on the web"
    folder.mkdir()
    for part in ("train", "test"):
        (saved / part).rename(folder / part)
    for name in list((folder / "test").rglob("*.png"))[200:]:
        name.unlink()
    return folder


def train_on(page: Any, folder: Path, runs: Path, seconds: float = 120) -> RunReader:
    """Fill in the launch form, whose preset is chosen, with a folder and no attack; wait for the end of the run."""
    choose(page, "Data", "folder of images")
    field = page.get_by_role("textbox", name="Path")
    field.fill(str(folder))
    field.press("Enter")
    wait_until_ran(page)
    choose(page, "Attack", "none added")
    wait_until_ran(page)
    page.get_by_role("button", name="Start", exact=True).click()
    path = until(lambda: next((p.parent for p in runs.glob("*/summary.json")), None), "the end of the run", seconds)
    return RunReader(path)


def test_a_folder_of_unknown_origin_is_audited_and_cleaned(
    server: Any, runs: Path, unknown: Path, visit: Callable, tmp_path: Path
) -> None:
    page = visit(f"{server.url}/run", width=1440, height=1400)
    choose_smoke(page)
    run = train_on(page, unknown, runs)
    assert run.status == "finished" and not run.truth_known
    page.get_by_role("link", name="Audit").click()
    page.locator(TABLE).first.wait_for()
    wait_until_ran(page)
    page.locator(".passport-facts .reason").wait_for()
    a_row_is_pinned(page)
    a_judgement_is_given_and_undone(page, run)
    page.get_by_text("Downloads", exact=True).click()
    cleaned_and_reported(page, run, tmp_path)
    no_ground_truth_is_mentioned(page)
    page.screenshot(path=tmp_path / "audit.png")
    assert page.locator("[data-testid=stException]").count() == 0


def a_row_is_pinned(page: Any) -> None:
    before = page.locator(".passport-facts").first.inner_text()
    box = page.locator(TABLE).first.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 36 + 38 * 3 + 19)
    until(lambda: page.locator(".passport-facts").first.inner_text() != before, "the passport of another sample")
    assert re.search(r"[?&]pin=\d+", page.url) and "sel=" in page.url


def a_judgement_is_given_and_undone(page: Any, run: RunReader) -> None:
    from bsd_engine.audit.judgements import Judgements

    judgements = Judgements(run.path, run.num_samples)
    page.get_by_role("button", name="Remove").click()
    until(lambda: [j.choice for j in judgements.standing().values()] == ["remove"], "the judgement")
    page.get_by_role("button", name="Undo").click()
    until(lambda: judgements.standing() == {}, "the undo")


def cleaned_and_reported(page: Any, run: RunReader, tmp_path: Path) -> None:
    for name, file in (
        ("Cleaned set", "cleaned.zip"),
        ("Report, HTML", "report.html"),
        ("Suspects, CSV", "suspects.csv"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / file)
    with zipfile.ZipFile(tmp_path / "cleaned.zip") as archive:
        archive.extractall(tmp_path)
    history = RunHistory.of(run)
    kept = int(clean(history, suspects(history), {}).keep.sum())
    assert len([p for p in (tmp_path / "cleaned/train").rglob("*.png")]) == kept
    assert dataset.load(f"folder:{tmp_path / 'cleaned'}").test_images is not None or kept
    other = page.context.new_page()
    other.complaints = page.complaints
    page.complaints.watch(other)
    other.set_content((tmp_path / "report.html").read_text())
    assert (
        other.get_by_role("heading", name="most suspect samples").count() == 1 and other.locator("script").count() == 0
    )
    assert (tmp_path / "suspects.csv").read_text().startswith("rank,sample,file,label")
    other.close()


def no_ground_truth_is_mentioned(page: Any) -> None:
    content = page.content() + page.url
    assert not re.search(r"is_poison|poisoned, was|poisoned samples|attack success rate of|true_target", content)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1440, True)])
def test_nothing_is_wider_than_its_place(server: Any, visit: Callable, width: int, dark: bool) -> None:
    page = visit(f"{server.url}/run", width=width, height=1200, dark=dark)
    page.get_by_role("link", name="Audit").click()
    page.locator(TABLE).first.wait_for()
    wait_until_ran(page)
    clipped = """() => {
      const texts = '.alarm summary, .passport-facts p, figcaption, [data-testid=stMain] button p'
      return [...document.querySelectorAll(texts)]
        .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.className + ': ' + e.textContent)
    }"""
    assert page.evaluate(clipped) == []
    fits = "() => (main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    assert page.evaluate(fits)
