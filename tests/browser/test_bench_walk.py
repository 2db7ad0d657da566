"""The page Trigger bench in use: choose an image, move, fade and draw a trigger, and see the answers flip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader

pytestmark = pytest.mark.slow

APP = "document.querySelector('.bn').app"


@pytest.fixture(scope="module")
def server(serve: Callable, runs: Path) -> Any:
    """The dashboard with the bundled recording, whose models are fully trained."""
    return serve("streamlit_app.py", env={"BSD_RUNS": str(runs)})


@pytest.fixture
def bench(server: Any, visit: Callable) -> Callable[..., Any]:
    """`bench(query)`: the page with its first answers.

    Console errors are expected: Streamlit itself asks for addresses below /bench that do not exist.
    """

    def open_page(query: str = "", **options: Any) -> Any:
        page = visit(
            f"{server.url}/bench?run=recording-healthy{query}",
            expect_errors=True,
            **{"width": 1280, "height": 900, **options},
        )
        settle(page)
        return page

    return open_page


def settle(page: Any) -> None:
    """Wait until the last change is answered, also for all checkpoints."""
    page.wait_for_function(
        f"""() => {{
            const r = document.querySelector('.bn')
            return r?.dataset.settled === 'yes' && {APP}.asked && !{APP}.waiting
        }}""",
        timeout=60000,
    )


def top(page: Any, model: str, row: int) -> str:
    """Name of a model's top class, for the clean image (0) or the triggered one (1)."""
    cell = f"document.querySelectorAll('.bn-row')[{row}].querySelector('[data-model={model}]')"
    return page.evaluate(f"() => {APP}.fixed.names[{cell}.dataset.top]")


def share(page: Any, model: str, row: int) -> float:
    return float(page.locator(f".bn-row[data-row='{row}'] [data-model={model}]").get_attribute("data-share"))


def names() -> tuple[tuple[str, ...], str]:
    run = RunReader(library.open_recording("healthy"))
    return run.class_names, run.class_names[run.config.attack.target_label]


def first_fooled(page: Any) -> None:
    """Step to an image of another class that both models get right and whose trigger fools the altruistic one."""
    _, target = names()
    for _ in range(20):
        own = page.locator(".bn-which b").inner_text()
        if (
            own != target
            and top(page, "main", 0) == top(page, "altruistic", 0) == own
            and top(page, "main", 1) == own
            and top(page, "altruistic", 1) == target
        ):
            return
        page.get_by_role("button", name="Next image").click()
        settle(page)
    pytest.fail("none of 20 images shows the backdoor")


def test_the_trigger_flips_the_altruistic_answer_and_not_the_main_one(bench: Callable) -> None:
    page = bench()
    first_fooled(page)
    _, target = names()
    said = page.locator(".bn-row[data-row='1'] [data-model=altruistic]").get_attribute("aria-label")
    assert said.startswith(f"altruistic model, with the trigger: {target}") and "fooled" in said
    if page.locator("[data-model=undefended][data-top]").count():
        assert top(page, "undefended", 1) == target

    opacity = page.get_by_label("Opacity of the trigger, percent")
    opacity.fill("0")
    settle(page)
    assert "opacity=0" in page.url and page.locator(".bn-note").inner_text().startswith("The trigger is faded out")
    assert share(page, "altruistic", 0) == share(page, "altruistic", 1), "faded out, both images are the same"
    opacity.fill("100")
    settle(page)
    assert top(page, "altruistic", 1) == target and "opacity" not in page.url


def test_dragging_and_arrow_keys_move_the_trigger(bench: Callable) -> None:
    page = bench()
    stage = page.locator(".bn-stage")
    box = stage.bounding_box()
    pixel = box["width"] / 28
    page.mouse.move(box["x"] + 5.5 * pixel, box["y"] + 5.5 * pixel)
    page.mouse.down()
    page.mouse.move(box["x"] + 8.5 * pixel, box["y"] + 15.5 * pixel, steps=6)
    page.mouse.up()
    settle(page)
    assert "at=10_3" in page.url
    stage.press("ArrowUp")
    stage.press("Shift+ArrowRight")
    settle(page)
    assert "at=9_7" in page.url and page.locator(".bn-where").inner_text() == "9 px down, 7 px right"
    white = page.evaluate(
        """() => {
            const c = document.querySelector('.bn-stage canvas').getContext('2d')
            return [c.getImageData(11, 13, 1, 1).data[0], c.getImageData(12, 13, 1, 1).data[0]]
        }"""
    )
    assert white == [255, 0], "the checkerboard lies where it was moved to"
    page.reload()
    settle(page)
    assert page.locator(".bn-where").inner_text() == "9 px down, 7 px right"
    page.get_by_role("button", name="Put back").click()
    settle(page)
    assert "at=" not in page.url


def test_a_drawn_checkerboard_is_the_attack(bench: Callable) -> None:
    """By mouse and keyboard. Drawn like the run's own trigger, it fools the same model; its address can be shared."""
    page = bench()
    first_fooled(page)
    _, target = names()
    wanted = page.evaluate(f"() => Array.from({APP}.pixels[1])")
    page.get_by_label("Trigger", exact=True).select_option("drawn")
    settle(page)
    assert page.locator(".bn-note").inner_text().startswith("Nothing is drawn yet")
    assert share(page, "altruistic", 0) == share(page, "altruistic", 1)

    box = page.locator(".bn-stage").bounding_box()
    pixel = box["width"] / 28
    for colour, parity in (("white", 0), ("black", 1)):
        page.get_by_role("button", name=colour, exact=True).click()
        for row in range(4, 8):
            for col in range(4, 8):
                if (row + col) % 2 == parity:
                    page.mouse.click(box["x"] + (col + 0.5) * pixel, box["y"] + (row + 0.5) * pixel)
    settle(page)
    assert page.evaluate(f"() => Array.from({APP}.pixels[1])") == wanted
    assert top(page, "altruistic", 1) == target
    address = page.url
    page.goto(address)
    settle(page)
    assert "drawing=" in address and page.evaluate(f"() => Array.from({APP}.pixels[1])") == wanted

    page.get_by_role("button", name="Erase").click()
    page.get_by_label("Width of the brush, pixels").fill("6")
    page.mouse.click(box["x"] + 5.5 * pixel, box["y"] + 5.5 * pixel)
    settle(page)
    assert page.locator(".bn-note").is_visible()
    page.get_by_role("button", name="Paint", exact=True).click()
    page.locator(".bn-stage").press("ArrowDown")
    page.locator(".bn-stage").press("Space")
    settle(page)
    assert not page.locator(".bn-note").is_visible()


def test_images_are_chosen_by_class_and_number_and_epochs_by_keyboard(bench: Callable) -> None:
    page = bench()
    classes, _ = names()
    page.get_by_label("Class of the test image").select_option("4")
    settle(page)
    for button in ("Next image", "Previous image", "Random"):
        page.get_by_role("button", name=button).click()
        settle(page)
        assert page.locator(".bn-which b").inner_text() == classes[4]
    page.get_by_label("Number of the image").fill("12")
    page.get_by_label("Number of the image").press("Enter")
    settle(page)
    assert "image=12" in page.url
    epochs = page.evaluate(f"() => {APP}.header.epochs")
    page.get_by_role("slider", name="Stored checkpoint").fill("0")
    settle(page)
    assert f"epoch={epochs[0] + 1}" in page.url
    page.get_by_role("button", name=f"Show the checkpoint after epoch {epochs[-1] + 1}", exact=True).press("Enter")
    settle(page)
    assert page.locator(".bn").get_attribute("data-epoch") == str(epochs[-1])


def test_uploads_are_accepted_and_unreadable_ones_reported(bench: Callable, tmp_path: Path) -> None:
    page = bench()
    (tmp_path / "bad.png").write_bytes(b"\x89PNG nothing")
    page.locator(".bn-image-file").set_input_files(tmp_path / "bad.png")
    page.wait_for_function("() => !document.querySelector('.bn-problem').hidden")
    assert "cannot be read" in page.locator(".bn-problem").inner_text()
    Image.new("RGB", (60, 40), "white").save(tmp_path / "white.png")
    page.locator(".bn-image-file").set_input_files(tmp_path / "white.png")
    page.wait_for_function("() => location.search.includes('image=upload')")
    settle(page)
    assert page.locator(".bn-which").inner_text() == "your own image" and page.locator(".bn-problem").is_hidden()
    assert page.evaluate(f"() => {APP}.pixels[0].every(v => v === 255)")
    Image.new("RGB", (10, 10), "black").save(tmp_path / "black.png")
    page.get_by_label("Trigger", exact=True).select_option("picture")
    page.locator(".bn-picture-file").set_input_files(tmp_path / "black.png")
    page.get_by_label("Height of the picture, pixels").fill("10")
    settle(page)
    page.wait_for_function(f"() => {APP}.pixels[1].filter(v => v === 0).length === 100")
    page.get_by_role("button", name="Next image").click()
    settle(page)
    assert page.locator(".bn-which b").inner_text() != ""


@pytest.mark.parametrize("width", [1280, 1920])
def test_nothing_overflows(bench: Callable, width: int) -> None:
    page = bench(width=width, height=900)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "() => [...document.querySelectorAll('.bn-cell, .bn-card')].every(n => n.scrollWidth <= n.clientWidth + 1)"
    )
