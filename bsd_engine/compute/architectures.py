"""The architectures: CIFAR ResNets, MobileNet-v2 for small images, and those of torchvision."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from bsd_engine.compute.torchvision_compat import import_torchvision
from bsd_engine.config.data_settings import TORCHVISION
from bsd_engine.errors import ConfigError


class Network(nn.Module):
    """A classifier that is a linear layer on top of its features."""

    head: nn.Linear

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """(B, D): the input of `head`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) logits."""
        return self.head(self.features(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


class ResNet(Network):
    """Stem, stages of basic blocks that double the channels and halve the size, average pooling, linear head.

    The features are the pooled output of the last block, hence not negative.
    """

    def __init__(
        self, *, channels_in: int, num_classes: int, width: int, blocks: tuple[int, ...], stem_stride: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, width, 3, stem_stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        stages, channels = [], width
        for stage, count in enumerate(blocks):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(BasicBlock(channels, width * 2**stage, stride))
                channels = width * 2**stage
        self.blocks = nn.Sequential(*stages)
        self.head = nn.Linear(channels, num_classes)
        _initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """(B, D): average-pooled output of the last block."""
        return self.blocks(self.stem(x)).mean((2, 3))


class InvertedResidual(nn.Module):
    """Widening 1x1, depthwise 3x3 and linear 1x1 convolution.

    There is a shortcut if the size stays the same; it is projected if the number of channels changes.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.expand, self.bn1 = nn.Conv2d(channels_in, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.depthwise, self.bn2 = (
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
        )
        self.project, self.bn3 = nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.has_shortcut = stride == 1
        self.shortcut = nn.Sequential()
        if self.has_shortcut and channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.expand(x)), inplace=True)
        out = F.relu(self.bn2(self.depthwise(out)), inplace=True)
        out = self.bn3(self.project(out))
        return out + self.shortcut(x) if self.has_shortcut else out


# Expansion, channels at width 64, blocks and stride of each stage. The stem and the second stage have stride 1 instead
# of the 2 that is used for 224-pixel images, so that 32 pixels end as 4.
_MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(Network):
    """MobileNet-v2 for small images; the features are the average-pooled last 1x1 convolution, hence not negative."""

    def __init__(self, *, channels_in: int, num_classes: int, width: int) -> None:
        super().__init__()
        channels, last = 32 * width // 64, 1280 * width // 64
        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        stages = []
        for expansion, full, count, stride in _MOBILENET_STAGES:
            for block in range(count):
                stages.append(InvertedResidual(channels, full * width // 64, stride if block == 0 else 1, expansion))
                channels = full * width // 64
        self.blocks = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU(inplace=True))
        self.head = nn.Linear(last, num_classes)
        _initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """(B, D): average-pooled output of the last convolution."""
        return self.last(self.blocks(self.stem(x))).mean((2, 3))


class TorchvisionNet(Network):
    """A classification network of torchvision with random weights; the features are the input of its last linear layer.

    Dropout and stochastic depth are switched off: they draw from torch's global generator, which f and g would share
    across threads, so a resumed run would differ from an uninterrupted one. Grey images fill all three colour channels.
    """

    def __init__(self, name: str, *, num_classes: int) -> None:
        super().__init__()
        self.body = _torchvision_network(name, num_classes)
        layers = [
            (path, module) for path, module in self.body.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))
        ]
        path, head = layers[-1]
        if not isinstance(head, nn.Linear) or head.out_features != num_classes:
            raise ConfigError(
                f"model is 'torchvision:{name}', whose last layer is not linear, expected a network with a linear "
                "classifier. Choose another, such as torchvision:resnet18."
            )
        self.body.set_submodule(path, nn.Identity())
        self.head = head
        for module in self.body.modules():
            if type(module).__name__ in ("Dropout", "StochasticDepth"):
                setattr(module, "p", 0.0)  # noqa: B010 - the type of a module does not declare it

    def features(self, x: Tensor) -> Tensor:
        """(B, D): input of the last linear layer."""
        return self.body(x.expand(-1, 3, -1, -1))


def _torchvision_network(name: str, num_classes: int) -> nn.Module:
    """A new network of torchvision, without auxiliary classifiers."""
    zoo = import_torchvision().models
    known = zoo.list_models(module=zoo)
    if name not in known:
        common = ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "vgg16_bn", "densenet121")
        raise ConfigError(
            f"model is 'torchvision:{name}', but torchvision has no classification network of that name; it has "
            f"{', '.join(n for n in common if n in known)} and others."
        )
    plain = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    return zoo.get_model(name, weights=None, num_classes=num_classes, **plain)


def _initialise(network: nn.Module) -> None:
    """He initialisation of the convolutions, as in ASD's networks."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def build(name: str, *, channels_in: int, num_classes: int, width: int) -> Network:
    """A new network with random weights drawn from torch's global generator.

    resnet18: CIFAR ResNet-18, 3x3 stride-1 stem without max-pooling, [2, 2, 2, 2] blocks; 11.2 M parameters at
    width 64. small_resnet: stride-2 stem, no block at that size, then one block of twice and one of four times the
    width: 4,000 training images per second on one Zen 3 core at width 16, against 2,330 with a block in each stage.
    mobilenet_v2: 2.3 M parameters at width 64. torchvision:NAME: that network of torchvision; the width is ignored.

    Raises `ConfigError` for a NAME that torchvision lacks or whose last layer is not linear.
    """
    if name.startswith(TORCHVISION):
        return TorchvisionNet(name.removeprefix(TORCHVISION), num_classes=num_classes)
    if name == "mobilenet_v2":
        return MobileNetV2(channels_in=channels_in, num_classes=num_classes, width=width)
    blocks, stem_stride = _RESNETS[name]
    return ResNet(channels_in=channels_in, num_classes=num_classes, width=width, blocks=blocks, stem_stride=stem_stride)


_RESNETS: dict[str, tuple[tuple[int, ...], int]] = {"resnet18": ((2, 2, 2, 2), 1), "small_resnet": ((0, 1, 1), 2)}
"""Blocks in each stage, and stride of the stem."""
NARROWEST = {"resnet18": 8, "small_resnet": 8, "mobilenet_v2": 32}
"""Smallest width of each network; mobilenet_v2 can have only multiples of 8 beyond it."""
