"""The page Tune with runs in every state: live, early, tiny, without ground truth; and a branch that it starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import LiveFakeRun
from tests.support.page.tune_views import APP, T1_EPOCH, WHOLE, counts, shown_view, wait_for_rest

pytestmark = pytest.mark.slow


def test_live_updates_leave_zoom_selection_cursor_and_pin_alone_and_follow_goes_on(
    server: Any, runs: Path, visit: Callable
) -> None:
    with LiveFakeRun(runs, run_id="20260102-000000-live", epochs=38, seconds=0.6) as live:
        page = visit(f"{server.url}/tune?run={live.path.name}", expect_errors=True, width=1440, height=900)
        page.wait_for_function(
            f"() => document.querySelector('.tn')?.dataset.shown && {APP}.model.info.length > 3", timeout=60000
        )
        assert shown_view(page)["following"]
        page.locator(".tn-epoch").focus()
        page.keyboard.press("Home")
        page.locator(".tn-hero .tn-plot").hover(position={"x": 300, "y": 200})
        page.mouse.wheel(0, -300)
        page.evaluate(f"() => {{ const a = {APP}; a.select([3, 5, 8], {{}}); a.pick(5, {{}}) }}")
        page.wait_for_timeout(800)
        before, epochs = shown_view(page), page.evaluate(f"() => {APP}.model.info.length")
        assert not before["following"] and before["zoom"] != [0, 1, 0, 1] and before["epoch"] == 0
        page.wait_for_function(f"n => {APP}.model.info.length >= n", arg=epochs + 4, timeout=60000)
        assert shown_view(page) == before
        assert "newer" in page.locator(".tn-now").inner_text()
        page.locator(".tn-follow").click()
        page.wait_for_function(
            f"""() => {APP}.view.epoch === {APP}.model.info.length - 1
                && +document.querySelector('.tn').dataset.shown === {APP}.view.epoch""",
            timeout=60000,
        )
        assert {**shown_view(page), "epoch": 0, "following": False} == before


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


def test_without_ground_truth_nothing_mentions_poison(tune: Callable) -> None:
    page = tune(WHOLE, f"&epoch={T1_EPOCH + 1}&truth=false")
    assert page.evaluate(f"() => {APP}.model.poison") is None
    assert page.evaluate(
        f"""() => {APP}.model.info.every(r => r.poison === null && r.asr === null)
            && {APP}.model.header.grid.poison === null"""
    )
    visible = (
        page.locator(".tn-controls").inner_text()
        + page.locator(".tn-diff").inner_text()
        + page.locator(".tn-table").inner_text()
    )
    assert not re.search(r"\d+ (of them )?poison", visible)


def test_run_this_starts_a_branch_from_the_right_epoch(server: Any, runs: Path, visit: Callable) -> None:
    """With a run trained by the engine, since a branch needs its checkpoints."""
    from bsd_engine.config.presets import smoke
    from bsd_engine.runs.record import record_run

    source = runs / "20260103-000000-real"
    record_run(smoke().with_settings(device="cpu"), source)
    config = RunReader(source).config
    epoch = config.schedule.altruistic_epochs + config.schedule.t1
    settings = f"0.9_0.4_{config.schedule.t1}_{config.schedule.altruistic_epochs}_min"
    page = visit(f"{server.url}/tune?run={source.name}&epoch={epoch + 1}&whatif={settings}", expect_errors=True)
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
    started = RunReader(branch())
    assert started.branched_from == {"run": source.name, "epoch": epoch - 1}
    assert started.config.split.alpha == 0.9 and started.config.split.beta == 0.4
    assert started.epoch(epoch).clean_mask.sum() == size, "the preview was exact"


def test_a_visit_makes_no_foreign_request_and_names_its_script_once(tune: Callable) -> None:
    page = tune(WHOLE)
    page.wait_for_timeout(300)
    names = page.evaluate(
        "() => performance.getEntriesByType('resource').map(r => r.name).filter(n => n.includes('tune.js'))"
    )
    assert len(names) == 1
