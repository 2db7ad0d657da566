"""A network together with its optimiser, and the type of an epoch of training."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bsd_engine.compute.runtime import Runtime
from bsd_engine.training.checkpoint import check_moments

Training = Generator[tuple[int, int], None, Tensor]
"""One epoch: yields (iterations done, iterations in all) after each iteration; returns the mean loss, () float32."""


@dataclass(kw_only=True)
class Learner:
    """A network and its optimiser. The optimiser is replaced where training goes on by another method."""

    network: nn.Module
    optimizer: torch.optim.Optimizer

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """State dicts of the network and of the optimiser."""
        return self.network.state_dict(), self.optimizer.state_dict()

    def load(self, network: dict[str, Any], optimizer: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.network.load_state_dict(network)
        self.optimizer.load_state_dict(optimizer)
        check_moments(self.optimizer)


def placed(network: nn.Module, runtime: Runtime) -> nn.Module:
    """The network on the device, its weights in channels-last order."""
    return network.to(runtime.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # stubs lack it


def adam(network: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The optimiser of both models."""
    return torch.optim.Adam(network.parameters(), lr=lr, fused=True)
