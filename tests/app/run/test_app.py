"""The page Run without a browser: it opens in every state and hides ground truth when it is switched off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.run.panels import PANELS, View
from app.run.status import look
from app.server import registry, run_cache
from app.style.theme import DARK, LIGHT
from bsd_engine.config.presets import preset
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import CONFIG, FakeRun, LiveFakeRun, fake_run
from tests.support.page.failing_runs import fail_when_told
from tests.support.page.pages import WHOLE_APP, everything, html, ran
from tests.support.page.waiting import wait_for
from tests.support.short_runs import short

SCRIPT = WHOLE_APP


def test_it_opens_without_runs_and_says_what_to_do(open_page: Callable[..., AppTest]) -> None:
    page = open_page()
    assert "Press **Start**" in page.main.markdown[0].value
    assert not page.button(key="start").disabled


def test_a_finished_run_is_found_by_its_address_or_as_the_newest(open_page: Callable[..., AppTest], root: Path) -> None:
    first = fake_run(root, run_id="20260101-000000-aaaaaa", epochs=38)
    fake_run(root, run_id="20260102-000000-bbbbbb", epochs=10, status="stopped")
    page = open_page()
    assert page.query_params["run"] == "20260102-000000-bbbbbb"
    page = open_page(run=first.name)
    numbers = "Clean accuracy 83.9 %; attack success 1.6 %; defended against dress, which is right."
    assert f"Finished in 1 min 34 s. {numbers}" in html(page)
    assert [page.button(key=key).disabled for key in ("pause", "resume", "stop")] == [True, True, True]
    assert "by probability floor (ours)" in html(page)


@pytest.mark.parametrize("name", ["nowhere", "../runs", "a/b", "..", "\0", "<b>x</b>"])
def test_an_unknown_run_gives_a_sentence(open_page: Callable[..., AppTest], root: Path, name: str) -> None:
    fake_run(root, epochs=3)
    page = open_page(run=name)
    assert "There is no run called" in page.warning[0].value


def test_a_late_tick_of_a_replaced_list_does_not_bring_an_old_run_back(
    open_page: Callable[..., AppTest], root: Path
) -> None:
    first, second = (fake_run(root, run_id=f"2026010{day}-000000-aaaaaa", epochs=3).name for day in (1, 2))
    page = open_page(run=first)
    of_the_first = page._tree.get_widget_states()
    page.query_params["run"] = second
    page.run()
    page._run(of_the_first)  # as sent by a browser that has not drawn the second yet
    assert page.query_params["run"] == second
    next(box for box in page.selectbox if str(box.key).startswith("runs_")).select(first).run()
    assert page.query_params["run"] == first


def test_an_interrupted_run_offers_to_resume_and_says_what_is_lost(
    open_page: Callable[..., AppTest], root: Path
) -> None:
    page = open_page(run=fake_run(root, epochs=12, status=None).name)
    assert (
        "Interrupted after epoch 12 of 38. Resume goes on from there; at most the epoch in progress is trained again."
        in html(page)
    )
    assert not page.button(key="resume").disabled


def test_a_failed_run_shows_why(open_page: Callable[..., AppTest], root: Path) -> None:
    path = fake_run(root, epochs=5, status=None)
    with RunWriter(path) as writer:
        writer.summary({**FakeRun().summary("failed", 5), "error": "The disk is full; free some space."})
    assert "Ended after epoch 5 of 38. The disk is full; free some space." in html(open_page(run=path.name))


def test_a_broken_folder_gives_a_sentence_not_an_exception(open_page: Callable[..., AppTest], root: Path) -> None:
    path = fake_run(root, epochs=5)
    (path / "epochs/00004.npz").write_bytes(b"PK\x03\x04 not a zip")
    assert "cannot be read" in open_page(run=path.name).error[0].value
    (path / "config.json").write_text("{")
    assert "cannot be read" in open_page(run=path.name).error[0].value


def test_a_damaged_checkpoint_is_named_where_the_run_can_be_resumed(
    open_page: Callable[..., AppTest], root: Path
) -> None:
    path = fake_run(root, epochs=12, status=None)
    assert len(open_page(run=path.name).warning) == 0
    (path / "checkpoints/00011.pt").write_bytes(b"damaged")
    (shown,) = open_page(run=path.name).warning
    assert "00011.pt is damaged" in shown.value.replace("\\", "") and "newest sound checkpoint" in shown.value


def test_with_the_truth_off_nothing_of_it_reaches_the_browser(open_page: Callable[..., AppTest], root: Path) -> None:
    path = fake_run(root, epochs=20)
    page = open_page(run=path.name, truth="false")
    sent, shown = everything(page), html(page)
    success = run_cache.rows(path)[-1].metrics["attack_success_rate"]
    telling = (
        "BadNets 5 %",
        "poison only",
        "poison kept",
        "2.6357",
        f"{success:.1f} %",
        "<small>right",
        "Poison in the clean pool, epoch",
    )
    assert "Altruistic loss" in sent and "attack hidden" in shown
    assert [word for word in telling if word in sent] == []
    page.toggle(key="truth").set_value(True)
    ran(page)
    assert [word for word in telling if word not in everything(page)] == ["2.6357"]


def test_where_the_truth_is_unknown_the_page_says_so(open_page: Callable[..., AppTest], root: Path) -> None:
    path = fake_run(root, epochs=20, truth=False, config=CONFIG.with_settings(attack="none"))
    shown = html(open_page(run=path.name))
    assert "no attack added" in shown and "truth unknown" in shown and "unknown without the attack" in shown


def test_a_live_run_is_followed_paused_and_stopped(root: Path, open_page: Callable[..., AppTest]) -> None:
    with LiveFakeRun(root, seconds=0.1, run_id="20260103-000000-cccccc") as live:
        wait_for(lambda: len(run_cache.rows(live.path)) > 2)
        page = open_page(run=live.path.name)
        page.button(key="pause").click()
        ran(page)
        wait_for(lambda: look(registry.registry(), live.path.name).status == "paused")
        assert "paused" in html(ran(page))
        assert page.button(key="pause").disabled and not page.button(key="resume").disabled
        page.button(key="stop").click()
        ran(page)
        wait_for(lambda: look(registry.registry(), live.path.name).status == "stopped")
        assert "Stopped after epoch" in html(ran(page))


def test_every_panel_draws_every_epoch_in_both_themes(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=38, maps=True)
    version = run_cache.reader(path).version
    for epoch in (0, 7, 8, 16, 17, 20, 37):
        for palette, truth in ((LIGHT, True), (DARK, False)):
            view = View(path=path, version=version, epoch=epoch, palette=palette, truth_shown=truth)
            for draw in PANELS.values():
                assert draw(view).layout.meta["summary"]


def test_a_run_without_a_single_target_is_shown_whole(
    open_page: Callable[..., AppTest], root: Path, small_images: PreparedData, one_thread: None
) -> None:
    record_run(short(all_to_all="shared", selective_drop=False), root / "all-to-all", prepared=small_images)
    run = RunReader(root / "all-to-all")
    for epoch in run.epochs:
        view = View(path=run.path, version=run.version, epoch=epoch, palette=LIGHT, truth_shown=True)
        assert all(draw(view).layout.meta["summary"] for draw in PANELS.values())
    text = html(open_page(run="all-to-all"))
    assert "every class" in text and "all-to-all: no single target" in text


def test_the_page_shows_a_run_that_waits(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch)
    try:
        open_page()
        first, second = (registry.registry().start(preset("smoke")) for _ in range(2))
        page = open_page(run=second)
        assert "Waiting for the run that is training to end" in html(page) and not page.button(key="stop").disabled
        page.button(key="stop").click()
        assert "It was removed from the queue before it began." in html(ran(page))
        assert registry.registry().active == first
    finally:
        go_on.set()
        wait_for(lambda: registry.registry().active is None)
