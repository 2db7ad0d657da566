"""The page Learn in class: eight steps with a prediction in each, keyboard, slides, and the address."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.learn import tour
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import until
from tests.support.fake_run import CONFIG, fake_run

pytestmark = pytest.mark.slow

RUN, OTHER = "20260101-000001-whole", "20260101-000000-blind"
APP = "document.querySelector('.tn').app"
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on this machine, one without ground truth."""
    root = tmp_path_factory.mktemp("runs")
    fake_run(root, run_id=RUN)
    fake_run(root, run_id=OTHER, truth=False)
    return root


@pytest.fixture(scope="module")
def site(serve: Callable, own: Path) -> Any:
    return serve("streamlit_app.py", env={"BSD_RUNS": str(own)})


@pytest.fixture
def learn(site: Any, visit: Callable) -> Callable[..., Any]:
    """`learn(query)`: the page with its views drawn."""

    def open_page(query: str = f"?run={RUN}", **options: Any) -> Any:
        page = visit(f"{site.url}/{query}", **{"width": 1440, "height": 900, **options})
        settle(page)
        return page

    return open_page


def settle(page: Any) -> None:
    """Wait until the views are drawn and nothing is left to draw."""
    page.wait_for_function(
        f"() => document.querySelector('.tn')?.dataset.shown && {APP}.todo === null && {APP}.learn.steps.length",
        timeout=60000,
    )


def shown(page: Any) -> dict[str, Any]:
    """The state of the views and of the tour."""
    settle(page)
    return page.evaluate(f"""() => {{
        const a = {APP}, {{lesson, places}} = a.learn, {{view}} = a
        return {{
            step: lesson.step, slides: lesson.slides, captions: lesson.captions, places, veiled: !!a.model.veil,
            epoch: view.epoch, count: view.count, pin: view.pin, alpha: view.settings.alpha, playing: !!a.strip.timer,
        }}
    }}""")


def no_exception(page: Any) -> None:
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("[data-testid=stAlert]").count() == 0


def test_the_tour_is_walked_with_a_prediction_in_every_step(learn: Callable, own: Path, tmp_path: Path) -> None:
    page, steps = learn(), tour.steps(RunReader(own / RUN))
    for k, step in enumerate(steps):
        seen = shown(page)
        assert page.locator(".tn-tour h2").inner_text() == step.title and seen["step"] == k
        assert (seen["epoch"], seen["count"], seen["pin"]) == (step.epoch, len(step.selected), step.pinned)
        assert seen["places"][step.focus] == "big" and set(seen["places"]) == {step.focus, *step.also}
        for panel in ("hero", "map", "other", "curves", "side", "controls"):
            assert page.locator(f".tn-{panel}").is_visible() == (panel in seen["places"]), (k, panel)
        assert seen["veiled"] == step.veiled and not page.locator(".tn-answer").is_visible()
        page.locator(".tn-choices button").nth(1).click()
        page.locator(".tn-answer").wait_for()
        answer = page.locator(".tn-answer").inner_text()
        assert answer.endswith(step.question.answer.replace("  ", " ")) and not shown(page)["veiled"]
        assert answer.startswith("As you predicted.") == (step.question.right == 1)
        page.screenshot(path=tmp_path / f"step{k + 1}.png")
        if k < 7:
            page.get_by_role("button", name="Next step").click()
            page.wait_for_function(f"k => {APP}.learn.lesson.step === k", arg=k + 1)
            page.wait_for_url(f"**step={k + 2}*")
    assert page.get_by_role("button", name="Next step").is_disabled()
    no_exception(page)


def test_the_suggestion_of_a_step_works_on_the_views(learn: Callable) -> None:
    page = learn(f"?run={RUN}&step=6")
    before = int(page.locator(".tn").get_attribute("data-size"))
    page.get_by_role("button", name="Move it to 0.95").click()
    page.wait_for_function(f"() => {APP}.view.settings.alpha === 0.95")
    settle(page)
    assert int(page.locator(".tn").get_attribute("data-size")) > before
    page.wait_for_url("**whatif=0.95_*")
    page.keyboard.press("p")
    page.keyboard.press("p")
    page.wait_for_function(f"() => {APP}.learn.lesson.step === 3")
    assert shown(page)["alpha"] == CONFIG.split.alpha, "another step begins with the run's own cuts"
    page.get_by_role("button", name="Play the warm-up").click()
    page.wait_for_function(f"() => {APP}.strip.timer && {APP}.view.epoch > 0 && {APP}.view.epoch < 5")
    page.wait_for_function(f"() => !{APP}.strip.timer && {APP}.view.epoch === {CONFIG.schedule.altruistic_epochs - 1}")


def test_keys_step_and_play_but_not_during_typing(learn: Callable) -> None:
    page = learn()
    page.locator(".tn-tour h2").click()
    for key, step in [("ArrowRight", 1), ("n", 2), ("n", 3), ("ArrowLeft", 2), ("p", 1)]:
        page.keyboard.press(key)
        page.wait_for_function(f"k => {APP}.learn.lesson.step === k", arg=step)
    page.keyboard.press(" ")
    page.wait_for_function(f"() => {APP}.strip.timer")
    page.keyboard.press(" ")
    page.wait_for_function(f"() => !{APP}.strip.timer")
    page.locator(".tn-epoch").focus()
    before = shown(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"e => {APP}.view.epoch === e", arg=before["epoch"] + 1)
    page.keyboard.press("n")
    assert shown(page)["step"] == before["step"], "an arrow on the slider moves the slider alone"
    page.locator(".tn-tour h2").click()
    page.keyboard.press("n")
    page.wait_for_function(f"() => {APP}.learn.lesson.step === 2")


def test_slides_are_large_and_hide_the_controls(learn: Callable, tmp_path: Path) -> None:
    page = learn(f"?run={RUN}&step=5", width=1920, height=1080)
    page.locator(".tn-tour h2").click()
    page.keyboard.press("s")
    page.wait_for_url("**slides=1*")
    settle(page)
    for hidden in (".tn-cards", ".tn-algorithm", ".tn-speed", ".tn-play", ".tn-tour > footer"):
        assert not page.locator(hidden).is_visible(), hidden
    height = page.evaluate(
        """() => {
            const t = document.querySelector('.tn-says'), zoom = t.getBoundingClientRect().width / t.offsetWidth
            return zoom * parseFloat(getComputedStyle(t).fontSize)
        }"""
    )
    assert height >= 32, "pixels of a letter on a projector of 1920"
    page.screenshot(path=tmp_path / "slides.png")
    at = page.evaluate(  # a sample that no handle of a cut covers
        f"""() => {{
            const p = {APP}.quadrant.plot, b = p.host.getBoundingClientRect(), s = b.width / p.host.offsetWidth
            return Array.from(p.points.front[0],
                i => [i, b.left + s * p.px(p.points.xs[i]), b.top + s * p.py(p.points.ys[i])])
                .find(([, x, y]) => document.elementFromPoint(x, y)?.tagName === 'CANVAS')
        }}"""
    )
    page.mouse.move(at[1], at[2])
    page.wait_for_function(f"() => {APP}.view.hover !== null")
    distance = page.evaluate(
        f"""i => {{
            const {{xs, ys}} = {APP}.quadrant.plot.points, h = {APP}.view.hover
            return Math.hypot(xs[i] - xs[h], ys[i] - ys[h])
        }}""",
        at[0],
    )
    assert distance < 0.02, "the pointer finds the sample below it, enlarged or not"
    page.keyboard.press("n")
    page.wait_for_function(f"() => {APP}.learn.lesson.step === 5")
    page.get_by_role("button", name="leave slides").click()
    page.locator(".tn-algorithm").wait_for()


def test_the_address_restores_everything(learn: Callable) -> None:
    page = learn(f"?run={RUN}&step=6")
    page.get_by_role("button", name="researcher").click()
    page.get_by_text("hide…").click()
    page.get_by_role("checkbox", name="recordings").check()
    page.evaluate(
        f"""() => {{
            const a = {APP}
            a.change({{alpha: .8}}); a.scrub({T1_EPOCH - 2}); a.select([3, 5, 8], {{}}); a.pick(5, {{}})
        }}"""
    )
    for part in ("captions=researcher", "hide=cards", f"epoch={T1_EPOCH - 1}", "whatif=0.8_", "pin=5", "sel="):
        page.wait_for_url(f"**{part}*")
    before = shown(page)
    page.reload()
    after = shown(page)
    assert after == before and after["count"] == 3 and after["pin"] == 5 and after["alpha"] == 0.8
    assert not page.locator(".tn-cards").is_visible()
    assert page.locator(".tn-says").inner_text().startswith("ALS keeps the share α")
    page.get_by_role("link", name="Tune").click()
    page.wait_for_function("() => document.querySelector('.tn[data-mode=tune]')?.dataset.shown")
    assert page.evaluate(f"() => [{APP}.view.epoch, {APP}.view.pin, {APP}.view.count]") == [T1_EPOCH - 2, 5, 3], (
        "all pages look at the same"
    )


def test_another_card_is_another_recording_at_the_same_step(learn: Callable) -> None:
    page, other = learn(f"?run={RUN}&step=4"), "recording-wrong-target"
    page.locator(f".tn-cards [data-run='{other}']").click()
    page.wait_for_url(f"**run={other}*")
    page.wait_for_function(
        f"run => document.querySelector('.tn')?.app?.model.header?.run === run && {APP}.learn.steps.length", arg=other
    )
    seen = shown(page)
    assert seen["step"] == 3 and page.locator(f".tn-cards [data-run='{other}']").get_attribute("aria-current") == "true"
    no_exception(page)


def test_a_run_without_truth_says_that_it_cannot_tell(learn: Callable) -> None:
    page = learn(f"?run={OTHER}&step=4")
    page.locator(".tn-choices button").first.click()
    assert "cannot tell" in page.locator(".tn-answer").inner_text()
    no_exception(page)


def test_the_algorithm_follows_epoch_by_epoch_stage_by_stage_and_line_by_line(learn: Callable) -> None:
    page = learn(f"?run={RUN}&epoch=1&step=6")
    assert page.locator(".tn-algorithm").get_attribute("data-lit") == "2,3,5,7,8"
    page.get_by_role("button", name="Next stage").click()
    page.wait_for_function(f"() => {APP}.view.epoch === {CONFIG.schedule.altruistic_epochs}")
    page.wait_for_function("() => document.querySelector('.tn-algorithm').dataset.lit === '15,16,18,36,38,39,40'")
    page.get_by_role("button", name="Next epoch").click()
    until(
        lambda: page.locator(".tn-variables").inner_text().split()[:2] == ["T", "1"], "the next epoch's variables"
    )  # drawn a frame later
    for line in ("15", "16", "18"):
        page.get_by_role("button", name="next line").click()
        page.wait_for_function("line => document.querySelector('.tn-algorithm').dataset.line === line", arg=line)
        assert page.locator(".tn-lines .now > span").inner_text() == line
    page.locator(".tn-speed").select_option("lines")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"() => {APP}.view.epoch === {CONFIG.schedule.altruistic_epochs + 2}", timeout=30000)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Previous stage").click()
    page.wait_for_function(f"() => {APP}.view.epoch === {CONFIG.schedule.altruistic_epochs}")


def test_a_term_is_explained_at_a_press_and_by_keyboard(learn: Callable) -> None:
    page = learn(f"?run={RUN}&step=6")
    page.locator(".tn-says [data-term=alpha]").click()
    pop = page.locator(".tn-pop")
    pop.wait_for()
    assert re.search(r"share of all samples.*Eq\. 7", pop.inner_text(), re.DOTALL)
    box = pop.bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= 1440 and box["y"] + box["height"] <= 900
    page.keyboard.press("Escape")
    pop.wait_for(state="hidden")
    page.locator(".tn-says [data-term=D_c]").focus()
    page.keyboard.press("Enter")
    pop.wait_for()
    assert "clean pool" in pop.inner_text()


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (1440, 900, True), (1920, 1080, False)])
def test_no_element_of_any_step_is_cut_off_or_overlaps_another(
    learn: Callable, width: int, height: int, dark: bool
) -> None:
    page = learn(width=width, height=height, dark=dark)
    wide = """() => [...document.querySelectorAll(
        '.tn-tour :is(h2, p, button), .tn-algorithm code, .tn-caption, .tn-cards b')]
      .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map(e => e.className + ': ' + e.textContent)"""
    over = """() => {
      const boxes = [...document.querySelectorAll('.tn > .tn-card, .tn-row > .tn-card, .tn-cards, .tn-time, .tn-key')]
        .filter(e => e.offsetWidth).map(e => [e.className, e.getBoundingClientRect()])
      const overlap = (p, q) =>
        p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1
      return boxes.flatMap(([a, p], i) =>
        boxes.slice(i + 1).filter(([, q]) => overlap(p, q)).map(([b]) => a + ' on ' + b))
    }"""
    tall = "() => { const e = document.querySelector('.tn-talk'); return e.scrollHeight - e.clientHeight }"
    for k in range(8):
        page.locator(".tn-choices button").first.click()
        settle(page)
        assert page.evaluate(over) == [], k
        assert [text for text in page.evaluate(wide) if not text.startswith("tn-cards")] == [], k
        assert page.evaluate(tall) <= 1, f"the tour's text of step {k + 1} has to be scrolled"
        page.keyboard.press("n")
        page.wait_for_timeout(150)
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"() => {main}.scrollWidth <= {main}.clientWidth")


def test_a_bad_address_is_reported_and_the_page_works(learn: Callable) -> None:
    page = learn("?run=nothing&step=77&epoch=999999999999&whatif=1_2&slides=maybe")
    page.locator("[data-testid=stToast]").first.wait_for()
    assert "no run called" in " ".join(page.locator("[data-testid=stToast]").all_inner_texts())
    page.get_by_role("button", name="Next step").click()
    page.wait_for_function(f"() => {APP}.learn.lesson.step === 1")
    no_exception(page)
