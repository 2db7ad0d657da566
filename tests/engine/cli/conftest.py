"""Fixtures: the command line in this process, an empty working folder, and a tiny data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.cli.main import main
from tests.support.command_line import CommandResult


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def tiny_npz(tmp_path: Path) -> str:
    """SPEC of 120 training and 20 test images of 8x8 pixels in four classes that differ in brightness."""
    rng = np.random.default_rng(0)
    labels, test_labels = np.arange(120) % 4, np.arange(20) % 4
    images, test_images = (rng.integers(0, 64, (len(y), 8, 8)) + 64 * y[:, None, None] for y in (labels, test_labels))
    np.savez(
        tmp_path / "tiny.npz",
        train_images=images.astype(np.uint8),
        train_labels=labels,
        test_images=test_images.astype(np.uint8),
        test_labels=test_labels,
    )
    return f"npz:{tmp_path / 'tiny.npz'}"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """A function that runs `python -m bsd_engine` with given arguments in this process."""

    def call(*words: str) -> CommandResult:
        capsys.readouterr()
        try:
            status = main(list(words))
        except SystemExit as leaving:
            status = leaving.code or 0
        return CommandResult(status, *capsys.readouterr())

    return call
