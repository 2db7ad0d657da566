"""Computations of the page Attacks: figures, the poisoned set beside the original one, and names of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch

from app.attacks.parameter_fields import label_of
from app.attacks.poisoned_view import poisoned_view, trigger_of
from app.figures import pixels
from app.figures.attacks import MOST_BARS, class_bars, spectrum_figure
from app.style.theme import DARK, LIGHT
from bsd_engine import attacks
from bsd_engine.attacks.described import parameters_of
from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.prepare.prepare import prepare
from bsd_engine.prepare.spectrum import spectrum


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


def config(name: str, **settings: Any) -> BSDConfig:
    return smoke().with_settings(device="cpu", attack=name, **settings)


@pytest.mark.parametrize("name", attacks.names())
def test_the_page_shows_every_attack_exactly_as_a_run_gets_it(name: str) -> None:
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
    """An attack that knows its trigger only after it has seen the data, like crafted attacks."""

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


def test_a_trigger_that_changes_nothing_has_no_difference() -> None:
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


def test_the_label_of_a_parameter_names_its_unit() -> None:
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
