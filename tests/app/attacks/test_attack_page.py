"""The page Attacks without a browser: its content, and one sentence for each bad setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.attacks import form
from app.server import registry
from bsd_engine import attacks
from bsd_engine.attacks.described import parameters_of
from bsd_engine.config.presets import preset, smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from tests.support.page.attack_page import to_page
from tests.support.page.pages import WHOLE_APP, html, ran

SCRIPT = WHOLE_APP


def test_it_says_what_was_poisoned_and_shows_it(attack_page: AppTest) -> None:
    assert "BadNets on Fashion-MNIST: 9 of 200 training images (4.5 %) get the trigger and the label dress." in html(
        attack_page
    )
    assert (
        html(attack_page).count("<img") == 4 + 9
        and "Image " in html(attack_page)
        and "is poisoned" in html(attack_page)
    )
    assert attack_page.button(key="train_with").label == "Train with this attack"


def test_a_crafted_trigger_has_a_bar(attack_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(DeltaGenerator, "progress", lambda self, share, text: said.append(text))
    attack_page.selectbox(key="seen_attack").set_value("adaptive")
    ran(attack_page)
    assert any(text.startswith("Crafting the trigger: average noise, step 1 of ") for text in said)


def test_the_next_image_is_the_next_poisoned_one(attack_page: AppTest) -> None:
    numbers = [attack_page.number_input(key="seen_number").value]
    for _ in range(9):
        attack_page.button(key="next").click()
        numbers.append(ran(attack_page).number_input(key="seen_number").value)
    assert numbers[:9] == sorted(set(numbers)) and numbers[9] == numbers[0]
    attack_page.button(key="previous").click()
    assert ran(attack_page).number_input(key="seen_number").value == numbers[8]
    attack_page.number_input(key="seen_number").set_value(0 if 0 not in numbers else 1)
    assert "is clean: not changed" in html(ran(attack_page))


def test_another_visit_shows_a_poisoned_image_again(attack_page: AppTest) -> None:
    attack_page.selectbox(key="seen_attack").set_value("blended")
    ran(attack_page)
    attack_page.button(key="train_with").click()
    assert "Press **Start**" in ran(attack_page).main.markdown[0].value
    to_page(attack_page)
    assert "Blended on Fashion-MNIST" in html(attack_page) and "is poisoned" in html(attack_page)


def test_the_rest_of_the_poisoned_images_is_on_later_pages(attack_page: AppTest) -> None:
    attack_page.number_input(key="seen_rate_badnets").set_value(30.0)
    assert "Images 1 to 24 of 54" in "".join(text.value for text in ran(attack_page).main.markdown)
    for _ in range(2):
        attack_page.button(key="later").click()
        ran(attack_page)
    assert "Images 49 to 54 of 54" in "".join(text.value for text in attack_page.main.markdown)
    assert attack_page.button(key="later").disabled and html(attack_page).count("<img") == 4 + 6


@pytest.mark.parametrize("name", attacks.names())
def test_every_attack_has_fields_for_its_parameters(attack_page: AppTest, name: str) -> None:
    attack_page.selectbox(key="seen_attack").set_value(name)
    ran(attack_page)
    assert not attack_page.error and html(attack_page).count("<figure>") >= 4
    fields = {
        widget.key for kind in ("selectbox", "number_input", "text_input", "toggle") for widget in attack_page.get(kind)
    }
    wanted = {f"seen_{name}_{p.name}" for p in parameters_of(attacks.kind(name))} - {"seen_custom_image"}
    assert wanted <= fields


BAD = {
    "rate of nothing": ("seen_rate_badnets", 0.0, "rate is 0 %"),
    "all of them": ("seen_rate_badnets", 100.0, "rate is 100 %"),
    "less than none": ("seen_rate_badnets", -3.0, "rate is -3 %"),
    "too few to poison one": ("seen_rate_badnets", 0.1, "poisons none of the 200"),
    "no place": ("seen_badnets_row", 26, "does not fit into images"),
    "patch larger than the image": ("seen_badnets_size", 40, "a number between 1 and 28"),
    "no patch": ("seen_badnets_size", 0, "a number between 1 and 28"),
}


@pytest.mark.parametrize(("key", "value", "expected"), BAD.values(), ids=BAD)
def test_a_bad_value_gives_one_sentence_and_can_be_corrected(
    attack_page: AppTest, key: str, value: Any, expected: str
) -> None:
    before = attack_page.number_input(key=key).value
    attack_page.number_input(key=key).set_value(value)
    ran(attack_page)
    assert len(attack_page.error) == 1 and expected in attack_page.error[0].value.replace("\\", "")
    attack_page.number_input(key=key).set_value(before)
    assert not ran(attack_page).error and "<img" in html(attack_page)


def test_a_missing_file_and_a_class_without_samples_give_one_sentence_each(
    attack_page: AppTest, tmp_path: Path
) -> None:
    attack_page.selectbox(key="seen_source").set_value("npz")
    ran(attack_page)
    attack_page.text_input(key="seen_path").set_value("/no/such.npz")
    assert "There is no file /no/such.npz" in ran(attack_page).error[0].value.replace("\\", "")
    attack_page.number_input(key="seen_target_number").set_value(77)
    np.savez(tmp_path / "x.npz", images=np.zeros((40, 8, 8), np.uint8), labels=np.r_[0, np.ones(39, int)])
    attack_page.text_input(key="seen_path").set_value(str(tmp_path / "x.npz"))
    assert "classes have fewer than 2" in ran(attack_page).error[0].value.replace("\\", "")
    np.savez(tmp_path / "y.npz", images=np.zeros((40, 16, 16), np.uint8), labels=np.arange(40) % 2)
    attack_page.text_input(key="seen_path").set_value(str(tmp_path / "y.npz"))
    assert not ran(attack_page).error and "y.npz: 1 of 40 training images" in html(attack_page)


def test_a_target_that_is_no_class_gives_one_sentence(attack_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "class_names", lambda spec: ())
    ran(attack_page)
    attack_page.number_input(key="seen_target_number").set_value(77)
    assert "target is 77, but the data have classes 0 to 9" in ran(attack_page).error[0].value.replace("\\", "")


def test_a_preset_brings_its_own_parameters_and_rate(open_page: Callable[..., AppTest]) -> None:
    page = to_page(open_page())
    assert page.selectbox(key="seen_badnets_pattern").value != "checkerboard"
    to_page(page, "run").selectbox(key="new_preset").set_value("demo-gtsrb")
    ran(page).selectbox(key="new_source_1").set_value("bundled")
    page.number_input(key="new_limit_1").set_value(200)
    page.slider(key="new_rate_1").set_value(10.0)
    page = to_page(ran(page))
    assert (
        page.selectbox(key="seen_badnets_pattern").value == "checkerboard"
        and page.number_input(key="seen_rate_badnets").value == 10
    )
    assert "18 of 200 training images (9.0 %)" in html(page)


def test_train_with_this_attack_fills_in_the_form_of_the_run(
    attack_page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[BSDConfig] = []

    def start(runs: Any, config: BSDConfig) -> str:
        started.append(config)
        raise ConfigError("It would start now.")

    monkeypatch.setattr(registry.RunRegistry, "start", start)
    attack_page.selectbox(key="seen_attack").set_value("wanet")
    ran(attack_page)
    attack_page.number_input(key="seen_rate_wanet").set_value(40.0)
    attack_page.number_input(key="seen_wanet_strength").set_value(2.5)
    attack_page.number_input(key="seen_seed").set_value(7)
    ran(attack_page)
    attack_page.button(key="train_with").click()
    ran(attack_page)._page_hash = calc_hash("run")  # AppTest does not switch to another page by itself
    assert any("strength 2.5" in caption.value.replace("\\", "") for caption in attack_page.sidebar.caption)
    attack_page.button(key="start").click()
    ran(attack_page)
    (made,) = started
    assert (
        made.attack.attack == "wanet"
        and made.attack.rate == pytest.approx(0.4)
        and made.attack.attack_parameters == {"strength": 2.5}
    )
    assert made.seed == 7 and made.data.limit == 200 and made.preset == "smoke"
    assert made.schedule == smoke().schedule and made.split == smoke().split
    attack_page.selectbox(key="new_preset").set_value("demo")
    ran(attack_page)
    attack_page.button(key="start").click()
    ran(attack_page)
    assert started[-1].attack == preset("demo").attack
