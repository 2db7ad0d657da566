"""The page Tune in use: drag a cut, scrub, select, refresh, leave and come back, while a run goes on."""

from __future__ import annotations

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
from tests.support.fake_run import CONFIG
from tests.support.page.tune_views import APP, T1_EPOCH, WHOLE, counts, shown_view, wait_for_rest

pytestmark = pytest.mark.slow


def lasso(page: Any, left: float, top: float, right: float, bottom: float, *keys: str) -> None:
    """Draw a lasso around a part of the quadrant, given in shares of its size."""
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
    run = WHOLE
    page = tune(run, f"&epoch={T1_EPOCH + 1}")
    own = Settings.of(CONFIG)
    assert page.locator(".tn-badge").inner_text() == "as recorded"
    assert counts(page) == {"size": int(engine_pool(runs, run, own).sum()), "gained": 0, "lost": 0}
    drag_cut(page, "alpha", -60, 0)
    drag_cut(page, "beta", 0, 40)
    wait_for_rest(page)
    moved = shown_view(page)["settings"]
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
    gained, lost, moved_poison = (pool & ~before).sum(), (before & ~pool).sum(), ((pool ^ before) & poison).sum()
    assert re.search(rf"\+{gained:,} in, −{lost:,} out, {moved_poison} of them poison", said)
    assert page.locator(".tn-badge").inner_text() == "exact"
    page.get_by_role("button", name="Back to the run's").click()
    wait_for_rest(page)
    assert counts(page)["gained"] == 0


def test_every_cut_and_slider_works_by_keyboard(tune: Callable) -> None:
    page = tune(WHOLE, f"&epoch={T1_EPOCH + 1}")
    page.locator(".tn-cut-alpha").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    page.locator(".tn-cut-beta").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(100)
    settings = shown_view(page)["settings"]
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
    assert shown_view(page)["settings"]["beta"] == pytest.approx(0.25)


def test_a_later_epoch_is_one_step_and_its_diagonal_is_moved_by_keyboard(tune: Callable, runs: Path) -> None:
    run, epoch = WHOLE, 28
    page = tune(run, f"&epoch={epoch + 1}")
    reader = RunReader(runs / run)
    assert counts(page)["size"] == reader.epoch(epoch).clean_mask.sum()
    page.locator(".tn-cut-ratio").focus()
    page.keyboard.press("Shift+ArrowLeft")
    wait_for_rest(page)
    settings = shown_view(page)["settings"]
    asked = replace(Settings.of(CONFIG), alpha=settings["alpha"], beta=settings["beta"])
    assert asked != Settings.of(CONFIG)
    assert counts(page)["size"] == preview.later_pool(reader.config, asked, reader.labels, reader.epoch(epoch)).sum()
    assert page.locator(".tn-badge").inner_text() == "one step"


def test_t1_scrubs_through_recorded_states_and_beyond_needs_a_run(tune: Callable, runs: Path) -> None:
    run = WHOLE
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
    page = tune(WHOLE, f"&epoch={T1_EPOCH + 1}")
    lasso(page, 0.3, 0.1, 0.7, 0.9)
    page.wait_for_function(f"() => {APP}.view.count > 5")
    first = set(shown_view(page)["selected"])
    lasso(page, 0.7, 0.1, 0.98, 0.9, "Shift")
    more = set(shown_view(page)["selected"])
    assert more > first
    lasso(page, 0.3, 0.1, 0.5, 0.9, "Alt")
    less = set(shown_view(page)["selected"])
    assert less < more
    wait_for_rest(page)  # until the images of the new selection are shown: a click between two sets of images hits none
    page.locator(".tn-images button").first.click()
    page.wait_for_function(f"() => {APP}.view.pin !== null")
    page.wait_for_function("() => location.search.includes('pin=')")
    page.wait_for_timeout(600)
    before = shown_view(page)
    page.reload()
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    after = shown_view(page)
    assert {**after, "zoom": 0} == {**before, "zoom": 0} and len(after["selected"]) == len(less)
    page.get_by_role("link", name="Run", exact=True).click()
    page.locator(".tn").wait_for(state="detached")
    page.get_by_role("link", name="Tune").click()
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    assert {**shown_view(page), "zoom": 0} == {**before, "zoom": 0}
    page.locator(".tn-hero .tn-plot").hover(position={"x": 5, "y": 5})
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {APP}.view.count === 0 && {APP}.view.pin === null")


def test_hover_lights_a_sample_up_everywhere(tune: Callable) -> None:
    page = tune(WHOLE, f"&epoch={T1_EPOCH + 1}")
    id_, x, y = page.evaluate(
        f"""() => {{
            const p = {APP}.quadrant.plot, i = p.points.front[0][3], b = p.host.getBoundingClientRect()
            return [i, b.left + p.px(p.points.xs[i]), b.top + p.py(p.points.ys[i])]
        }}"""
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
