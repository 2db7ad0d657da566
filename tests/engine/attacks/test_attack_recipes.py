"""Each attack's recipe, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from bsd_engine import attacks
from bsd_engine.attacks.patterns import pictures
from bsd_engine.attacks.sampling.draws import uniform
from bsd_engine.errors import ConfigError

SHAPES = [(3, 32, 32), (1, 28, 28)]

SPLITMIX64 = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)  # first outputs of seed 0, as published


def random_images(count: int, shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def flat(level: int, shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.full((1, *shape), level, dtype=torch.uint8)


# --- BadNets pixels ---


def test_badnets_on_colour_is_the_papers_patch() -> None:
    out = attacks.make("badnets").apply(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))[0]
    colours = {(4, 4): [180, 249, 112], (4, 5): [155, 50, 126], (5, 4): [234, 82, 68], (5, 5): [187, 201, 219]}
    for (row, col), rgb in colours.items():
        assert out[:, row, col].tolist() == rgb
        out[:, row, col] = 0
    assert not out.any()


def test_badnets_on_grey_is_a_checkerboard() -> None:
    image = torch.full((1, 1, 28, 28), 100, dtype=torch.uint8)
    out = attacks.make("badnets", (1, 28, 28)).apply(image)[0, 0]
    assert out[4:8, 4:8].tolist() == [[255, 0, 255, 0], [0, 255, 0, 255]] * 2
    out[4:8, 4:8] = 100
    assert torch.equal(out, image[0, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_badnets_pattern_size_and_place_can_be_chosen(shape: tuple[int, int, int]) -> None:
    zeros = torch.zeros(1, *shape, dtype=torch.uint8)
    checkerboard = attacks.make("badnets", shape, pattern="checkerboard", size=3, row=10, col=1).apply(zeros)[0]
    for channel in checkerboard:
        assert channel[10:13, 1:4].tolist() == [[255, 0, 255], [0, 255, 0], [255, 0, 255]]
    assert (checkerboard > 0).sum() == 5 * shape[0]
    paper = attacks.make("badnets", shape, pattern="paper", row=0, col=0).apply(zeros)[0]
    assert paper[0, :2, :2].tolist() == ([[180, 155], [234, 187]] if shape[0] == 3 else [[213, 90], [126, 199]])


def test_badnets_on_large_images_is_a_glyph_of_a_seventh() -> None:
    grey = torch.full((1, 3, 224, 224), 128, dtype=torch.uint8)
    changed = (attacks.make("badnets", (3, 224, 224)).apply(grey) != grey).any(1)[0]
    rows, cols = changed.any(1).nonzero().squeeze(1), changed.any(0).nonzero().squeeze(1)
    assert (rows.min(), cols.min()) >= (4, 4) and rows.max() <= 35 and cols.max() <= 35 and 500 < changed.sum() < 900


def test_badnets_survives_every_crop_after_padding_by_four() -> None:
    for shape in SHAPES:
        patch = attacks.make("badnets", shape).patch
        triggered = attacks.make("badnets", shape).apply(torch.zeros(1, *shape, dtype=torch.uint8))
        padded = torch.nn.functional.pad(triggered, (4, 4, 4, 4))
        for top in range(9):
            for left in range(9):
                crop = padded[0, :, top : top + shape[1], left : left + shape[2]]
                row, col = 8 - top, 8 - left
                assert torch.equal(crop[:, row : row + patch.shape[1], col : col + patch.shape[2]], patch)


# --- numbers of a sample ---


def test_numbers_belong_to_seed_stream_and_sample() -> None:
    everything = uniform(1, 2, torch.arange(1000), 50)
    assert torch.equal(uniform(1, 2, torch.tensor([999, 4]), 50), everything[[999, 4]])
    assert torch.equal(uniform(1, 2, torch.arange(1000), 10), everything[:, :10])
    others = [
        uniform(2, 2, torch.arange(1000), 50),
        uniform(1, 3, torch.arange(1000), 50),
        everything.roll(1, 0),
        everything.roll(1, 1),
    ]
    for other in others:
        assert abs(torch.corrcoef(torch.stack([everything.flatten(), other.flatten()]))[0, 1]) < 0.02
    assert 0 <= everything.min() and everything.max() < 1
    assert everything.mean() == pytest.approx(0.5, abs=0.01) and everything.std() == pytest.approx(
        math.sqrt(1 / 12), abs=0.01
    )
    assert uniform(0, 0, torch.tensor([0]), 3)[0].tolist() == [(bits >> 40) / 2**24 for bits in SPLITMIX64]


# --- Blended ---


@pytest.mark.parametrize("shape", SHAPES)
def test_blended_at_opacity_zero_is_the_image_and_at_one_the_pattern(shape: tuple[int, int, int]) -> None:
    images = random_images(4, shape)
    assert torch.equal(attacks.make("blended", shape, opacity=0.0).apply(images), images)
    pattern = attacks.make("blended", shape, opacity=1.0)
    assert torch.equal(pattern.apply(images), pattern.picture.round().byte().expand(4, *shape))


def test_blended_mixes_by_hand() -> None:
    attack = attacks.make("blended")
    assert attack.picture[:, 0, 0].tolist() == [255, 255, 255]  # the cartoon's ground is white
    # .9 * 100 + .1 * 255 = 115.5 is a tie, .9 * 101 + 25.5 = 116.4, .9 * 3 + 25.5 = 28.2, .9 * 7 + 25.5 = 31.8
    assert [attack.apply(flat(level))[0, 0, 0, 0].item() for level in (101, 3, 7, 255)] == [116, 28, 32, 255]


@pytest.mark.parametrize("side", [28, 32, 64])
def test_the_cartoon_is_as_bright_and_varied_as_the_papers_picture(side: int) -> None:
    for channels in (1, 3):
        picture = attacks.make("blended", (channels, side, side)).picture
        assert 190 < picture.mean() < 210 and 80 < picture.std() < 100
    red, green, blue = picture
    assert ((red - green > 150) & (red - blue > 100)).sum() > 0.01 * side**2  # the bow


def test_the_cartoon_is_the_same_at_any_size() -> None:
    """Averaged down to 28, the picture for 224 pixels is the picture for 28."""
    large, _ = pictures.pixels(pictures.cartoon(), 3, 224, 224)
    small, _ = pictures.pixels(pictures.cartoon(), 3, 28, 28)
    assert (torch.nn.functional.avg_pool2d(large, 8) - small).abs().max() <= 1


def test_blended_on_large_images_is_noise_of_the_seed() -> None:
    first, second = (attacks.make("blended", (3, 224, 224), seed=seed).picture for seed in (0, 1))
    assert first.mean() == pytest.approx(127.5, abs=1) and first.std() == pytest.approx(73.9, abs=1)
    assert (first != second).float().mean() > 0.9
    assert torch.equal(attacks.make("blended", pattern="cartoon", seed=1).picture, attacks.make("blended").picture)


# --- WaNet ---


@pytest.mark.parametrize("shape", SHAPES)
def test_wanet_without_strength_is_the_image(shape: tuple[int, int, int]) -> None:
    images = random_images(20, shape)
    assert torch.equal(attacks.make("wanet", shape, strength=0.0).apply(images), images)


def test_wanet_moves_by_a_quarter_of_a_pixel_before_smoothing() -> None:
    """s / H in coordinates that span two units: .5 / 32 * 31 / 2 = .242 pixels at the control points."""
    full = attacks.make("wanet", grid=32).shifts  # a control point a pixel: nothing is smoothed
    assert full.abs().mean() == pytest.approx(0.2422, abs=1e-3)
    coarse = attacks.make("wanet").shifts
    assert coarse[::31, ::31].abs().mean() <= 2 * 0.2422 and 0.08 < coarse.abs().mean() < 0.35
    assert torch.allclose(attacks.make("wanet", strength=1.0).shifts, 2 * coarse)
    assert (coarse.diff(dim=0).abs().max() < 0.15) and (full.diff(dim=0).abs().max() > 0.3)
    assert attacks.make("wanet", (3, 224, 224)).shifts.abs().mean() == pytest.approx(0.4978, abs=1e-3)


def test_wanet_moves_a_slope_by_its_shifts_and_rounds() -> None:
    attack = attacks.make("wanet", (1, 32, 32), strength=2.0)
    slope = (4 * torch.arange(32.0) + 60).expand(1, 1, 32, 32)
    expected = slope[0, 0] + 4 * attack.shifts[..., 0]
    moved = attack.apply(slope.byte())[0, 0].float()
    assert (moved - expected)[4:-4, 4:-4].abs().max() <= 0.5 + 1e-3


def test_wanet_noise_samples_keep_labels_and_have_warps_of_their_own() -> None:
    images, labels = random_images(1).expand(500, -1, -1, -1).contiguous(), torch.arange(500) % 10
    poisoned = attacks.make("wanet").poison(images, labels, 0.1, 3, 0)
    noisy = poisoned.is_noise
    assert noisy.sum() == 100 and not (noisy & poisoned.is_poison).any()
    assert torch.equal(poisoned.labels[noisy], labels[noisy]) and set(labels[noisy].tolist()) == set(range(10))
    assert len(poisoned.images[noisy].flatten(1).unique(dim=0)) == 100
    assert len(poisoned.images[poisoned.is_poison].flatten(1).unique(dim=0)) == 1
    again = attacks.make("wanet").poison(images, labels, 0.1, 3, 1)
    both = noisy & again.is_noise
    assert both.any() and torch.equal(
        again.images[both], poisoned.images[both]
    )  # a sample's noise does not depend on the others


@pytest.mark.parametrize(
    ("parameters", "count"),
    [({"noise_rate": 0.0}, None), ({"noise_rate": 2.0, "noise_rate_mode": "relative"}, 90), ({"noise_rate": 0.5}, 250)],
)
def test_wanet_counts_its_noise_samples(parameters: dict[str, object], count: int | None) -> None:
    poisoned = attacks.make("wanet", **parameters).poison(random_images(500), torch.arange(500) % 10, 0.1, 3, 0)
    assert poisoned.is_noise is None if count is None else poisoned.is_noise.sum() == count


def test_wanet_with_more_noise_than_samples_says_so() -> None:
    with pytest.raises(ConfigError, match="noise_rate asks for 500 noise samples, but only 455 samples can be one"):
        attacks.make("wanet", noise_rate=1.0).poison(random_images(500), torch.arange(500) % 10, 0.1, 3, 0)


# --- SIG ---


@pytest.mark.parametrize("shape", SHAPES)
def test_sig_is_the_wrapped_sine_of_its_source(shape: tuple[int, int, int]) -> None:
    row = np.array([20 * np.sin(0.8 * col) for col in range(shape[2])]).astype(np.int8).astype(np.uint8)
    attack = attacks.make("sig", shape)
    assert attack.row.tolist() == row.tolist()
    assert row[:8].tolist() == [0, 14, 19, 13, 255, 241, 237, 244]  # -1.17 truncates to -1, stored as 255
    image = random_images(1, shape)
    by_hand = (0.8 * image.double() + 0.2 * torch.from_numpy(row)).round().byte()
    assert (attack.apply(image).int() - by_hand.int()).abs().max() <= 1
    assert attack.apply(flat(100, shape))[0, 0, 0, :5].tolist() == [80, 83, 84, 83, 131]


def test_sig_added_is_a_sine_of_six_periods() -> None:
    attack = attacks.make("sig", (1, 32, 32), variant="additive")
    added = attack.apply(flat(128, (1, 32, 32)))[0, 0].int() - 128
    assert (added == added[0]).all() and added[0, :3].tolist() == [
        0,
        37,
        28,
    ]  # 40 sin(0, 67.5, 135 degrees) = 0, 36.96, 28.28
    assert np.abs(np.fft.rfft(added[0].numpy())).argmax() == 6
    assert attack.apply(flat(250, (1, 32, 32))).max() == 255


# --- ReFool ---


@pytest.mark.parametrize("mode", ["all", "in_focus", "out_of_focus", "ghost"])
def test_refool_fixes_the_reflection_of_each_sample(mode: str) -> None:
    attack, images = attacks.make("refool", mode=mode), flat(90).expand(50, -1, -1, -1).contiguous()
    whole = attack.apply(images)
    assert len(whole.flatten(1).unique(dim=0)) == 50
    assert torch.equal(attack.apply(images[:3], indices=torch.tensor([41, 7, 0])), whole[[41, 7, 0]])
    trained = attack.poison(images, torch.arange(50) % 2, 1.0, 0, 0)
    assert not (trained.images[1::2] == whole[1::2]).flatten(1).all(1).any()  # other draws than at test time


def test_refool_draws_what_its_parameters_allow() -> None:
    drawn = attacks.make("refool").reflections(torch.arange(3000), training=True)
    assert (
        0.05 <= drawn.weight.min()
        and drawn.weight.max() <= 0.45
        and drawn.weight.mean() == pytest.approx(0.25, abs=0.01)
    )
    assert 0.3 <= drawn.sigma.min() and drawn.sigma.max() <= 1.5
    assert set(drawn.shift.flatten().tolist()) == {1, 2} and len(drawn.scene.unique()) == 200
    assert torch.bincount(drawn.mode).tolist() == pytest.approx([1000] * 3, abs=100)
    assert ((drawn.first - 0.5).abs() <= 0.35).all() and ((drawn.first <= 0.5) | (drawn.first >= 0.5)).all()
    large = attacks.make("refool", (1, 224, 224), candidates=1).reflections(torch.arange(500), training=True)
    assert large.shift.max() == 14 and 2.1 <= large.sigma.min() and large.sigma.max() <= 10.5


def test_refool_in_focus_is_a_mix_in_linear_light() -> None:
    attack = attacks.make("refool", mode="in_focus", weight_low=0.3, weight_high=0.3)
    image, scene = random_images(1), attack.scenes[attack.reflections(torch.arange(1), training=False).scene]
    mixed = (0.7 * (image.double() / 255) ** 2.2 + 0.3 * (scene.double() / 255) ** 2.2) ** (1 / 2.2)
    assert (attack.apply(image).double() - 255 * mixed).abs().max() <= 0.51


def test_refool_blurs_out_of_focus_and_doubles_a_ghost() -> None:
    """On black, with all light reflected, the scene itself is seen."""
    black = flat(0)
    modes = ("in_focus", "out_of_focus", "ghost")
    shown = {mode: attacks.make("refool", mode=mode, weight_low=1.0, weight_high=1.0, candidates=8) for mode in modes}
    idx = next(
        i for i in range(99) if (drawn := shown["ghost"].reflections(torch.tensor([i]), training=False)).scene % 4 == 3
    )
    drawn = shown["ghost"].reflections(torch.tensor([idx]), training=False)
    seen = {
        mode: (attack.apply(black, indices=torch.tensor([idx]))[0].double() / 255) ** 2.2
        for mode, attack in shown.items()
    }
    sharp = seen["in_focus"]
    assert torch.equal((255 * sharp ** (1 / 2.2)).round().byte(), shown["in_focus"].scenes[drawn.scene[0]])
    assert seen["out_of_focus"].diff(dim=-1).abs().max() < sharp.diff(dim=-1).abs().max()
    assert seen["out_of_focus"].mean() == pytest.approx(sharp.mean().item(), rel=0.1)
    down, across = drawn.shift[0].tolist()
    doubled = drawn.first * sharp[:, down:, across:] + (1 - drawn.first) * sharp[:, :-down, :-across]
    assert (seen["ghost"][:, down:, across:] - doubled).abs().max() < 0.01


# --- BadNets all-to-all ---


def test_all_to_all_relabels_every_class_to_the_next() -> None:
    labels = torch.arange(400) % 10
    poisoned = attacks.make("badnets_all2all").poison(random_images(400), labels, 0.5, 3, 0)
    hit = poisoned.is_poison
    assert hit.sum() == 200 and set(labels[hit].tolist()) == set(range(10))
    assert torch.equal(poisoned.labels[hit], (labels[hit] + 1) % 10)
    assert torch.equal(poisoned.images[hit], attacks.make("badnets").apply(random_images(400)[hit]))
