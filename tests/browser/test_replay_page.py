"""The offline page in a real browser, from disk and without a network: cuts, time, map over the shares, keyboard."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.components import packet
from app.components.bundle import bundle
from app.replay.page import replay_page
from app.server import run_cache
from app.tune import what_if
from bsd_engine.method.preview import Settings
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import drag_cut
from tests.support.fake_run import CONFIG, fake_run
from tests.support.hostile import hostile_run
from tests.support.page.replay_pages import run_with_distances, taken_apart

pytestmark = pytest.mark.slow

APP = "document.querySelector('.tn').app"
OWN = Settings.of(CONFIG)
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(fake_run(tmp_path_factory.mktemp("runs"), epochs=38, maps=True))


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`opened(page_bytes)`: the page from disk in an offline browser; it must request nothing and log no complaint."""
    contexts, complaints, asked = [], [], []

    def open_page(content: bytes, *, dark: bool = False, width: int = 1440, height: int = 900) -> Any:
        file = tmp_path / f"replay-{len(contexts)}.html"
        file.write_bytes(content)
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        context.on("request", lambda request: None if request.url == file.as_uri() else asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.goto(file.as_uri())
        page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
        at_rest(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == [] and complaints == []


def at_rest(page: Any) -> None:
    """Wait until nothing is left to draw and the shown trust in the preview belongs to the settings on the screen."""
    page.wait_for_function(
        f"""() => {{ const a = {APP}, answer = a.model.header.answer; return a.todo === null && answer
        && a.key(answer.settings, answer.epoch) === a.key(a.model.effective(a.view), a.view.epoch) }}""",
        timeout=60000,
    )


def size(page: Any) -> int:
    return int(page.evaluate("document.querySelector('.tn').dataset.size"))


def engine_size(run: RunReader, page: Any, epoch: int) -> int:
    """The number of samples that the engine would keep with the settings on the screen."""
    moved = page.evaluate(f"() => {APP}.view.settings")
    return int(what_if.preview_at(run, replace(OWN, alpha=moved["alpha"], beta=moved["beta"]), epoch, None).pool.sum())


def test_cuts_and_time_work_offline_and_count_what_the_engine_counts(run: RunReader, opened: Callable) -> None:
    page = opened(replay_page(run))
    assert page.locator(".tn-badge").inner_text() == "as recorded"
    assert size(page) == what_if.preview_at(run, OWN, T1_EPOCH, None).pool.sum()
    drag_cut(page, "alpha", -60, 0)
    at_rest(page)
    drag_cut(page, "beta", 0, 40)
    at_rest(page)
    settings = page.evaluate(f"() => {APP}.view.settings")
    assert settings["alpha"] > OWN.alpha and settings["beta"] > OWN.beta
    assert size(page) == engine_size(run, page, T1_EPOCH) != what_if.preview_at(run, OWN, T1_EPOCH, None).pool.sum()
    assert page.locator(".tn-badge").inner_text() == "exact"
    page.locator(".tn-epoch").fill("30")
    page.wait_for_function("() => +document.querySelector('.tn').dataset.shown === 29")
    at_rest(page)
    assert size(page) == engine_size(run, page, 29)
    page.get_by_role("button", name="Back to the run's").click()
    at_rest(page)
    assert page.locator("main .tn").get_attribute("data-shown") == str(T1_EPOCH)
    assert size(page) == run.epoch(T1_EPOCH).clean_mask.sum()
    page.locator(".tn-images button canvas").first.wait_for()
    assert page.evaluate(f"() => {APP}.model.thumbs.size") > 5


def test_it_works_by_keyboard_and_plays(run: RunReader, opened: Callable) -> None:
    page = opened(replay_page(run), dark=True)
    page.locator(".tn-cut-alpha").focus()
    page.keyboard.press("Shift+ArrowLeft")
    at_rest(page)
    assert page.evaluate(f"() => {APP}.view.settings.alpha") == pytest.approx(OWN.alpha + 0.05)
    assert size(page) == engine_size(run, page, T1_EPOCH)
    page.get_by_role("button", name="Play").press("Enter")
    page.wait_for_function(f"() => {APP}.view.epoch >= {T1_EPOCH + 2}")
    page.get_by_role("button", name="Pause").press("Enter")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 23)"


def test_actions_that_need_the_engine_are_not_offered(run: RunReader, opened: Callable) -> None:
    page = opened(replay_page(run))
    slider = page.locator(".tn-controls input[type=range][aria-label='T1']")
    slider.fill(str(OWN.t1 + 3))
    slider.dispatch_event("change")
    at_rest(page)
    assert page.locator(".tn-badge").inner_text() == "needs a run"
    assert not page.locator(".tn-run").is_visible() and not page.locator(".tn-follow").is_visible()
    page.get_by_text("About this page").click()
    assert page.get_by_text("python -m bsd_engine train").is_visible()


def test_without_truth_nothing_mentions_poison(run: RunReader, opened: Callable) -> None:
    page = opened(replay_page(run, with_truth=False))
    assert page.evaluate(f"() => {APP}.model.poison === null && {APP}.model.header.grid.poison === null")
    assert (
        "poison"
        not in page.locator(".tn-table").inner_text()
        + page.locator(".tn-diff").inner_text()
        + page.locator(".rp-head").inner_text()
    )


def test_hostile_names_stay_text(tmp_path: Path, opened: Callable) -> None:
    page = opened(replay_page(RunReader(hostile_run(tmp_path, "20260101-000000-abcdef"))))
    assert page.evaluate("window.broken") is None
    assert page.locator("img, svg[onload], a").count() == 0


# -- the page's counts in place of the server's ----------------------------------------------------


@pytest.fixture(scope="module")
def twin(browser: Any) -> Any:
    """A blank page with the function of replay_twin.js."""
    page = browser.new_page()
    page.add_script_tag(content=bundle(Path(__file__).parent / "twins/replay_twin.js"), type="module")
    page.wait_for_function("() => window.replayed")
    yield page
    page.close()


def asks() -> list[tuple[int, Settings]]:
    """Epochs of every stage, with each setting changed alone and some together."""
    changes: list[dict] = [
        {},
        {"alpha": 0.33},
        {"beta": 0.5},
        {"t1": 5},
        {"t1": 12},
        {"altruistic_epochs": 6},
        {"altruistic_epochs": 12},
        {"distance": "mean"},
        {"alpha": 0.2, "t1": 3},
        {"distance": "max", "altruistic_epochs": 3},
    ]
    return [(epoch, replace(OWN, **change)) for epoch in (0, 7, 8, 12, 16, 18, 24, 37) for change in changes]


@pytest.mark.parametrize(
    "settings",
    [
        {"init_combine": "intersection"},
        {"init_combine": "union"},
        {"init_combine": "als_only"},
        {"init_combine": "oss_only"},
        {"init_combine": "random"},
        {"als_init_ratio": 0.37},
        {"altruistic_update": "mixmatch_full"},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_the_map_over_the_shares_and_the_worth_of_a_preview_match_the_engine(
    tmp_path: Path, twin: Any, settings: dict
) -> None:
    run = RunReader(run_with_distances(tmp_path, **settings))
    parts = taken_apart(replay_page(run))
    assert parts.header["own"]["combine"] == run.config.split.init_combine
    encoded = base64.b64encode(zlib.compress(packet.pack(parts.header, parts.arrays))).decode()
    answers = twin.evaluate(
        "([encoded, asks]) => replayed(encoded, asks)",
        [encoded, [{"epoch": e, "settings": asdict(s)} for e, s in asks()]],
    )
    grids = 0
    for (epoch, wanted), found in zip(asks(), answers, strict=True):
        row = run_cache.rows(run.path)[epoch]
        worth = what_if.worth(run, what_if.effective(run.config, row, wanted), row)
        assert found["worth"] == [worth.honesty, worth.sentence], (epoch, wanted)
        grid = what_if.pool_map(run, wanted, epoch, truth_shown=True)[1]
        assert (found["grid"] is None) == (grid is None)
        if grid is not None:
            grids += 1
            for name, values in (
                ("size", grid.size),
                ("poison", grid.poison),
                ("clean", grid.clean),
                ("smallest", grid.smallest_class),
            ):
                assert np.array_equal(found["grid"][name], values.ravel()), (epoch, wanted, name)
    assert grids > 30
