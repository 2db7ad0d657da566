"""The page Attacks in a browser: look at an attack, save the poisoned set, train with it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bsd_engine.runs.layout import list_runs
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import choose, choose_smoke, until

pytestmark = pytest.mark.slow

PICTURES = ".panes img"
SENTENCE = ".now"


def poisoned_image(page: Any) -> str:
    return page.locator(PICTURES).nth(1).get_attribute("src")


def epochs(runs: Path) -> int:
    return len(list(runs.glob("*/epochs/*.npz")))


def test_an_attack_is_looked_at_saved_and_trained_with(
    server: Any, runs: Path, visit: Callable, tmp_path: Path
) -> None:
    page = visit(f"{server.url}/run", width=1440, height=900)
    choose_smoke(page)
    page.get_by_role("link", name="Attacks").click()
    page.get_by_text("9 of 200 training images (4.5 %) get the trigger and the label dress").wait_for()
    assert page.url.endswith("/attacks")

    first = poisoned_image(page)
    page.get_by_role("button", name="Next").click()
    until(lambda: poisoned_image(page) != first, "another image")
    assert page.evaluate(f"() => getComputedStyle(document.querySelector('{PICTURES}')).imageRendering") == "pixelated"

    choose(page, "Attack", "WaNet")
    page.get_by_text("40 noise images are changed, too").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download .npz").click()
    download.value.save_as(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as saved:
        assert (
            saved["is_poison"].sum() == 9
            and saved["is_noise"].sum() == 40
            and saved["train_images"].shape == (200, 28, 28, 1)
        )

    upload_a_trigger_image(page)
    no_text_is_clipped(page)
    page.screenshot(path=tmp_path / "attacks.png")
    train_with_it(page, runs)
    assert page.locator("[data-testid=stException]").count() == 0


def upload_a_trigger_image(page: Any) -> None:
    """A file that is not an image, then an image of our own."""
    choose(page, "Attack", "custom trigger")
    page.get_by_text("Custom trigger on Fashion-MNIST").wait_for()
    star, picture = poisoned_image(page), io.BytesIO()
    Image.new("RGBA", (12, 12), (255, 255, 255, 200)).save(picture, "PNG")
    chosen = page.locator("input[type=file]")
    chosen.set_input_files({"name": "nonsense.png", "mimeType": "image/png", "buffer": b"nonsense"})
    page.get_by_text("The uploaded image cannot be read as a picture").wait_for()
    chosen.set_input_files({"name": "../../white.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    page.get_by_text("Custom trigger on Fashion-MNIST").wait_for()
    until(lambda: poisoned_image(page) != star, "the uploaded image instead of the star")


def no_text_is_clipped(page: Any) -> None:
    clipped = """() => [...document.querySelectorAll('.now, .truth, figcaption, [data-testid=stMain] button p')]
      .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.className + ': ' + e.textContent)"""
    assert page.evaluate(clipped) == []
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth <= main.clientWidth")


def train_with_it(page: Any, runs: Path) -> None:
    """The form of the run has the attack. The run goes on while another page is open, and is shown afterwards."""
    page.get_by_role("button", name="Train with this attack").click()
    page.get_by_text("Watch a network learn").wait_for()
    picture = page.get_by_role("textbox", name="Trigger image", exact=True)
    until(lambda: re.search(r"\.triggers/[0-9a-f]{32}\.png", picture.input_value()), "the image in the form")
    page.get_by_text("More settings").click()
    for name, value in {
        "Selective drop": "900",
        "Iterations per epoch": "40",
    }.items():  # the smoke preset would end at once
        page.get_by_role("spinbutton", name=name).fill(value)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: epochs(runs) > 0, "the first epoch", 60)
    page.get_by_role("link", name="Attacks").click()
    page.get_by_text("Custom trigger on Fashion-MNIST").wait_for()
    before = epochs(runs)
    until(lambda: epochs(runs) > before + 1, "epochs while the other page is open")
    page.get_by_role("link", name="Run").click()
    page.locator("[data-testid=stMain]").get_by_role(
        "button", name="Stop"
    ).click()  # the header has another while a script runs
    until(lambda: re.search("Stopped after epoch", page.locator(SENTENCE).inner_text()), "the end of the run")
    attack = RunReader(list_runs(runs)[0]).config.attack
    assert attack.attack == "custom" and Path(attack.attack_parameters["image"]).parent == runs / ".triggers"
