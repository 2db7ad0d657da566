"""Plain training: the learning rates of the paper, the precision asked for, and an end in words where it diverges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bsd_engine.compute import runtime
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import TrainingError
from bsd_engine.training import undefended
from tests.support.short_runs import tiny


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Learning rate of each epoch of a training that learns nothing."""
    seen: list[float] = []

    def epoch(model: Any, optimizer: torch.optim.Optimizer, *_: Any, **__: Any) -> Iterator[tuple[int, int]]:
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        yield 1, 1

    monkeypatch.setattr(undefended, "cross_entropy_epoch", epoch)
    return seen


@pytest.mark.parametrize(("name", "drops"), [("paper-cifar10", (100, 150)), ("paper-imagenet30", (30, 60))])
def test_the_rate_drops_where_the_paper_says(
    tmp_path: Path, rates: list[float], name: str, drops: tuple[int, int]
) -> None:
    plain = preset(name).undefended
    settings = {key: getattr(plain, key) for key in ("undefended_epochs", "undefended_lr", "undefended_drops")}
    undefended.train_undefended(tiny().with_settings(**settings), tmp_path / "run")
    first, second = drops
    assert rates == pytest.approx(
        [0.1] * first + [0.01] * (second - first) + [0.001] * (plain.undefended_epochs - second)
    )


def test_it_computes_in_the_precision_asked_for(
    tmp_path: Path, rates: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    choose = runtime.choose
    monkeypatch.setattr(runtime, "choose", lambda *words: asked.append(words) or choose(*words))
    undefended.train_undefended(tiny().with_settings(undefended_epochs=1, precision="float32"), tmp_path / "run")
    assert asked[-1] == ("cpu", "float32")


def test_divergence_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch(
        model: torch.nn.Module, optimizer: torch.optim.Optimizer, *_: Any, **__: Any
    ) -> Iterator[tuple[int, int]]:
        optimizer.step()
        torch.nn.init.constant_(next(model.parameters()), float("nan"))
        yield 1, 1

    monkeypatch.setattr(undefended, "cross_entropy_epoch", epoch)
    config: BSDConfig = tiny().with_settings(undefended_epochs=1)
    with pytest.raises(TrainingError, match="diverged at undefended_lr 0.05; lower it"):
        undefended.train_undefended(config, tmp_path / "run")
    assert not (tmp_path / "run" / "summary.json").exists()
