"""The dashboard as a teacher uses it: a real training on a real server, watched and steered in a browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsd_engine.config.presets import smoke
from bsd_engine.runs.layout import list_runs
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import choose_smoke, until

pytestmark = pytest.mark.slow

STREAMS = ("altruistic_loss", "oss_distance", "feature_map", "loss_discrepancy", "poison_in_pool")
PLOT = ".st-key-{} .live-plot-chart"
DRAWN = (
    "name => { const c = document.querySelector(name); return !!c?.data?.length && c.layout.uirevision !== 'waiting' }"
)
RANGE = "name => document.querySelector(name)._fullLayout.xaxis.range.map(v => +v.toFixed(4))"
LONG_WARM_UP = 60
LONG_RUN = {"Selective drop": "900", "Iterations per epoch": "40"}  # the smoke preset would end during the test


def now(page: Any) -> str:
    """The sentence about the state of the run."""
    return page.locator(".now").inner_text(timeout=60000)


def recorded(runs: Path) -> int:
    """Number of complete epochs of the newest run."""
    return len(list(list_runs(runs)[0].glob("epochs/*.npz")))


def wait_for_words(page: Any, words: str) -> None:
    until(lambda: re.search(words, now(page)), lambda: f"{words!r} in {now(page)!r}")


def no_exception(page: Any) -> None:
    assert page.locator("[data-testid=stException]").all_inner_texts() == []


def slide(page: Any, label: str, *keys: str) -> None:
    """Move a slider by keyboard, without the mouse."""
    page.get_by_role("slider", name=label).focus()
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(300)


def test_a_run_is_started_watched_paused_found_again_and_stopped(
    server: Any, runs: Path, visit: Callable, tmp_path: Path
) -> None:
    page = visit(f"{server.url}/run", width=1440, height=900)
    page.get_by_text("Watch a network learn").wait_for()
    choose_smoke(page)
    slide(page, "alpha", "ArrowRight")
    slide(page, "beta", "ArrowRight", "ArrowRight")
    slide(page, "T1", "End")
    page.get_by_text("More settings").click()
    for label, value in LONG_RUN.items():
        field = page.get_by_role("spinbutton", name=label)
        field.fill(value)
        field.press("Enter")
        page.wait_for_timeout(500)
    started = time.monotonic()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**run=*")
    first_chart = until(
        lambda: page.evaluate(DRAWN, PLOT.format("altruistic_loss")) and time.monotonic() - started, "the first chart"
    )
    print(f"from Start to the first chart: {first_chart:.1f} s")

    config = json.loads((list_runs(runs)[0] / "config.json").read_text())["config"]
    preset = smoke().split
    assert config["split"]["alpha"] == pytest.approx(preset.alpha + 0.01) and config["split"]["beta"] == pytest.approx(
        preset.beta + 0.02
    )
    assert config["schedule"]["t1"] == LONG_WARM_UP
    for name in STREAMS:
        until(lambda name=name: page.evaluate(DRAWN, PLOT.format(name)), f"the stream {name}")
    no_exception(page)

    zoom_is_kept(page, runs)
    pause_and_look_from_elsewhere(page, server, runs, visit)
    choose_an_epoch(page)
    page.screenshot(path=tmp_path / "run.png")

    first = page.evaluate("location.search")
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for_words(page, "Waiting for the run that is training to end")
    # an earlier click would concern the run in the old address
    page.wait_for_function("first => location.search !== first", arg=first)
    page.locator("[data-testid=stMain]").get_by_role(
        "button", name="Stop"
    ).click()  # the header has another while a script runs
    wait_for_words(page, "removed from the queue")
    page.goto(f"{server.url}/run")
    wait_for_words(page, "epoch")
    page.locator("[data-testid=stMain]").get_by_role(
        "button", name="Stop"
    ).click()  # the header has another while a script runs
    wait_for_words(page, "Stopped after epoch")
    assert RunReader(list_runs(runs)[0]).status == "stopped"
    no_exception(page)


def zoom_is_kept(page: Any, runs: Path) -> None:
    """Zoom into a chart and check that some epochs later the zoom is kept."""
    chart = PLOT.format("altruistic_loss")
    page.evaluate("name => { document.querySelector(name).mark = 1 }", chart)
    box = page.locator(f"{chart} .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 70, steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)
    zoomed, title = (
        page.evaluate(RANGE, chart),
        page.evaluate("name => document.querySelector(name).layout.title.text", chart),
    )
    before = recorded(runs)
    until(lambda: recorded(runs) > before + 1, "two more epochs")
    until(
        lambda: page.evaluate("name => document.querySelector(name).layout.title.text", chart) != title,
        "an update of the chart",
    )
    assert page.evaluate(RANGE, chart) == zoomed
    assert page.evaluate("name => document.querySelector(name).mark", chart) == 1


def pause_and_look_from_elsewhere(page: Any, server: Any, runs: Path, visit: Callable) -> None:
    """Pause, refresh, look from a second tab, resume."""
    page.get_by_role("button", name="Pause").click()
    wait_for_words(page, "paused")
    before = recorded(runs)
    page.wait_for_timeout(2000)
    assert recorded(runs) == before
    assert page.get_by_role("button", name="Pause").is_disabled()
    other = visit(f"{server.url}/run", dark=True)
    wait_for_words(other, "paused")
    assert other.url.endswith(f"run={list_runs(runs)[0].name}")
    page.reload()
    wait_for_words(page, "paused")
    other.get_by_role("button", name="Resume").click()
    wait_for_words(page, "iteration|left|known")
    until(lambda: recorded(runs) > before, "an epoch after the pause")
    no_exception(other)


def choose_an_epoch(page: Any) -> None:
    """Scrub back, which stops following, and follow again."""
    track, follow = page.get_by_role("slider", name="Epoch shown"), page.get_by_role("button", name="Follow live")
    until(lambda: page.evaluate(DRAWN, PLOT.format("accuracy")), "charts after the refresh")
    track.focus()
    page.keyboard.press("Home")
    until(
        lambda: (
            "epoch 1 of"
            in page.evaluate("name => document.querySelector(name).layout.title.text", PLOT.format("altruistic_loss"))
        ),
        "the first epoch",
    )
    assert track.input_value() == "1" and "newer" in follow.inner_text()
    page.wait_for_timeout(2500)
    assert track.input_value() == "1"
    follow.click()
    until(lambda: int(track.input_value()) > 1 and follow.is_disabled(), "the newest epoch")


def test_a_killed_server_loses_at_most_the_epoch_in_progress(server: Any, runs: Path, visit: Callable) -> None:
    page = visit(f"{server.url}/run", expect_errors=True)
    wait_for_words(page, "Stopped after epoch")
    before = recorded(runs)
    page.get_by_role("button", name="Resume").click()
    until(lambda: recorded(runs) > before + 1, "epochs after the resume")
    server.stop(kill=True)
    whole = recorded(runs)
    server.start()
    page.reload()
    wait_for_words(page, rf"Interrupted after epoch {whole} of")
    page.get_by_role("button", name="Resume").click()
    until(lambda: recorded(runs) > whole, "an epoch more than before the crash")
    no_exception(page)
    server.stop()
    assert RunReader(list_runs(runs)[0]).status == "stopped"
    server.start()


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (1440, 900, True)])
def test_no_text_is_clipped(server: Any, visit: Callable, tmp_path: Path, width: int, height: int, dark: bool) -> None:
    page = visit(f"{server.url}/run", width=width, height=height, dark=dark)
    until(lambda: page.evaluate(DRAWN, PLOT.format("accuracy")), "the charts")
    page.screenshot(path=tmp_path / f"page-{width}.png")
    texts = ".chips, .chips span, .now, .tiles .label, .tiles .value, .tiles .note, button p"
    clipped = """texts => [...document.querySelectorAll(texts)]
      .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.className + ': ' + e.textContent)"""
    assert page.evaluate(clipped, texts) == []
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth <= main.clientWidth")


def test_the_charts_follow_the_theme(server: Any, visit: Callable) -> None:
    page = visit(f"{server.url}/run")
    colour = "name => document.querySelector(name)?.layout?.template.layout.font.color"
    light = until(lambda: page.evaluate(colour, PLOT.format("accuracy")), "the charts")
    page.emulate_media(color_scheme="dark")
    until(lambda: page.evaluate(colour, PLOT.format("accuracy")) != light, "charts in the dark theme's colours")


def test_a_branch_takes_the_page_to_the_new_run(server: Any, runs: Path, visit: Callable) -> None:
    page = visit(f"{server.url}/run")
    wait_for_words(page, "Stopped after epoch")
    page.get_by_text("Which class is the target?").click()
    first = page.evaluate("location.search")
    page.get_by_role("button", name="Branch with this target").click()
    page.wait_for_function("first => location.search !== first", arg=first)
    assert page.url.endswith(f"run={list_runs(runs)[0].name}")
    wait_for_words(page, "iteration|left|known")  # the branch's; the run shown before has ended
    page.locator("[data-testid=stMain]").get_by_role("button", name="Stop").click()
    wait_for_words(page, "Stopped after epoch")
    no_exception(page)
