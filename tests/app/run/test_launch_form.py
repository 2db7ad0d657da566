"""The launch form: it returns every preset, refuses bad settings in one sentence, and starts one run per press."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.run.launch_form import LaunchForm
from app.server import registry
from app.server.registry import RunRegistry
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.errors import ConfigError
from tests.support.page.pages import WHOLE_APP, ran

SCRIPT = WHOLE_APP


def field(page: AppTest, kind: str, name: str) -> Any:
    """A field of the form, by the name of its setting."""
    return next(w for w in page.get(kind) if re.fullmatch(rf"new_{name}(_\d+)?", w.key or ""))


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
    form = LaunchForm.from_config(preset(name))
    assert form.preset == name and form.to_config() == preset(name).with_settings(width=form.width)


def test_the_form_keeps_a_rate_for_each_kind_of_attack() -> None:
    form = LaunchForm.from_config(preset("demo"))
    assert (form.rate, form.clean_rate) == (5, 25)
    made = {
        attack: replace(form, attack=attack, rate=10.0, clean_rate=40.0).to_config().attack
        for attack in ("blended", "sig", "none")
    }
    assert (made["blended"].rate, made["sig"].rate) == (0.1, 0.4)
    assert replace(form, attack="sig").to_config().attack.rate is None
    named = replace(form, attack="custom", trigger_image=" /a/b.png ").to_config().attack
    assert named.attack_parameters == {"image": "/a/b.png"}
    custom = preset("demo").with_settings(attack="custom", attack_parameters={"image": "x"})
    assert LaunchForm.from_config(custom).trigger_image == "x"


def test_a_clean_label_attack_asks_for_a_share_of_the_target_class(open_page: Callable[..., AppTest]) -> None:
    page = open_page()
    field(page, "selectbox", "attack").set_value("sig")
    assert field(ran(page), "slider", "clean_rate").value == 25
    field(page, "selectbox", "attack").set_value("custom")
    assert field(ran(page), "slider", "rate").value == 5 and field(page, "text_input", "trigger_image").value == ""
    field(page, "selectbox", "attack").set_value("badnets_all2all")
    assert field(ran(page), "selectbox", "target_label").disabled


def test_a_longer_warm_up_moves_the_later_stages_along() -> None:
    config = preset("demo")
    longer = replace(LaunchForm.from_config(config), t1=config.schedule.t1 + 5).to_config()
    assert longer.schedule == config.schedule.with_warmup(config.schedule.t1 + 5)


TAMPERED = {
    "alpha": 7,
    "beta": float("nan"),
    "t1": 0,
    "seed": -1,
    "rate": 200.0,
    "device": "tpu",
    "source": "ftp",
    "preset": "none",
    "drop_epochs": -1,
    "clean_rate": "x",
}


@pytest.mark.parametrize(("name", "value"), TAMPERED.items())
def test_settings_from_a_tampered_form_are_refused(name: str, value: object) -> None:
    form = replace(LaunchForm.from_config(preset("demo")), **{name: value})
    with pytest.raises(ConfigError, match=r"is .*, expected"):
        form.to_config()


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
