"""The page Run without a browser: it opens in every state, refuses bad settings, and keeps the truth to itself when asked to."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.run.controls import config_of, form_of
from app.run.panels import PANELS, View
from app.run.status import look, sentence
from app.server import eta, registry, run_cache
from app.server.registry import RunRegistry
from app.style.theme import DARK, LIGHT
from bsd_engine.compute import progress
from bsd_engine.config.method_settings import ScheduleConfig
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.errors import ConfigError, RunFolderError, TrainingError
from bsd_engine.prepare import prepare as preflight
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs import record
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import CONFIG, FakeRun, LiveFakeRun, fake_run
from tests.support.pages import WHOLE_APP, everything, html, ran
from tests.support.short_runs import short

SCRIPT = WHOLE_APP


def field(page: AppTest, kind: str, name: str) -> Any:
    """A field of the form, by the name of its setting."""
    return next(w for w in page.get(kind) if re.fullmatch(rf"new_{name}(_\d+)?", w.key or ""))


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


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
    assert (
        "Finished in 1 min 34 s. Clean accuracy 83.9 %; attack success 1.6 %; suspected target dress, which is right."
        in html(page)
    )
    assert [page.button(key=key).disabled for key in ("pause", "resume", "stop")] == [True, True, True]
    assert "by probability floor (ours)" in html(page)


@pytest.mark.parametrize("name", ["nowhere", "../runs", "a/b", "..", "\0", "<b>x</b>"])
def test_an_unknown_run_gives_a_sentence(open_page: Callable[..., AppTest], root: Path, name: str) -> None:
    fake_run(root, epochs=3)
    page = open_page(run=name)
    assert "There is no run called" in page.warning[0].value


def test_a_tick_with_a_list_that_is_gone_brings_no_old_run_back(open_page: Callable[..., AppTest], root: Path) -> None:
    first, second = (fake_run(root, run_id=f"2026010{day}-000000-aaaaaa", epochs=3).name for day in (1, 2))
    page = open_page(run=first)
    of_the_first = page._tree.get_widget_states()
    page.query_params["run"] = second
    page.run()
    page._run(of_the_first)  # as a browser sends it that has not drawn the second yet
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


def test_bad_settings_give_one_sentence_and_start_nothing(open_page: Callable[..., AppTest], root: Path) -> None:
    page = open_page()
    field(page, "slider", "alpha").set_value(0.1)
    field(page, "slider", "beta").set_value(0.3)
    page.button(key="start").click()
    assert "alpha is 0\\.1, expected at least beta = 0\\.3" in ran(page).error[0].value
    assert list(root.iterdir()) == [] and registry.registry().active is None
    field(page, "slider", "beta").set_value(0.05)
    assert not ran(page).error and not page.button(key="start").disabled


def test_a_missing_folder_of_images_gives_one_sentence(open_page: Callable[..., AppTest], root: Path) -> None:
    page = open_page()
    field(page, "selectbox", "source").set_value("folder")
    field(ran(page), "text_input", "path").set_value("/no/such_folder")
    page.button(key="start").click()
    assert "such\\_folder" in ran(page).error[0].value
    assert list(root.iterdir()) == []


def test_a_preset_fills_the_form(open_page: Callable[..., AppTest]) -> None:
    page = open_page()
    field(page, "slider", "alpha").set_value(0.9)
    page.selectbox(key="new_preset").set_value("paper-cifar10")
    ran(page)
    assert field(page, "slider", "t1").value == 20 and field(page, "slider", "alpha").value == 0.6
    assert field(page, "selectbox", "source").value == "cifar10"


@pytest.mark.parametrize("name", PRESETS)
def test_the_form_gives_back_the_preset(name: str) -> None:
    config = preset(name)
    narrow = config.with_settings(width=form_of(config)["width"])
    assert config_of({"preset": name, **form_of(config)}) == narrow


def test_the_form_keeps_a_rate_for_each_kind_of_attack() -> None:
    form = {"preset": "demo", **form_of(preset("demo"))}
    assert (form["rate"], form["clean_rate"]) == (5, 25)
    made = {
        attack: config_of({**form, "attack": attack, "rate": 10.0, "clean_rate": 40.0}).attack
        for attack in ("blended", "sig", "none")
    }
    assert (made["blended"].rate, made["sig"].rate) == (0.1, 0.4)
    assert config_of({**form, "attack": "sig"}).attack.rate is None
    named = config_of({**form, "attack": "custom", "picture": " /a/b.png "}).attack
    assert (
        named.attack_parameters == {"image": "/a/b.png"}
        and form_of(preset("demo").with_settings(attack="custom", attack_parameters={"image": "x"}))["picture"] == "x"
    )


def test_a_clean_label_attack_asks_for_a_share_of_the_target_class(open_page: Callable[..., AppTest]) -> None:
    page = open_page()
    field(page, "selectbox", "attack").set_value("sig")
    assert field(ran(page), "slider", "clean_rate").value == 25
    field(page, "selectbox", "attack").set_value("custom")
    assert field(ran(page), "slider", "rate").value == 5 and field(page, "text_input", "picture").value == ""
    field(page, "selectbox", "attack").set_value("badnets_all2all")
    assert field(ran(page), "selectbox", "target_label").disabled


def test_a_longer_warm_up_moves_the_later_stages_along() -> None:
    config = preset("demo")
    longer = config_of({"preset": "demo", **form_of(config), "t1": config.schedule.t1 + 5})
    assert longer.schedule == config.schedule.with_warmup(config.schedule.t1 + 5)


def test_settings_from_a_tampered_form_are_refused() -> None:
    form = {"preset": "demo", **form_of(preset("demo"))}
    for name, value in (
        ("alpha", 7),
        ("beta", float("nan")),
        ("t1", 0),
        ("seed", -1),
        ("rate", 200.0),
        ("device", "tpu"),
    ):
        with pytest.raises(ConfigError, match=r"is .*, expected"):
            config_of({**form, name: value})


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


def test_the_registry_refuses_names_that_leave_its_folder(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path / "runs")
    outside = fake_run(tmp_path / "elsewhere", epochs=1)
    runs.root.mkdir()
    (runs.root / "link").symlink_to(outside)
    assert runs.run_ids() == []
    for name in ("link", "..", ".", "", "a/../b", f"../elsewhere/{outside.name}", str(outside), "\0"):
        with pytest.raises(RunFolderError):
            runs.path(name)


def test_one_training_at_a_time_and_its_error_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def failing_run(config: Any, path: Path, **_: Any) -> dict[str, Any]:
        go_on.wait(10)
        raise TrainingError("The main model's loss is nan in epoch 3; lower its learning rate.")

    monkeypatch.setattr(record, "record_run", failing_run)
    monkeypatch.setattr(preflight, "prepare", lambda config: None)
    runs = RunRegistry(tmp_path)
    run_id = runs.start(preset("smoke"))
    assert runs.active == run_id and look(runs, run_id).status == "preparing"
    go_on.set()
    wait_for(lambda: runs.active is None)
    now = look(runs, run_id)
    assert now.status == "failed" and "lower its learning rate" in sentence(now, runs, truth_shown=True)


def test_runs_wait_for_their_turn_and_can_be_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, trained, at_once = threading.Event(), [], []

    def slow_run(config: Any, path: Path, **_: Any) -> dict[str, Any]:
        at_once.append(path.name)
        assert len(at_once) == 1, "two trainings at once"
        go_on.wait(20)
        fake_run(path.parent, epochs=2, samples=60, run_id=path.name)
        trained.append(at_once.pop())
        return {}

    monkeypatch.setattr(record, "record_run", slow_run)
    monkeypatch.setattr(preflight, "prepare", lambda config: None)
    runs = RunRegistry(tmp_path)
    first, second, third, fourth = (runs.start(preset("smoke")) for _ in range(4))
    assert (
        (runs.active, runs.waiting) == (first, [second, third, fourth])
        and runs.place(third) == 2
        and runs.place(first) is None
    )
    now = look(runs, third)
    assert (
        now.status == "queued"
        and now.live
        and sentence(now, runs, truth_shown=True).startswith("Waits until 2 other runs are over")
    )
    runs.command(second, "stop")
    assert runs.waiting == [third, fourth] and "taken out of the queue" in sentence(
        look(runs, second), runs, truth_shown=True
    )
    while len(runs.waiting) < registry.MOST_WAITING:
        runs.start(preset("smoke"))
    with pytest.raises(RunFolderError, match="8 more are waiting"):
        runs.start(preset("smoke"))
    for run_id in runs.waiting[2:]:
        runs.command(run_id, "stop")
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert trained == [first, third, fourth] and look(runs, third).status == "finished"


def fail_when_told(monkeypatch: pytest.MonkeyPatch, crafting: int = 1) -> threading.Event:
    """Have every run prepare its data, in that many steps of crafting, until the event is set; then it fails."""
    go_on = threading.Event()

    def prepare(config: Any) -> None:
        for _ in progress.steps(crafting, "surrogate"):
            go_on.wait(30)
        raise TrainingError("It does not work.")

    for module in (preflight, record):
        monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(registry, "START_PATIENCE", 0.1)
    return go_on


def test_a_run_that_fails_lets_the_next_one_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch)
    runs = RunRegistry(tmp_path)
    started = [runs.start(preset("smoke")) for _ in range(3)]
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert [runs.error(run_id) for run_id in started] == ["It does not work."] * 3 and runs.waiting == []


def test_a_double_click_starts_one_run(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(RunRegistry, "start", lambda self, config: started.append(config) or "20260101-000000-aaaaaa")
    page = open_page()
    for _ in range(2):
        page.button(key="start").click()
        ran(page)
    assert len(started) == 1
    field(page, "number_input", "seed").set_value(5)
    ran(page)
    page.button(key="start").click()
    ran(page)
    assert [config.seed for config in started] == [started[0].seed, 5]


def test_the_page_shows_a_run_that_waits(open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch)
    try:
        open_page()
        first, second = (registry.registry().start(preset("smoke")) for _ in range(2))
        page = open_page(run=second)
        assert "Waits until the run that trains now is over" in html(page) and not page.button(key="stop").disabled
        page.button(key="stop").click()
        assert "It was taken out of the queue before it began." in html(ran(page))
        assert registry.registry().active == first
    finally:
        go_on.set()
        wait_for(lambda: registry.registry().active is None)


def test_a_run_that_crafts_its_trigger_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = fail_when_told(monkeypatch, crafting=10)
    runs = RunRegistry(tmp_path)
    run_id = runs.start(preset("smoke"))
    assert "crafts its trigger: surrogate, step 1 of 10." in sentence(look(runs, run_id), runs, truth_shown=True)
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert runs.crafting is None


def test_a_resumed_run_that_crafts_its_trigger_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = fail_when_told(monkeypatch, crafting=10)
    FakeRun(samples=60).create(tmp_path / "killed").close()
    runs = RunRegistry(tmp_path)
    runs.resume("killed")
    wait_for(lambda: runs.crafting is not None)
    assert runs.crafting == "surrogate, step 1 of 10"
    go_on.set()
    wait_for(lambda: runs.active is None)
    assert runs.crafting is None and "It does not work." in runs.error("killed")


def test_what_a_run_took_is_known_once_it_has_ended(root: Path) -> None:
    path = fake_run(root, epochs=38, status=None, samples=60)
    assert run_cache.prior_seconds(root, CONFIG) == {}
    with RunWriter(path) as writer:
        writer.summary(FakeRun().summary("finished", 38))
    assert run_cache.prior_seconds(root, CONFIG)["oss_warmup"] == 2.5


def test_commands_go_to_living_runs_only(tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path)
    path = fake_run(tmp_path, epochs=2, status=None)
    with pytest.raises(RunFolderError, match="Nobody trains"):
        runs.command(path.name, "pause")
    assert not (path / "commands.jsonl").exists()


def test_a_command_waits_until_the_writer_has_obeyed(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=2, status=None)
    assert run_cache.waiting_command(path, 0) is None
    send_command(path, "pause")
    assert run_cache.waiting_command(path, 0) == "pause" and run_cache.waiting_command(path, 1) is None
    send_command(path, "stop")
    send_command(path, "resume")
    assert run_cache.waiting_command(path, 1) == "stop"


SCHEDULE = ScheduleConfig(altruistic_epochs=2, t1=2, init_epochs=1, t2=5, t3=6)


def test_time_left_is_unknown_until_a_main_epoch_or_an_earlier_run_tells() -> None:
    assert eta.remaining_seconds(SCHEDULE, [("altruistic_warmup", 1.0)]) is None
    prior = {"altruistic_warmup": 1.0, "oss_warmup": 3.0}
    assert eta.remaining_seconds(SCHEDULE, [], prior=prior) == 2 * 1 + 6 * 3
    done = [("altruistic_warmup", 1.0)] * 2 + [("oss_warmup", 4.0)]
    assert eta.remaining_seconds(SCHEDULE, done, 0.5) == 0.5 * 4 + 4 * 4


def test_time_left_uses_the_median_of_the_last_five_epochs_of_a_stage() -> None:
    times = [("oss_warmup", s) for s in (90.0, 90.0, 1.0, 2.0, 3.0, 4.0, 90.0)]
    assert eta.stage_seconds(times) == {"oss_warmup": 3.0}
    assert eta.silence_limit(times) == 10.0 and eta.silence_limit([("oss_warmup", 20.0)]) == 60.0


def test_pca_keeps_its_orientation_from_epoch_to_epoch(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=6)
    maps = [run_cache.pca_map(path, epoch) for epoch in range(6)]
    for before, after in itertools.pairwise(maps):
        assert np.all((before * after).sum(0) > 0)
