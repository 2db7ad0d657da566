"""torchvision imports whatever build of torch is beside it, and only when somebody asks for it."""

import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bsd_engine.compute import torchvision_compat as compat

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_torchvision_is_imported_only_where_needed_and_then_works() -> None:
    code = """
import sys
import bsd_engine, bsd_engine.data, bsd_engine.attacks, bsd_engine.compute.torchvision_compat as compat
assert not any(name.startswith("torchvision") for name in sys.modules)
torchvision = compat.import_torchvision()
assert compat.import_torchvision() is torchvision
import torch
assert hasattr(torch.ops.torchvision, "nms")
print(torchvision.datasets.CIFAR10.__name__)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "CIFAR10", done.stderr


def test_working_torchvision_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("torchvision")
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    monkeypatch.setattr(compat, "_missing_operators", lambda: pytest.fail("operators were declared"))
    assert compat.import_torchvision.__wrapped__() is fake


def test_other_failures_are_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('unrelated')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(compat, "_missing_operators", lambda: pytest.fail("operators were declared"))
    with pytest.raises(RuntimeError, match="unrelated"):
        compat.import_torchvision.__wrapped__()
