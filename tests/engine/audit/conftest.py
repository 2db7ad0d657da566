"""Images of unknown origin with hostile class names, and a run on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.record import record_run
from tests.support.hostile import HOSTILE_CLASSES
from tests.support.short_runs import short


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three classes, named by a formula, in another script and by HTML; a test part; files named alike."""
    root, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 4)):
        for c, name in enumerate(HOSTILE_CLASSES):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 90, (12, 12), np.uint8) + np.uint8(70 * c)
                Image.fromarray(pixels).save(root / part / name / ("@sum<b>.png" if i == 0 else f"é {i}.png"))
    return root


@pytest.fixture(scope="module")
def own_run(own_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on them without an attack, that is without any truth."""
    path = tmp_path_factory.mktemp("runs") / "own"
    config = short(data=f"folder:{own_folder}", attack="none", limit=None, alpha=0.9, beta=0.5, selective_drop=False)
    record_run(config, path, prepared=prepare(config))
    return path
