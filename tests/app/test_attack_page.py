"""The page Attacks without a browser: what it computes, what it sends, and one sentence for everything that does not go."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.attacks import form, trigger_upload
from app.attacks.parameter_fields import label_of
from app.attacks.poisoned_view import poisoned_view, trigger_of
from app.figures import pixels
from app.figures.attacks import MOST_BARS, class_bars, spectrum_figure
from app.server import registry, uploads
from app.style.theme import DARK, LIGHT
from bsd_engine import attacks
from bsd_engine.attacks.custom import MAX_BYTES
from bsd_engine.attacks.described import parameters_of
from bsd_engine.config.presets import preset, smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from bsd_engine.prepare.prepare import prepare
from bsd_engine.prepare.spectrum import spectrum
from tests.support.pages import WHOLE_APP, html, ran

SCRIPT = WHOLE_APP


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# -- pictures and figures --------------------------------------------------------------------------


def test_a_wave_has_its_frequency_and_nothing_else() -> None:
    """A cosine of amplitude a on H x W pixels has |F| = a H W / 2 at its frequency and at minus it."""
    columns = np.arange(32)
    wave = np.broadcast_to(10 * np.cos(2 * np.pi * 4 / 32 * columns), (24, 32))[..., None]
    found = spectrum(wave)
    assert found.log_magnitude.shape == (24, 32) and found.columns[16] == found.rows[12] == 0
    assert found.peak == (4 / 32, 0) and found.columns[0] == found.rows[0] == -0.5
    assert 10 ** float(found.log_magnitude.max()) - 1 == pytest.approx(10 * 24 * 32 / 2, rel=1e-4)
    assert (found.log_magnitude > 1e-3).sum() == 2
    point = np.zeros((8, 8, 3))
    point[3, 5] = 7
    assert np.allclose(spectrum(point).log_magnitude, np.log10(8)), "one pixel has all frequencies alike"


def test_differences_are_shown_around_mid_grey() -> None:
    difference = np.array([[0, 1, -1, 12, 13, -255]], np.int16)[..., None]
    assert pixels.difference_picture(difference)[0, :, 0].tolist() == [128, 138, 118, 248, 255, 0]
    assert pixels.fitting_gain(np.array([5, -10])) == 12.7 and pixels.fitting_gain(
        np.array([255])
    ) == 1 == pixels.fitting_gain(np.zeros(2))


def test_images_are_enlarged_without_new_colours() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 20, 3), np.uint8)
    large = pixels.enlarged(image, 224)
    assert (
        large.shape == (224, 160, 3)
        and np.array_equal(large[::8, ::8], image)
        and np.array_equal(large[7::8, 7::8], image)
    )
    assert (
        pixels.enlarged(large, 100).shape == large.shape
        and max(pixels.thumbnail(large).shape) <= pixels.LARGEST_THUMBNAIL
    )
    assert pixels.data_uri(image[..., :1]).startswith("data:image/png;base64,")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_bars_count_what_was_poisoned_in_the_colour_of_poison(palette: Any) -> None:
    figure = class_bars(np.array([3, 0, 5]), np.zeros(3, int), ("a", "<b>", "c"), palette)
    (bars,) = figure.data
    assert bars.x.tolist() == [3, 0, 5] and bars.marker.color == palette.poison
    assert "8 poisoned images of 2 classes" in figure.layout.meta["summary"]
    assert "&lt;b&gt;" in figure.layout.yaxis.ticktext
    many = class_bars(np.arange(43), np.ones(43, int), (), palette)
    assert len(many.data) == 2 and len(many.data[0].x) == MOST_BARS and many.data[0].x.max() == 42
    assert "of 43 classes" in many.layout.title.text


def test_the_spectrum_has_units_and_says_when_there_is_none() -> None:
    figure = spectrum_figure(spectrum(np.ones((8, 8, 1))), LIGHT)
    assert "cycles/pixel" in figure.layout.xaxis.title.text and "cycles/pixel" in figure.layout.yaxis.title.text
    assert "no frequency" in spectrum_figure(spectrum(np.zeros((8, 8, 1))), DARK).layout.title.text


# -- the poisoned set beside what it was -----------------------------------------------------------


def config(name: str, **settings: Any) -> BSDConfig:
    return smoke().with_settings(device="cpu", attack=name, **settings)


@pytest.mark.parametrize("name", attacks.names())
def test_every_attack_is_seen_as_a_run_would_have_it(name: str) -> None:
    view, run = poisoned_view(config(name)), prepare(config(name))
    clean = prepare(config("none"))
    assert view.prepared.fingerprint == run.fingerprint
    assert all(np.array_equal(view.original(i), clean.images[i]) for i in range(view.size))
    assert len(view.originals) == int(view.poison_mask.sum() + view.noise_mask.sum())
    assert view.trigger.difference.any() and view.trigger.varies == (name == "refool")
    assert view.trigger.ground.startswith("the mean") == (name == "wanet")
    kinds = [view.numbers(kind, None) for kind in ("poisoned", "noise", "unchanged")]
    assert sorted(np.concatenate(kinds).tolist()) == view.numbers("all", None).tolist() == list(range(view.size))
    assert [view.kind(int(i[0])) for i in kinds if len(i)] == [
        k for k, i in zip(("poisoned", "noise", "unchanged"), kinds) if len(i)
    ]
    assert view.counts(view.poison_mask).sum() == len(kinds[0])
    label = int(view.prepared.original_labels[kinds[0][0]])
    assert len(view.numbers("poisoned", label)) == view.counts(view.poison_mask)[label]


@dataclass(frozen=True, kw_only=True)
class Late(attacks.Attack):
    """An attack that knows its trigger when it has seen the data, as crafted ones do."""

    @cached_property
    def _found(self) -> dict[str, int]:
        return {}

    def _poison_images(self, images: torch.Tensor, indices: torch.Tensor, target_label: int) -> torch.Tensor:
        self._found["level"] = 77
        return self._trigger(images, indices)

    def _trigger(self, images: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        images[:] = self._found.get("level", 128)
        return images


def test_the_trigger_shown_is_the_one_that_poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attacks._ATTACKS, "late", Late)
    assert (poisoned_view(config("late")).trigger.difference == 77 - 128).all()


def test_a_trigger_without_change_is_told_as_none() -> None:
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    attack = attacks.make("blended", (1, 8, 8), opacity=0.0)
    assert not trigger_of(attack, images).difference.any()


@pytest.mark.parametrize("name", attacks.names())
def test_every_parameter_is_explained_and_has_a_default_of_its_kind(name: str) -> None:
    for parameter in parameters_of(attacks.kind(name)):
        assert len(parameter.help) > 10 and "\n" not in parameter.help
        assert parameter.optional or parameter.default is not None
        assert parameter.kind != "choice" or parameter.default in parameter.choices
        made = {parameter.name: parameter.default}
        assert getattr(attacks.make(name, **made), parameter.name) == parameter.default


def test_a_parameter_is_called_by_its_unit() -> None:
    labels = {
        p.name: label_of(p) for p in (*parameters_of(attacks.kind("badnets")), *parameters_of(attacks.kind("sig")))
    }
    assert (
        labels["size"] == "Size, pixels"
        and labels["col"] == "Column, pixels"
        and labels["delta"] == "Delta, grey levels"
    )
    assert (
        labels["pattern"] == "Pattern"
        and labels["frequency"] == "Frequency, periods"
        and labels["weight"] == "Weight, 0 to 1"
    )


# -- uploads ---------------------------------------------------------------------------------------


def test_an_upload_gets_a_name_and_rights_of_ours(tmp_path: Path) -> None:
    content = png(Image.new("RGB", (4, 4), "red"))
    path = uploads.stored(content)
    assert path.parent == uploads.folder() and path == uploads.stored(content) and path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    copy = uploads.kept(path, tmp_path / "runs/.triggers")
    assert (
        copy.parent == tmp_path / "runs/.triggers"
        and copy.read_bytes() == content
        and uploads.kept(copy, tmp_path) == copy
    )


@pytest.mark.parametrize("content", [b"", b"x" * (MAX_BYTES + 1)], ids=["empty", "too large"])
def test_an_upload_of_no_fit_size_is_refused_before_it_is_read(content: bytes) -> None:
    with pytest.raises(ConfigError, match="expected at most 10"):
        uploads.stored(content)


def test_old_uploads_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_FILES", 3)
    for i in range(6):
        uploads.stored(b"\x89PNG" + bytes([i]))
    assert len(list(uploads.folder().iterdir())) == 3


# -- the page --------------------------------------------------------------------------------------


@pytest.fixture
def attack_page(open_page: Callable[..., AppTest]) -> AppTest:
    """The page Attacks on 200 images."""
    app = open_page()
    app.selectbox(key="new_preset").set_value("smoke")
    return to_page(ran(app))


def to_page(app: AppTest, url_path: str = "attacks") -> AppTest:
    """The page after a click on Attacks, or on another; the pages are functions, which AppTest knows by their hashes alone."""
    app._page_hash = calc_hash(url_path)
    return ran(app)


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
    "patch larger than the image": ("seen_badnets_size", 40, "does not fit into images"),
    "no patch": ("seen_badnets_size", 0, "at least 1 pixel"),
}


@pytest.mark.parametrize(("key", "value", "expected"), BAD.values(), ids=BAD)
def test_what_does_not_go_is_one_sentence_and_can_be_put_right(
    attack_page: AppTest, key: str, value: Any, expected: str
) -> None:
    before = attack_page.number_input(key=key).value
    attack_page.number_input(key=key).set_value(value)
    ran(attack_page)
    assert len(attack_page.error) == 1 and expected in attack_page.error[0].value.replace("\\", "")
    attack_page.number_input(key=key).set_value(before)
    assert not ran(attack_page).error and "<img" in html(attack_page)


def test_a_missing_file_and_a_class_without_samples_are_one_sentence_each(attack_page: AppTest, tmp_path: Path) -> None:
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


def test_a_target_of_no_class_is_one_sentence(attack_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "class_names", lambda spec: ())
    ran(attack_page)
    attack_page.number_input(key="seen_target_number").set_value(77)
    assert "target is 77, but the data have classes 0 to 9" in ran(attack_page).error[0].value.replace("\\", "")


PICTURES = {
    "alpha": (png(Image.new("RGBA", (9, 5), (255, 0, 0, 90))), None),
    "large": (png(Image.new("L", (400, 300), 200)), None),
    "no picture": (b"\x89PNG not a picture", "The uploaded image cannot be read as a picture; give a PNG or JPEG file."),
    "100 MB": (b"\x89PNG" + bytes(100_000_000), "The image has 100 MB, expected at most 10 MB"),
    "too wide": (png(Image.new("L", (900, 10), 200)), "does not fit into images of 28x28"),
    "invisible": (png(Image.new("RGBA", (9, 5), (255, 0, 0, 0))), "The uploaded image is transparent everywhere"),
}


@pytest.mark.parametrize(("content", "expected"), PICTURES.values(), ids=PICTURES)
def test_a_picture_of_ones_own_is_taken_or_refused_in_one_sentence(
    attack_page: AppTest, content: bytes, expected: str | None
) -> None:
    attack_page.selectbox(key="seen_attack").set_value("custom")
    ran(attack_page)
    star = html(attack_page)
    fake = {"seen_upload": SimpleNamespace(getvalue=lambda: content)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trigger_upload.st, "session_state", fake)
        trigger_upload._on_upload()
    for name in ("seen_picture", "seen_refusal"):
        attack_page.session_state[name] = fake[name]
    ran(attack_page)
    if expected is None:
        assert not attack_page.error and html(attack_page) != star
    else:
        assert [expected in e.value.replace("\\", "") for e in attack_page.error] == [True]
        assert "bsd-triggers" not in attack_page.error[0].value


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
    ran(attack_page)._page_hash = calc_hash("run")  # AppTest does not follow to another page by itself
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


def test_a_picture_goes_along_to_the_run_from_where_it_stays(attack_page: AppTest, tmp_path: Path) -> None:
    attack_page.selectbox(key="seen_attack").set_value("custom")
    attack_page.session_state["seen_picture"] = uploads.stored(png(Image.new("RGB", (5, 5), "blue")))
    ran(attack_page)
    attack_page.button(key="train_with").click()
    ran(attack_page)
    (field,) = [widget for widget in attack_page.text_input if widget.label == "Trigger image"]
    assert Path(field.value).parent == tmp_path / "runs/.triggers" and Path(field.value).is_file()
