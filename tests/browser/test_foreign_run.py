"""A stranger's run in a browser: looked at on every page, copied, the copy audited; nothing is deleted or disclosed.

Beside the run lie a journal that makes SQLite delete a file, settings that lead to the user's home, and, in a second
run, a link in place of the images.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from bsd_engine.audit.judgements import Judgements
from bsd_engine.files import action_log
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import Server, until, wait_until_ran
from tests.support.hostile import journal_that_deletes
from tests.support.origins import edited_copy

pytestmark = pytest.mark.slow

FOREIGN, LINKED = "20260102-000000-foreign", "20260101-000000-linked"
SECRET = b"-----BEGIN PRIVATE KEY----- do not share"
READ_ONLY = "This run is read-only, because this installation did not write it."
LONG = "w" * 1_000
PAGES = ("Run", "Tune", "Audit", "Trigger bench", "Learn")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a user, with a private file and one that the journal names."""
    home = tmp_path_factory.mktemp("home")
    for part in ("train", "test"):
        (home / part / "private").mkdir(parents=True)
        (home / part / "private" / "key.png").write_bytes(SECRET)
    (home / "victim.txt").write_text("mine")
    return home


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, recorded_run: Path, home: Path) -> Path:
    """The runs folder with both foreign runs."""
    root = tmp_path_factory.mktemp("runs")
    names = list(RunReader(recorded_run).class_names)
    names[1] = LONG
    for name in (FOREIGN, LINKED):
        run = edited_copy(recorded_run, root / name, settings={"data": {"data": "folder:~"}}, class_names=names)
        files = ["private/key.png"] * RunReader(run).num_samples
        (run / "files.json").write_text(json.dumps({"files": files}))
    journal_that_deletes(root / FOREIGN, home / "victim.txt", tmp_path_factory.mktemp("made") / "workshop")
    outside = home / "outside.npy"
    (root / LINKED / "images.npy").rename(outside)
    (root / LINKED / "images.npy").symlink_to(outside)
    return root


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], runs: Path, home: Path) -> Server:
    return serve("streamlit_app.py", env={"BSD_RUNS": str(runs), "HOME": str(home)})


def shown_run(page: Any) -> str:
    """The run in the address, asked of the browser: `page.url` is news only once playwright has dealt with events."""
    return parse_qs(page.evaluate("location.search.slice(1)")).get("run", [""])[0]


def to(page: Any, name: str) -> None:
    """Go to a page and wait until it is drawn, without an exception and within its width."""
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_timeout(500)
    wait_until_ran(page)
    page.wait_for_timeout(1500)
    assert page.locator("[data-testid=stException]").count() == 0, name
    fits = "() => (main => main.scrollWidth <= main.clientWidth + 1)(document.querySelector('[data-testid=stMain]'))"
    assert page.evaluate(fits), f"{name} is wider than the window"


def test_a_strangers_run_is_looked_at_copied_and_audited(
    server: Server, runs: Path, home: Path, visit: Callable, tmp_path: Path
) -> None:
    before = sorted((runs / FOREIGN).rglob("*"))
    page = visit(f"{server.url}/run?run={FOREIGN}", width=1440, height=1200, expect_errors=True)
    for name in PAGES:
        to(page, name)
        page.get_by_text(READ_ONLY).wait_for()
    to(page, "Audit")
    for label in ("Keep", "Remove", "Unsure", "Undo"):
        assert page.get_by_role("button", name=label, exact=True).is_disabled()
    assert sorted((runs / FOREIGN).rglob("*")) == before

    page.get_by_role("button", name="Make a copy of your own").click()
    until(lambda: shown_run(page) not in ("", FOREIGN), "the copy in the address")
    wait_until_ran(page)
    copy = RunReader(runs / shown_run(page))
    assert copy.is_own and not copy.trusts_paths and copy.adopted_from == FOREIGN
    page.get_by_text("What could not be copied").wait_for()
    assert page.get_by_text(READ_ONLY).count() == 0

    remove = page.get_by_role("button", name="Remove", exact=True)
    until(lambda: remove.count() == 1, "the buttons of the foreign run to be gone")
    remove.click()
    judgements = Judgements(copy.path, copy.num_samples)
    until(lambda: [j.choice for j in judgements.standing().values()] == ["remove"], "the judgement")
    page.get_by_text("Downloads", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Cleaned set").click()
    download.value.save_as(tmp_path / "cleaned.zip")
    with zipfile.ZipFile(tmp_path / "cleaned.zip") as archive:
        names, content = archive.namelist(), b"".join(archive.read(name) for name in archive.namelist())
    assert len([name for name in names if name.endswith(".png")]) > 100
    assert SECRET not in content and (home / "victim.txt").read_text() == "mine"
    actions = [(entry["action"], entry["run"]) for entry in action_log.read(runs)]
    assert actions == [("adopt", copy.run_id), ("export", copy.run_id)]


def test_images_outside_the_run_are_not_shown(server: Server, visit: Callable) -> None:
    """Each page says so in a sentence, or goes without images; the copy is refused."""
    page = visit(f"{server.url}/run?run={LINKED}", width=1280, height=900, expect_errors=True)
    for name in PAGES:
        to(page, name)
    to(page, "Audit")
    page.get_by_text(re.compile("images.npy cannot be read: it is a link")).first.wait_for()
    page.get_by_role("button", name="Make a copy of your own").click()
    page.get_by_text(re.compile("images.npy cannot be read: it is a link")).first.wait_for()
    assert shown_run(page) == LINKED


def test_sqlite_itself_would_delete_the_file(runs: Path, home: Path) -> None:
    """The journal is a real threat: runs last, as it does delete the file."""
    with contextlib.closing(sqlite3.connect(runs / FOREIGN / "verdicts.sqlite")) as database:
        database.execute("SELECT count(*) FROM change").fetchone()
    assert not (home / "victim.txt").exists()
