"""The networks. Each offers `features(x) -> (B, D)` and `forward(x) -> (B, C) logits`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


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
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


class ResNet(nn.Module):
    """Stem, stages of basic blocks that double the channels and halve the size, average pooling, linear head.

    The feature is the pooled output of the last block, hence not negative.
    """

    def __init__(self, *, channels_in: int, num_classes: int, width: int, blocks: tuple[int, ...], stem_stride: int) -> None:
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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """(B, D): average-pooled output of the last block."""
        return self.blocks(self.stem(x)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) logits."""
        return self.head(self.features(x))


def build(name: str, *, channels_in: int, num_classes: int, width: int) -> nn.Module:
    """A new network with random weights drawn from torch's global generator.

    resnet18: CIFAR ResNet-18, 3x3 stride-1 stem without max-pooling, [2, 2, 2, 2] blocks; 11.2 M parameters at
    width 64. small_resnet: stride-2 stem, no block at that size, then one block of twice and one of four times the
    width: 4,000 training images a second on one Zen 3 core at width 16, against 2,330 with a block in each stage.
    """
    shape = {
        "resnet18": {"blocks": (2, 2, 2, 2), "stem_stride": 1},
        "small_resnet": {"blocks": (0, 1, 1), "stem_stride": 2},
    }[name]
    return ResNet(channels_in=channels_in, num_classes=num_classes, width=width, **shape)
