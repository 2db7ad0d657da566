"""The networks: their shapes and sizes, one interface for all of them, and weights that a seed decides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from bsd_engine.compute import architectures, models
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.data_settings import NETWORKS, ModelConfig
from bsd_engine.errors import ConfigError
from bsd_engine.method.mixmatch import frozen_statistics

TORCHVISION = ["torchvision:resnet18", "torchvision:mobilenet_v2"]
GOLDEN = 4269.380903451149  # sum of the absolute weights


def network(
    name: str, *, width: int = 32, size: int = 32, channels: int = 3, classes: int = 10, seed: int = 0
) -> nn.Module:
    width = 64 if name.startswith("torchvision:") else width
    return models.seeded(ModelConfig(model=name, width=width), (size, size, channels), classes, seed)


def images(size: int = 32, channels: int = 3, count: int = 4) -> torch.Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


# --- what every network promises ---


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name in NETWORKS for size in (28, 32)] + [(name, 64) for name in TORCHVISION]
)
def test_features_feed_the_head_in_either_memory_format(name: str, size: int, channels: int) -> None:
    model = network(name, size=size, channels=channels, classes=7).eval()
    x = images(size, channels)
    with torch.no_grad():
        features, logits = model.features(x), model(x)
        assert features.shape == (4, model.head.in_features) and logits.shape == (4, 7)
        assert isinstance(model.head, nn.Linear) and torch.equal(model.head(features), logits)
        assert torch.equal(model(x), logits)
        last = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [*NETWORKS, *TORCHVISION])
def test_a_training_step_gives_every_weight_a_gradient(name: str) -> None:
    model = network(name, channels=1).to(memory_format=torch.channels_last)
    assert model.training
    model(images(channels=1)).square().sum().backward()
    missing = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []


@pytest.mark.parametrize("name", [*NETWORKS, *TORCHVISION])
def test_frozen_statistics_stay_and_move_again_afterwards(name: str) -> None:
    model = network(name).train()
    floats = {key: b for key, b in model.named_buffers() if b.is_floating_point()}
    before = {key: b.clone() for key, b in floats.items()}
    with torch.no_grad(), frozen_statistics(model):
        model(images())
    assert before and all(torch.equal(b, before[key]) for key, b in floats.items())
    with torch.no_grad():
        model(images())
    assert not any(torch.equal(b, before[key]) for key, b in floats.items())


@pytest.mark.parametrize("name", [*NETWORKS, *TORCHVISION])
def test_training_draws_nothing_at_random(name: str) -> None:
    """A resumed run is the uninterrupted one, so no dropout may hide in a network."""
    model = network(name).train()
    with torch.no_grad():
        assert torch.equal(model(images()), model(images()))


# --- each network ---


@pytest.mark.parametrize(
    ("name", "width", "classes", "count", "features"),
    [
        ("resnet18", 64, 10, 11_173_962, 512),
        ("resnet18", 64, 43, 11_190_891, 512),
        ("resnet18", 8, 10, 176_402, 64),
        ("mobilenet_v2", 64, 10, 2_296_922, 1280),
        ("mobilenet_v2", 32, 10, 602_482, 640),
        ("small_resnet", 16, 10, 73_370, 64),
        ("torchvision:resnet18", 64, 10, 11_181_642, 512),
        ("torchvision:mobilenet_v2", 64, 10, 2_236_682, 1280),
    ],
)
def test_parameters_and_length_of_the_feature(name: str, width: int, classes: int, count: int, features: int) -> None:
    model = network(name, width=width, classes=classes)
    assert (parameters(model), model.head.in_features) == (count, features)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_32_pixels_end_at_4(name: str) -> None:
    model, sizes = network(name), []
    model.blocks.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[2:])))
    model(images())
    assert sizes == [(4, 4)]


@pytest.mark.parametrize("width", [32, 40, 64, 128])
def test_width_scales_every_layer_of_mobilenet(width: int) -> None:
    def channels(w: int) -> list[int]:
        return [m.out_channels for m in network("mobilenet_v2", width=w, size=8).modules() if isinstance(m, nn.Conv2d)]

    assert channels(width) == [c * width // 64 for c in channels(64)] and min(channels(width)) >= 8


def test_torchvisions_networks_take_224_pixels() -> None:
    for name in TORCHVISION:
        model = network(name, size=224, classes=3).eval()
        with torch.no_grad():
            assert model(images(224, count=1)).shape == (1, 3)


@pytest.mark.parametrize(
    "name", ["densenet121", "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_y_400mf", "mnasnet0_5", "googlenet"]
)
def test_other_families_of_torchvision_have_the_same_interface(name: str) -> None:
    model = network(f"torchvision:{name}", size=64, classes=5).eval()
    with torch.no_grad():
        features = model.features(images(64, count=2))
        assert torch.equal(model.head(features), model(images(64, count=2))) and model.head.out_features == 5


# --- seeds ---


@pytest.mark.parametrize("seed", [0, 7])
def test_the_weights_of_a_seed_are_those_of_torchs_generator(seed: int) -> None:
    key = seed_for(seed, "main", -1)
    ours = network("resnet18", width=8, seed=key)
    with torch.random.fork_rng():
        torch.manual_seed(key)
        plain = architectures.ResNet(channels_in=3, num_classes=10, width=8, blocks=(2, 2, 2, 2), stem_stride=1)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), plain.state_dict().values(), strict=True))


def test_weights_of_a_seed_stay_the_same_over_versions() -> None:
    """Recorded before the construction was shared by the two kinds of training."""
    model = network("small_resnet", width=16, channels=1, seed=seed_for(0, "main", -1))
    assert sum(p.double().abs().sum() for p in model.parameters()).item() == pytest.approx(GOLDEN, abs=1e-6)


@pytest.mark.parametrize("name", [*NETWORKS, *TORCHVISION])
def test_the_seed_decides_and_the_global_generator_stays(name: str) -> None:
    before = torch.random.get_rng_state()
    one, same, other = network(name, seed=3), network(name, seed=3), network(name, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [torch.cat([p.detach().flatten() for p in m.parameters()]) for m in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


# --- what cannot be built ---


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        (
            "torchvision:resnet19",
            32,
            r"^model is 'torchvision:resnet19', but torchvision has no .* it has resnet18, .* and others\.$",
        ),
        (
            "torchvision:squeezenet1_1",
            64,
            r"^model is 'torchvision:squeezenet1_1', whose last layer is not linear, .*\.$",
        ),
        ("torchvision:fasterrcnn_resnet50_fpn", 64, "torchvision has no classification network of that name"),
        (
            "torchvision:alexnet",
            32,
            r"^model is 'torchvision:alexnet', which cannot take images of 32x32 pixels "
            r"\(.*\)\. Choose another network",
        ),
        ("torchvision:vit_b_32", 32, r"which cannot take images of 32x32 pixels \(Wrong image height"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(name: str, size: int, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        network(name, size=size)


@pytest.mark.parametrize("name", NETWORKS)
def test_our_networks_take_the_smallest_images_that_data_may_have(name: str) -> None:
    model = network(name, size=8)
    assert model(images(8)).shape == (4, 10)


def test_networks_built_in_two_threads_have_the_weights_of_their_own_seeds() -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        return [network("small_resnet", width=8, size=8, seed=seed).head.weight for _ in range(20)]

    alone = [weights(seed)[0] for seed in (1, 2)]
    with ThreadPoolExecutor(2) as both:
        for expected, found in zip(alone, both.map(weights, (1, 2)), strict=True):
            assert all(torch.equal(expected, w) for w in found)
