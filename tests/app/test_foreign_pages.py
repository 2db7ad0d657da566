"""A run that somebody else wrote: every page says that it is read-only, offers a copy, and refuses to change it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.server import data_paths
from app.server.registry import RunRegistry
from app.state import foreign_run
from app.style import words
from bsd_engine.audit import adopting
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.files import action_log
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run
from tests.support.origins import own_copy
from tests.support.page.pages import WHOLE_APP, ran
from tests.support.run_edits import edit_json

SCRIPT = WHOLE_APP
FOREIGN, OWN = "20260101-000000-stranger", "20260102-000000-own"
PAGES = ("run", "tune", "audit", "bench", "")


@pytest.fixture
def runs(root: Path, recorded_run: Path) -> Path:
    """A runs folder with a stranger's run, which is a plain copy, and the same run as one's own."""
    shutil.copytree(recorded_run, root / FOREIGN)
    own_copy(recorded_run, root / OWN)
    return root


@pytest.fixture
def adopted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path]]:
    """What was copied; a plain copy that is signed stands in for the engine's checks."""
    found: list[tuple[Path, Path]] = []

    def adopt(source: Path, out: Path) -> tuple[str, ...]:
        found.append((source, out))
        own_copy(source, out)
        return ("Epoch 3 is damaged <b>.",)

    monkeypatch.setattr(adopting, "adopt", adopt)
    return found


def to(page: AppTest, name: str) -> AppTest:
    """Another page of the app, with the same address."""
    page._page_hash = calc_hash(name)
    return ran(page)


def texts(page: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*page.caption, *page.warning, *page.error, *page.toast))


def button(page: AppTest, key: str) -> Any:
    return page.button(key=key)


@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "learn")
def test_every_page_says_that_a_foreign_run_is_read_only(
    open_page: Callable[..., AppTest], runs: Path, name: str
) -> None:
    page = to(open_page(run=FOREIGN), name)
    assert foreign_run.A_FOREIGN_RUN in texts(page) and not button(page, "make_own_copy").disabled
    page.query_params["run"] = OWN
    page = ran(page)
    assert foreign_run.A_FOREIGN_RUN not in texts(page)
    assert not [b for b in page.button if b.key == "make_own_copy"]


def test_a_recording_is_called_one(open_page: Callable[..., AppTest], root: Path) -> None:
    page = to(open_page(run="recording-healthy"), "tune")
    assert foreign_run.A_RECORDING in texts(page)


def test_the_page_paper_says_it_below_the_runs(open_page: Callable[..., AppTest], runs: Path) -> None:
    shutil.rmtree(runs / OWN)
    assert "are read-only" in texts(to(open_page(item="figure7"), "paper"))


@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "learn")
def test_a_copy_is_shown_at_the_same_epoch_and_is_logged(
    open_page: Callable[..., AppTest], runs: Path, adopted: list[tuple[Path, Path]], name: str
) -> None:
    page = open_page(run=FOREIGN)
    page.query_params["epoch"], page.query_params["pin"] = "5", "17"
    page = to(page, name)
    before = {part: page.query_params[part] for part in ("epoch", "pin") if part in page.query_params}
    button(page, "make_own_copy").click()
    page = ran(page)
    ((source, out),) = adopted
    assert source.name == FOREIGN and out.parent == runs and provenance.is_own(out)
    assert page.query_params["run"] == out.name
    if name != "run":
        assert {part: page.query_params[part] for part in before} == before and before["pin"] == "17"
    assert "What could not be copied" in texts(page) and "Epoch 3 is damaged" in texts(page)
    assert "<b>" not in texts(page).replace("\\<b\\>", "")
    (entry,) = action_log.read(runs)
    assert (entry["action"], entry["run"], entry["source"]) == ("adopt", out.name, FOREIGN)


def test_a_copy_that_fails_gives_a_sentence(
    open_page: Callable[..., AppTest], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, out: Path) -> tuple[str, ...]:
        raise RunFolderError("The run cannot be copied: *it is broken*.")

    monkeypatch.setattr(adopting, "adopt", refuse)
    page = to(open_page(run=FOREIGN), "audit")
    button(page, "make_own_copy").click()
    page = ran(page)
    assert "it is broken" in texts(page) and page.query_params["run"] == FOREIGN and action_log.read(runs) == []


def test_a_foreign_run_cannot_be_judged(open_page: Callable[..., AppTest], runs: Path) -> None:
    page = to(open_page(run=FOREIGN), "audit")
    for key in ("judge_keep", "judge_remove", "judge_unsure", "judge_undo"):
        assert button(page, key).disabled and button(page, key).help == words.READ_ONLY
    page.query_params["run"] = OWN
    assert not button(ran(page), "judge_keep").disabled


def test_a_foreign_run_cannot_be_steered(open_page: Callable[..., AppTest], runs: Path) -> None:
    (runs / FOREIGN / "summary.json").unlink()
    (runs / OWN / "summary.json").unlink()
    page = open_page(run=FOREIGN)
    for key in ("pause", "resume", "stop"):
        assert button(page, key).disabled and button(page, key).help == words.READ_ONLY
    page.query_params["run"] = OWN
    assert not button(ran(page), "resume").disabled


def test_the_server_refuses_it_too(runs: Path) -> None:
    registry, before = RunRegistry(runs), sorted((runs / FOREIGN).rglob("*"))
    config = RunReader(runs / FOREIGN).config
    for attempt in (
        lambda: registry.resume(FOREIGN),
        lambda: registry.branch(FOREIGN, 4, config),
        lambda: registry.command(FOREIGN, "stop"),
    ):
        with pytest.raises(RunFolderError, match="this installation"):
            attempt()
    with pytest.raises(BSDError, match="recording"):
        registry.branch("recording-healthy", 4, config)
    assert sorted((runs / FOREIGN).rglob("*")) == before and action_log.read(runs) == []


@pytest.mark.parametrize(
    "settings",
    [{"data": "folder:~"}, {"attack": "custom", "attack_parameters": {"image": "/etc/x.png"}}],
    ids=["images", "trigger"],
)
def test_no_path_of_a_stranger_is_followed(root: Path, settings: dict[str, Any]) -> None:
    """Neither in the foreign run nor in a copy of it; the same settings of one's own are."""
    own = RunReader(fake_run(root, epochs=1, samples=60, config=CONFIG.with_settings(**settings)))
    data_paths.check_run(own, root)
    shutil.copytree(own.path, root / FOREIGN)
    with pytest.raises(BSDError, match="not followed"):
        data_paths.check_run(RunReader(root / FOREIGN), root)
    own.adopted_from = FOREIGN
    with pytest.raises(BSDError, match="not followed"):
        data_paths.check_run(own, root)


@pytest.mark.parametrize("name", ["run", "tune"])
def test_a_run_that_looks_like_another_does_not_take_its_place(
    open_page: Callable[..., AppTest], runs: Path, name: str
) -> None:
    shutil.copytree(runs / FOREIGN, runs / f"{FOREIGN}-twin")
    page = to(open_page(run=FOREIGN), name)
    (runs_list,) = [box for box in page.selectbox if any(FOREIGN in option for option in box.options)]
    assert len(set(runs_list.options)) == len(runs_list.options)
    page = ran(page)
    assert page.query_params["run"] == FOREIGN


@pytest.mark.parametrize("name", PAGES)
def test_an_unreadable_end_of_a_run_is_a_sentence_on_every_page(
    open_page: Callable[..., AppTest], runs: Path, name: str
) -> None:
    edit_json(runs / FOREIGN, "summary.json", device=3)
    to(open_page(run=FOREIGN), name)  # fails on any exception
