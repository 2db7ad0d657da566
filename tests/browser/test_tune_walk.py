"""The page Tune as a user has it: drag a cut, scrub, select, refresh, leave and come back, while a run goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsd_engine.method import preview
from bsd_engine.method.preview import Settings
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import drag_cut
from tests.support.fake_run import CONFIG, LiveFakeRun, fake_run

ROOT = Path(__file__).resolve().parents[2]
APP = "document.querySelector('.tn').app"
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up runs in every state that the page has to show."""
    root = tmp_path_factory.mktemp("runs")
    fake_run(root, run_id="20260101-000000-whole", epochs=38)
    fake_run(root, run_id="20260101-000001-blind", epochs=38, truth=False)
    fake_run(root, run_id="20260101-000002-early", epochs=4, status="stopped")
    fake_run(root, run_id="20260101-000003-one", epochs=38, samples=1, truth=False)
    fake_run(root, run_id="20260101-000004-few", epochs=38, samples=100)
    return root


@pytest.fixture
def tune(server: Any, visit: Callable) -> Callable[..., Any]:
    """`tune(run, query)`: the page with its views drawn. Streamlit itself asks for two addresses below /tune that are not there."""

    def open_page(run: str, query: str = "", *, drawn: bool = True, **options: Any) -> Any:
        page = visit(
            f"{server.url}/tune?run={run}{query}", expect_errors=True, **{"width": 1440, "height": 900, **options}
        )
        if drawn:
            page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
            wait_for_rest(page)
        return page

    return open_page


def wait_for_rest(page: Any) -> None:
    """Wait until nothing is to be drawn and the engine has answered to the settings on the screen."""
    page.wait_for_function(
        f"() => {{ const a = {APP}; return a.todo === null && (!a.model.header.answer || a.key(a.model.header.answer.settings, a.model.header.answer.epoch) === a.key(a.model.effective(a.view), a.view.epoch)) }}",
        timeout=60000,
    )


def look(page: Any) -> dict[str, Any]:
    """What is looked at."""
    return json.loads(
        page.evaluate(f"""() => {{ const v = {APP}.view; return JSON.stringify({{epoch: v.epoch, following: v.following, pin: v.pin,
        selected: Array.from(v.selected.keys()).filter(i => v.selected[i]), settings: v.settings, zoom: {APP}.quadrant.plot.zoom}}) }}""")
    )


def counts(page: Any) -> dict[str, int]:
    return {
        name: int(value)
        for name, value in page.evaluate(
            "() => { const {size, gained, lost} = document.querySelector('.tn').dataset; return {size, gained, lost} }"
        ).items()
    }


def lasso(page: Any, left: float, top: float, right: float, bottom: float, *keys: str) -> None:
    """Draw around a part of the quadrant, in shares of it."""
    box = page.locator(".tn-hero .tn-overlay").bounding_box()
    at = [
        (box["x"] + 60 + u * (box["width"] - 150), box["y"] + 56 + v * (box["height"] - 100))
        for u, v in [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    ]
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    for key in keys:
        page.keyboard.up(key)


def engine_pool(runs: Path, run: str, settings: Settings) -> np.ndarray:
    reader = RunReader(runs / run)
    scores = preview.first_scores(
        reader.config,
        settings,
        *(reader.epoch(f(reader.config, settings)) for f in (preview.loss_epoch, preview.distance_epoch)),
    )
    return preview.first_pool(reader.config, settings, reader.labels, scores)


def test_dragging_the_cuts_previews_what_the_engine_would_do(tune: Callable, runs: Path) -> None:
    run = "20260101-000000-whole"
    page = tune(run, f"&epoch={T1_EPOCH + 1}")
    own = Settings.of(CONFIG)
    assert page.locator(".tn-badge").inner_text() == "as recorded"
    assert counts(page) == {"size": int(engine_pool(runs, run, own).sum()), "gained": 0, "lost": 0}
    drag_cut(page, "alpha", -60, 0)
    drag_cut(page, "beta", 0, 40)
    wait_for_rest(page)
    moved = look(page)["settings"]
    assert moved["alpha"] > own.alpha and moved["beta"] > own.beta
    pool, before = (
        engine_pool(runs, run, replace(own, alpha=moved["alpha"], beta=moved["beta"])),
        engine_pool(runs, run, own),
    )
    assert counts(page) == {
        "size": int(pool.sum()),
        "gained": int((pool & ~before).sum()),
        "lost": int((before & ~pool).sum()),
    }
    page.wait_for_function(
        "size => document.querySelector('#tune-counts')?.dataset.size === size", arg=str(pool.sum())
    )  # the server's table
    poison = RunReader(runs / run).truth.is_poison
    said = page.locator(".tn-diff").inner_text()
    assert re.search(
        rf"\+{(pool & ~before).sum():,} in, −{(before & ~pool).sum():,} out, {((pool ^ before) & poison).sum()} of them poison",
        said,
    )
    assert page.locator(".tn-badge").inner_text() == "exact"
    page.get_by_role("button", name="Back to the run's").click()
    wait_for_rest(page)
    assert counts(page)["gained"] == 0


def test_every_cut_and_slider_works_by_keyboard(tune: Callable) -> None:
    page = tune("20260101-000000-whole", f"&epoch={T1_EPOCH + 1}")
    page.locator(".tn-cut-alpha").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    page.locator(".tn-cut-beta").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(100)
    settings = look(page)["settings"]
    assert settings["alpha"] == pytest.approx(0.655) and settings["beta"] == pytest.approx(0.205)
    assert page.locator(".tn-cut-alpha").get_attribute("aria-valuetext") == "alpha 0.655"
    for name in ("alpha", "beta", "altruistic epochs"):
        slider = page.locator(f".tn-controls input[type=range][aria-label='{name}']")
        before = slider.input_value()
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert slider.input_value() < before
    page.locator(".tn-epoch").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => +document.querySelector('.tn').dataset.shown === e", arg=T1_EPOCH + 1)
    page.locator(".tn-heat .tn-plot").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(100)
    assert look(page)["settings"]["beta"] == pytest.approx(0.25)


def test_a_later_epoch_is_one_step_and_its_diagonal_is_moved_by_keyboard(tune: Callable, runs: Path) -> None:
    run, epoch = "20260101-000000-whole", 28
    page = tune(run, f"&epoch={epoch + 1}")
    reader = RunReader(runs / run)
    assert counts(page)["size"] == reader.epoch(epoch).clean_mask.sum()
    page.locator(".tn-cut-ratio").focus()
    page.keyboard.press("Shift+ArrowLeft")
    wait_for_rest(page)
    settings = look(page)["settings"]
    asked = replace(Settings.of(CONFIG), alpha=settings["alpha"], beta=settings["beta"])
    assert asked != Settings.of(CONFIG)
    assert counts(page)["size"] == preview.later_pool(reader.config, asked, reader.labels, reader.epoch(epoch)).sum()
    assert page.locator(".tn-badge").inner_text() == "one step"


def test_t1_scrubs_through_recorded_states_and_beyond_needs_a_run(tune: Callable, runs: Path) -> None:
    run = "20260101-000000-whole"
    page = tune(run, f"&epoch={T1_EPOCH + 1}")
    slider = page.locator(".tn-controls input[type=range][aria-label='T1']")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("e => +document.querySelector('.tn').dataset.shown === e", arg=T1_EPOCH - 2)
    wait_for_rest(page)
    settings = replace(Settings.of(CONFIG), t1=CONFIG.schedule.t1 - 2)
    assert counts(page)["size"] == engine_pool(runs, run, settings).sum()
    assert page.locator(".tn-badge").inner_text() == "exact"
    slider.fill(str(CONFIG.schedule.t1 + 3))
    slider.dispatch_event("change")
    wait_for_rest(page)
    assert page.locator(".tn-badge").inner_text() == "needs a run"
    assert page.get_by_role("button", name="Run this").is_enabled()


def test_lasso_pin_and_cursor_survive_a_refresh_and_a_change_of_page(tune: Callable) -> None:
    page = tune("20260101-000000-whole", f"&epoch={T1_EPOCH + 1}")
    lasso(page, 0.3, 0.1, 0.7, 0.9)
    page.wait_for_function(f"() => {APP}.view.count > 5")
    first = set(look(page)["selected"])
    lasso(page, 0.7, 0.1, 0.98, 0.9, "Shift")
    more = set(look(page)["selected"])
    assert more > first
    lasso(page, 0.3, 0.1, 0.5, 0.9, "Alt")
    less = set(look(page)["selected"])
    assert less < more
    wait_for_rest(page)  # until the images are those of the new selection: a click between two sets of them hits none
    page.locator(".tn-images button").first.click()
    page.wait_for_function(f"() => {APP}.view.pin !== null")
    page.wait_for_function("() => location.search.includes('pin=')")
    page.wait_for_timeout(600)
    before = look(page)
    page.reload()
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    after = look(page)
    assert {**after, "zoom": 0} == {**before, "zoom": 0} and len(after["selected"]) == len(less)
    page.get_by_role("link", name="Run", exact=True).click()
    page.locator(".tn").wait_for(state="detached")
    page.get_by_role("link", name="Tune").click()
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    assert {**look(page), "zoom": 0} == {**before, "zoom": 0}
    page.locator(".tn-hero .tn-plot").hover(position={"x": 5, "y": 5})
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {APP}.view.count === 0 && {APP}.view.pin === null")


def test_hover_lights_a_sample_up_everywhere(tune: Callable) -> None:
    page = tune("20260101-000000-whole", f"&epoch={T1_EPOCH + 1}")
    id_, x, y = page.evaluate(
        f"() => {{ const p = {APP}.quadrant.plot, i = p.points.front[0][3], b = p.host.getBoundingClientRect(); return [i, b.left + p.px(p.points.xs[i]), b.top + p.py(p.points.ys[i])] }}"
    )
    page.mouse.move(x + 1, y)
    page.wait_for_function(f"() => {APP}.view.hover !== null")
    hovered = page.evaluate(f"() => {APP}.view.hover")
    assert page.locator(".tn-sample b").inner_text().startswith(f"#{hovered} ")
    page.mouse.click(x, y)
    page.wait_for_function(f"() => {APP}.view.pin !== null")
    image = page.locator(".tn-images button").nth(2)
    image.hover()
    assert page.evaluate(f"() => {APP}.view.hover") == int(image.get_attribute("data-id"))
    assert isinstance(id_, int)


def test_live_updates_leave_zoom_selection_cursor_and_pin_alone_and_follow_goes_on(
    server: Any, runs: Path, visit: Callable
) -> None:
    with LiveFakeRun(runs, run_id="20260102-000000-live", epochs=38, seconds=0.6) as live:
        page = visit(f"{server.url}/tune?run={live.path.name}", expect_errors=True, width=1440, height=900)
        page.wait_for_function(
            f"() => document.querySelector('.tn')?.dataset.shown && {APP}.model.info.length > 3", timeout=60000
        )
        assert look(page)["following"]
        page.locator(".tn-epoch").focus()
        page.keyboard.press("Home")
        page.locator(".tn-hero .tn-plot").hover(position={"x": 300, "y": 200})
        page.mouse.wheel(0, -300)
        page.evaluate(f"() => {{ const a = {APP}; a.select([3, 5, 8], {{}}); a.pick(5, {{}}) }}")
        page.wait_for_timeout(800)
        before, epochs = look(page), page.evaluate(f"() => {APP}.model.info.length")
        assert not before["following"] and before["zoom"] != [0, 1, 0, 1] and before["epoch"] == 0
        page.wait_for_function(f"n => {APP}.model.info.length >= n", arg=epochs + 4, timeout=60000)
        assert look(page) == before
        assert "newer" in page.locator(".tn-now").inner_text()
        page.locator(".tn-follow").click()
        page.wait_for_function(
            f"() => {APP}.view.epoch === {APP}.model.info.length - 1 && +document.querySelector('.tn').dataset.shown === {APP}.view.epoch",
            timeout=60000,
        )
        assert {**look(page), "epoch": 0, "following": False} == before


@pytest.mark.parametrize(
    ("run", "query", "words"),
    [
        ("20260101-000002-early", "", "distances come with epoch 9"),
        ("20260101-000002-early", "", "Needs the main model, which begins in epoch 9"),
        ("20260101-000003-one", f"&epoch={T1_EPOCH + 1}", "epoch 17"),
        ("20260101-000004-few", f"&epoch={T1_EPOCH + 1}", "points: dress"),
        ("20260101-000001-blind", f"&epoch={T1_EPOCH + 1}", "truth not shown"),
    ],
)
def test_bad_input_has_a_state_of_its_own(tune: Callable, run: str, query: str, words: str) -> None:
    page = tune(run, query)
    assert words in page.locator(".tn").inner_text()
    assert page.locator("[data-testid=stException]").count() == 0
    assert [e for e in page.complaints.console_errors if "404" not in e] == []


def test_without_truth_nothing_speaks_of_poison(tune: Callable) -> None:
    page = tune("20260101-000000-whole", f"&epoch={T1_EPOCH + 1}&truth=false")
    assert page.evaluate(f"() => {APP}.model.poison") is None
    assert page.evaluate(
        f"() => {APP}.model.info.every(r => r.poison === null && r.asr === null) && {APP}.model.header.grid.poison === null"
    )
    visible = (
        page.locator(".tn-controls").inner_text()
        + page.locator(".tn-diff").inner_text()
        + page.locator(".tn-table").inner_text()
    )
    assert not re.search(r"\d+ (of them )?poison", visible)


def test_run_this_starts_a_branch_from_the_right_epoch(server: Any, runs: Path, visit: Callable) -> None:
    """With a run of the engine's own; its checkpoints are what a branch needs."""
    from bsd_engine.config.presets import smoke
    from bsd_engine.runs.record import record_run

    source = runs / "20260103-000000-real"
    record_run(smoke().with_settings(device="cpu"), source)
    config = RunReader(source).config
    epoch = config.schedule.altruistic_epochs + config.schedule.t1
    page = visit(
        f"{server.url}/tune?run={source.name}&epoch={epoch + 1}&whatif=0.9_0.4_{config.schedule.t1}_{config.schedule.altruistic_epochs}_min",
        expect_errors=True,
    )
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    wait_for_rest(page)
    size = counts(page)["size"]
    page.get_by_role("button", name="Run this").click()
    page.get_by_text(f"from the end of epoch {epoch}").wait_for(timeout=60000)

    def branch() -> Path | None:
        return next((p for p in runs.iterdir() if p.name > source.name and (p / "summary.json").exists()), None)

    for _ in range(300):
        if branch():
            break
        page.wait_for_timeout(100)
    found = RunReader(branch())
    assert found.branched_from == {"run": source.name, "epoch": epoch - 1}
    assert found.config.split.alpha == 0.9 and found.config.split.beta == 0.4
    assert found.epoch(epoch).clean_mask.sum() == size, "the preview was exact"


def test_a_visit_makes_no_foreign_request_and_names_its_script_once(tune: Callable) -> None:
    page = tune("20260101-000000-whole")
    page.wait_for_timeout(300)
    names = page.evaluate(
        "() => performance.getEntriesByType('resource').map(r => r.name).filter(n => n.includes('tune.js'))"
    )
    assert len(names) == 1
