"""Trigger bench: triggers moved, faded and drawn, images to try them on, and answers that are plain forward passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bsd_engine import attacks
from bsd_engine.attacks.patterns.placing import Change, drawn, placed
from bsd_engine.errors import ConfigError, DataError
from bsd_engine.runs import trigger_bench
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.runs.stored_models import load_models, stored_epochs
from bsd_engine.training.undefended import train_undefended
from tests.support.short_runs import short

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (3, 16, 12)
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype(np.uint8))
NUMBERS = torch.arange(2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run of five epochs on 200 bundled images, and its undefended network."""
    root = tmp_path_factory.mktemp("runs")
    config = short(limit=200, undefended_epochs=1)
    record_run(config, root / "run")
    train_undefended(config, root / "run-undefended")
    return root / "run"


def change(name: str, **parameters: object) -> Change:
    attack = attacks.make(name, SHAPE, **parameters)
    return lambda images: attack.apply(images, NUMBERS[: len(images)])


# -- placing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", trigger_bench.trigger_names())
def test_an_unmoved_opaque_trigger_equals_the_attack(name: str) -> None:
    before = IMAGES.clone()
    assert torch.equal(placed(IMAGES, change(name)), change(name)(IMAGES))
    assert torch.equal(IMAGES, before)


@pytest.mark.parametrize("name", trigger_bench.trigger_names())
def test_a_fully_faded_trigger_leaves_the_image_unchanged(name: str) -> None:
    assert torch.equal(placed(IMAGES, change(name), opacity=0), IMAGES)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (5, 3), (-2, 0), (-3, -1)])
def test_a_moved_patch_equals_the_patch_at_the_new_place(down: int, across: int) -> None:
    here = placed(IMAGES, change("badnets", pattern="checkerboard", row=4, col=4), down=down, across=across)
    assert torch.equal(here, change("badnets", pattern="checkerboard", row=4 + down, col=4 + across)(IMAGES))


@given(st.integers(-20, 20), st.integers(-20, 20), st.sampled_from(["badnets", "blended", "sig"]))
@settings(max_examples=40, deadline=None)
def test_parts_outside_the_image_are_cut_off_and_do_not_wrap_around(down: int, across: int, name: str) -> None:
    found = placed(IMAGES, change(name), down=down, across=across)
    rows, cols = torch.arange(SHAPE[1]), torch.arange(SHAPE[2])
    reached = ((rows >= down) & (rows < SHAPE[1] + down))[:, None] & ((cols >= across) & (cols < SHAPE[2] + across))
    assert torch.equal(found[..., ~reached], IMAGES[..., ~reached])
    if abs(down) >= SHAPE[1] or abs(across) >= SHAPE[2]:
        assert torch.equal(found, IMAGES)


@given(st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_fading_is_the_rounded_weighted_mean_of_both(opacity: float) -> None:
    whole = change("badnets")(IMAGES).double()
    expected = (1 - opacity) * IMAGES.double() + opacity * whole
    assert (placed(IMAGES, change("badnets"), opacity=opacity).double() - expected).abs().max() <= 0.51


def test_a_drawing_covers_its_painted_pixels_and_no_others() -> None:
    picture = np.zeros((16, 12, 4), np.uint8)
    picture[2, 3], picture[5, 6] = (10, 20, 30, 255), (200, 0, 0, 128)
    found = placed(IMAGES, drawn(picture, 3))
    painted = torch.from_numpy(picture[..., 3] > 0)
    assert found[0, :, 2, 3].tolist() == [10, 20, 30]
    half = IMAGES[0, :, 5, 6].double() + 128 / 255 * (torch.tensor([200.0, 0, 0]) - IMAGES[0, :, 5, 6].double())
    assert (found[0, :, 5, 6].double() - half).abs().max() <= 0.51
    assert torch.equal(found[..., ~painted], IMAGES[..., ~painted])
    assert placed(IMAGES, drawn(picture, 3), down=1, across=2)[0, :, 3, 5].tolist() == [10, 20, 30]


def test_on_grey_images_a_drawing_becomes_its_brightness() -> None:
    picture = np.zeros((16, 12, 4), np.uint8)
    picture[0, 0] = 255, 0, 0, 255
    assert placed(IMAGES[:, :1].contiguous(), drawn(picture, 1))[0, 0, 0, 0] == 76


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.float32)])
def test_arrays_that_are_not_drawings_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected uint8 of shape"):
        drawn(picture, 3)


# -- images ----------------------------------------------------------------------------------------


def test_images_are_those_of_the_test_set(run: Path) -> None:
    found = trigger_bench.bench_images(RunReader(run))
    assert found.are_test and found.images.shape == (2000, 1, 28, 28) and len(found.labels) == 2000


def test_without_test_images_clean_training_images_with_their_true_labels_are_used(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = RunReader(run)
    monkeypatch.setattr(trigger_bench, "_is_on_disk", lambda spec: False)
    monkeypatch.setattr(trigger_bench, "_bench_images", trigger_bench._bench_images.__wrapped__)
    found = trigger_bench.bench_images(reader)
    clean = ~reader.truth.is_poison
    assert not found.are_test and len(found.labels) == clean.sum()
    assert np.array_equal(found.labels, reader.truth.original_labels[clean])
    assert np.array_equal(found.images.numpy(), reader.images[clean])


@pytest.mark.parametrize("spec", ["cifar10", "gtsrb"])
def test_nothing_is_downloaded(spec: str) -> None:
    assert not trigger_bench._is_on_disk(spec) and trigger_bench._is_on_disk("bundled")


@pytest.mark.parametrize("size", [(100, 40), (40, 100), (28, 28), (1, 1)])
def test_a_users_image_is_cropped_to_its_middle_at_the_runs_size(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    picture.save(tmp_path / "p.png")
    found = trigger_bench.fitted_picture(tmp_path / "p.png", (1, 28, 28))
    assert found.shape == (1, 28, 28) and found.dtype == torch.uint8 and bool((found == 255).all()), (
        "transparent becomes white"
    )
    with pytest.raises(ConfigError, match="There is no file"):
        trigger_bench.fitted_picture(tmp_path / "none.png", (1, 28, 28))


# -- triggers --------------------------------------------------------------------------------------


def test_triggers_need_no_training_and_differ() -> None:
    names = trigger_bench.trigger_names()
    assert names == ("badnets", "blended", "wanet", "refool", "sig")
    pixels = [change(name)(IMAGES) for name in names]
    assert all(not torch.equal(a, b) for i, a in enumerate(pixels) for b in pixels[:i])


def test_the_runs_own_attack_has_its_parameters(run: Path) -> None:
    reader = RunReader(run)
    own = trigger_bench.own_attack(reader)
    assert own == attacks.make(
        "badnets",
        (1, 28, 28),
        10,
        reader.config.seed,
        **attacks.parse("badnets", reader.config.attack.attack_parameters),
    )
    assert (
        trigger_bench.wanted_label(reader, 5)
        == reader.config.attack.target_label
        == trigger_bench.wanted_label(reader, None)
    )


@pytest.mark.parametrize(
    ("attack", "label", "wanted"), [("badnets_all2all", 9, 0), ("badnets_all2all", None, None), ("none", 3, None)]
)
def test_the_label_that_the_attacker_wants(run: Path, attack: str, label: int | None, wanted: int | None) -> None:
    reader = RunReader(run)
    reader.config = reader.config.with_settings(attack=attack, attack_parameters={}, rate=None)
    assert trigger_bench.wanted_label(reader, label) == wanted
    assert (trigger_bench.own_attack(reader) is None) == (attack == "none")


def test_a_crafted_trigger_is_reported_as_unavailable(run: Path) -> None:
    reader = RunReader(run)
    reader.config = reader.config.with_settings(attack="narcissus", attack_parameters={}, rate=None)
    with pytest.raises(ConfigError, match="crafted by training a network"):
        trigger_bench.own_attack(reader)


@pytest.mark.parametrize("picture_size", [(10, 10), (100, 10), (3, 400)])
@pytest.mark.parametrize("size", [1, 9, 28])
def test_a_users_picture_is_in_the_middle_and_fits(
    run: Path, tmp_path: Path, picture_size: tuple[int, int], size: int
) -> None:
    Image.new("RGB", picture_size, "white").save(tmp_path / "p.png")
    attack = trigger_bench.picture_attack(RunReader(run), str(tmp_path / "p.png"), size)
    found = attack.apply(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))[0, 0]
    rows, cols = (found.amax(axis).nonzero().squeeze(1) for axis in (1, 0))
    assert (
        len(rows) <= size
        and abs(int(rows[0]) + int(rows[-1]) - 27) <= 1
        and abs(int(cols[0]) + int(cols[-1]) - 27) <= 1
    )


def test_a_picture_that_fits_at_no_size_is_reported(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (300, 1), "white").save(tmp_path / "p.png")
    with pytest.raises(ConfigError, match="does not fit into images of 28x28"):
        trigger_bench.picture_attack(RunReader(run), str(tmp_path / "p.png"), 9)


# -- answers ---------------------------------------------------------------------------------------


def test_answers_are_plain_forward_passes(run: Path) -> None:
    reader, epoch = RunReader(run), stored_epochs(run)[-1]
    clean = trigger_bench.bench_images(reader).images[:1].contiguous()
    pair = torch.cat([clean, placed(clean, trigger_bench.change_of(trigger_bench.own_attack(reader), 0))])
    found = trigger_bench.answers(run, epoch, pair)
    both = load_models(run, epoch)
    for name in ("main", "altruistic"):
        with torch.inference_mode():
            expected = getattr(both, name)(both.normalize(pair)).softmax(1).numpy()
        assert np.allclose(getattr(found, name), expected, rtol=0, atol=1e-6)
    assert found.undefended.shape == (2, 10) and found.problem == ""
    over = trigger_bench.over_epochs(run, stored_epochs(run), pair)
    assert over.shape == (len(stored_epochs(run)), 2, 2, 10)
    assert np.allclose(over[-1], [found.altruistic, found.main], rtol=0, atol=1e-6)


def test_the_clean_answer_is_cached_for_its_own_image_only(run: Path) -> None:
    images = trigger_bench.bench_images(RunReader(run)).images[:3].contiguous()
    epoch = stored_epochs(run)[0]
    first, again, other = (
        trigger_bench.answers(run, epoch, images[list(pair)]).main for pair in ((0, 1), (0, 2), (2, 0))
    )
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[1], again[1])
    assert np.allclose(other[::-1], again, rtol=0, atol=1e-6)
    same = trigger_bench.answers(run, epoch, images[[2, 2]]).main
    assert np.array_equal(same[0], same[1])


def test_both_models_answer_without_the_undefended_network(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "run"
    alone.symlink_to(run, target_is_directory=True)
    pair = trigger_bench.bench_images(RunReader(run)).images[:2].contiguous()
    found = trigger_bench.answers(alone, stored_epochs(run)[0], pair)
    assert found.undefended is None and found.problem == "" and found.main.shape == (2, 10)


def test_an_unreadable_checkpoint_gives_nan(run: Path) -> None:
    pair = trigger_bench.bench_images(RunReader(run)).images[:2].contiguous()
    found = trigger_bench.over_epochs(run, (999, stored_epochs(run)[0]), pair)
    assert np.isnan(found[0]).all() and np.isfinite(found[1]).all()
