"""From the attack's settings to what is trained on and tested with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine import attacks
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.prepare.prepare import prepare, true_target


@pytest.fixture
def config(tmp_path: Path) -> BSDConfig:
    """120 training and 20 test images of 8x8 pixels in four classes."""
    rng = np.random.default_rng(0)
    arrays = {
        f"{part}_images": rng.integers(0, 256, (n, 8, 8), dtype=np.uint8) for part, n in (("train", 120), ("test", 20))
    }
    np.savez(tmp_path / "tiny.npz", **arrays, train_labels=np.arange(120) % 4, test_labels=np.arange(20) % 4)
    return preset("smoke").with_settings(
        data=f"npz:{tmp_path / 'tiny.npz'}", limit=None, device="cpu", attack_parameters={"row": 0, "col": 0}
    )


def test_the_target_class_counts_for_success_only_when_asked(config: BSDConfig) -> None:
    assert prepare(config).triggered_labels.tolist() == [3] * 15
    assert prepare(config.with_settings(asr_exclude_target=False)).triggered_labels.tolist() == [3] * 20


def test_all_to_all_tests_every_image_with_the_next_class(config: BSDConfig) -> None:
    config = config.with_settings(attack="badnets_all2all", rate=0.1)
    prepared = prepare(config)
    assert prepared.triggered_labels.tolist() == [1, 2, 3, 0] * 5 and true_target(config) is None
    assert prepared.is_poison.sum() == 12
    hit = prepared.is_poison
    assert torch.equal(prepared.labels[hit], (prepared.original_labels[hit] + 1) % 4)


def test_parameters_modes_and_rates_reach_the_attack(config: BSDConfig) -> None:
    images = prepare(
        config.with_settings(attack_parameters={"row": 4, "col": 4, "pattern": "checkerboard", "size": 1})
    ).triggered_images
    assert (images[:, 4, 4, 0] == 255).all()
    assert prepare(config.with_settings(rate=0.1)).is_poison.sum() == 9
    assert prepare(config.with_settings(rate=0.1, poison_count_mode="exact_all_from_nontarget")).is_poison.sum() == 12
    clean_label = prepare(config.with_settings(attack="sig", attack_parameters={"variant": "additive", "delta": 90}))
    assert clean_label.is_poison.sum() == int(0.25 * 30) and torch.equal(
        clean_label.labels, clean_label.original_labels
    )


def test_the_number_of_a_test_image_picks_its_reflection(config: BSDConfig) -> None:
    config = config.with_settings(attack="refool", attack_parameters={})
    every, others = (
        prepare(config.with_settings(asr_exclude_target=exclude)).triggered_images for exclude in (False, True)
    )
    assert torch.equal(others, every[torch.arange(20) % 4 != 3])


def test_an_attack_without_a_name_has_no_target(config: BSDConfig) -> None:
    assert true_target(config) == 3 and true_target(config.with_settings(attack="none", attack_parameters={})) is None
    assert attacks.kind("sig").clean_label


def test_landmarks_are_no_better_poisoned_than_the_rest() -> None:
    """Drawn from one permutation, all poisoned samples of an all-to-all attack were landmarks."""
    found = prepare(preset("demo").with_settings(attack="badnets_all2all"))
    share = found.is_poison[found.landmark_idx].float().mean().item()
    assert 0.03 < share < 0.07, "5 % of all samples are poisoned"


def test_all_to_all_needs_no_target() -> None:
    two_classes = preset("smoke").with_settings(attack="badnets_all2all", target_label=999)
    assert prepare(two_classes).is_poison.any()
