"""Settings that would take too much memory are refused before anything is built, by the name of the setting."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bsd_engine import attacks
from bsd_engine.compute import architectures, memory, models
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.config.presets import PRESETS, smoke
from bsd_engine.data import decoding
from bsd_engine.errors import ConfigError, DataError
from bsd_engine.prepare.memory import check_memory, check_plain_memory
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.training.trainer import BSDTrainer

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much memory is free, whatever the machine has."""
    monkeypatch.setattr(memory, "_of_machine", lambda: 2e9)


@pytest.mark.parametrize(
    ("model", "width"), [("resnet18", 40), ("resnet18", 64), ("small_resnet", 8), ("mobilenet_v2", 72)]
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 40, 3)])
def test_the_size_of_a_network_is_known_without_building_it(
    model: str, width: int, shape: tuple[int, int, int]
) -> None:
    size = models.network_size(ModelConfig(model=model, width=width), shape, 7)
    network = architectures.build(model, channels_in=shape[2], num_classes=7, width=width)
    assert size.weights == sum(t.nbytes for t in network.state_dict().values())
    assert size.activations == models.activation_bytes(network, model, shape)


def test_the_size_of_torchvisions_networks_is_known() -> None:
    """11,689,512 parameters for 1,000 classes, as torchvision documents; the rest are running statistics."""
    size = models.network_size(ModelConfig(model="torchvision:resnet18"), (64, 64, 3), 1000)
    assert size.weights == 4 * (11_689_512 + 9_600) + 8 * 20


def test_asking_for_a_size_leaves_the_global_generator_unchanged() -> None:
    models.network_size.cache_clear()
    before = torch.random.get_rng_state()
    models.network_size(ModelConfig(width=8), (16, 16, 3), 4)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.usefixtures("two_gigabytes")
@pytest.mark.parametrize(
    ("setting", "value", "more"),
    [
        ("width", 512, {"model": "resnet18"}),
        ("labeled_batch", 16384, {"model": "resnet18", "width": 64}),
        ("unlabeled_batch", 16384, {"model": "resnet18", "width": 64}),
        ("iterations", 100_000, {"labeled_batch": 512, "unlabeled_batch": 512}),
        ("all_to_all", "retrain_each", {"model": "resnet18", "width": 64, "t2": 6}),
    ],
)
def test_a_training_that_cannot_fit_is_refused_by_the_setting_that_takes_most(
    small_images: PreparedData, setting: str, value: object, more: dict
) -> None:
    config = smoke().with_settings(device="cpu", **{setting: value}, **more)
    with pytest.raises(ConfigError, match=rf"^{setting} is {value}, with which at least .* GB of memory would be need"):
        BSDTrainer(config, small_images)


@pytest.mark.usefixtures("two_gigabytes")
def test_plain_training_is_checked_too(small_images: PreparedData) -> None:
    check_plain_memory(smoke().with_settings(device="cpu"), small_images)
    wide = smoke().with_settings(device="cpu", precision="float32", model="resnet18", width=512)
    with pytest.raises(ConfigError, match=r"^width is 512, with which at least 9\.1 GB of memory"):
        check_plain_memory(wide, small_images)


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"paper-imagenet30"}))
def test_no_preset_is_refused_on_a_machine_with_eight_gigabytes(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(memory, "_of_machine", lambda: 8e9)
    images = torch.zeros(64, 32, 32, 3, dtype=torch.uint8)
    check_memory(PRESETS[name]().with_settings(device="cpu"), replace(small_images, images=images))


@pytest.mark.usefixtures("two_gigabytes")
def test_images_that_do_not_fit_are_refused_before_they_are_decoded() -> None:
    form = decoding.Form(1024, 1024, 3, resizes=True)
    with pytest.raises(DataError, match=r"1,000 images of 1024x1024 pixels take 3.1 GB of memory, and 2.0 GB are free"):
        decoding.decode_in_memory([Path("x")] * 1000, form, {})


@pytest.mark.usefixtures("two_gigabytes")
@pytest.mark.parametrize(
    ("name", "setting", "value"), [("badnets", "size", 9000), ("custom", "size", 9000), ("refool", "candidates", 9000)]
)
def test_an_attacks_sizes_are_bounded(name: str, setting: str, value: int) -> None:
    """A checkerboard of 9,000 pixels a side took 1.4 GB before it was refused."""
    more = {"pattern": "checkerboard"} if name == "badnets" else {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigError, match=rf"^{setting} is {value}, "):
        attacks.make(name, (3, 224, 224), **{setting: value}, **more)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_the_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from bsd_engine.compute.memory import free_bytes\n"
        "resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); print(0 < free_bytes() < 10**9)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n", done.stderr


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("3000\n")
    without = memory._of_container()
    (tmp_path / "memory.max").write_text("5000\n")
    assert (without, memory._of_container()) == (float("inf"), 2000.0)
