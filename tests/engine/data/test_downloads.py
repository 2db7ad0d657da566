"""CIFAR-10 and GTSRB come from the cache folder or from torchvision; a failure says what to do."""

import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bsd_engine.data import dataset as data
from bsd_engine.data import sources
from bsd_engine.errors import DataError
from tests.support.image_sets import write_image


def test_unpacked_folder_in_the_cache_needs_no_download(monkeypatch: pytest.MonkeyPatch, image_tree: Path) -> None:
    (image_tree / "gtsrb").mkdir()
    for part in ("train", "test"):
        (image_tree / part).rename(image_tree / "gtsrb" / part)
    monkeypatch.setenv("BSD_DATA", str(image_tree))
    assert data.load("gtsrb").class_names == ("ant", "bee")


def use_fake_torchvision(monkeypatch: pytest.MonkeyPatch, folder: Path, **datasets: Any) -> None:
    monkeypatch.setenv("BSD_DATA", str(folder))
    monkeypatch.setattr(sources, "import_torchvision", lambda: SimpleNamespace(datasets=SimpleNamespace(**datasets)))


def test_cifar10_comes_from_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def dataset(root: Path, train: bool, download: bool) -> SimpleNamespace:
        assert root == tmp_path and download
        return SimpleNamespace(
            data=np.full((20, 32, 32, 3), 7 * train, np.uint8),
            targets=[i % 10 for i in range(20)],
            classes=[f"c{i}" for i in range(10)],
        )

    use_fake_torchvision(monkeypatch, tmp_path, CIFAR10=dataset)
    loaded = data.load("cifar10")
    assert loaded.train_images.shape == (20, 3, 32, 32) and loaded.class_names[9] == "c9"
    assert (loaded.train_images == 7).all() and (loaded.test_images == 0).all()


def test_gtsrb_comes_from_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for i in range(86):
        write_image(tmp_path / f"gtsrb/GTSRB/{i}.ppm", i, (30 + i % 2, 40))

    def dataset(root: Path, split: str, download: bool) -> SimpleNamespace:
        assert download
        numbers = range(86) if split == "train" else range(5)
        return SimpleNamespace(_samples=[(str(root / f"gtsrb/GTSRB/{i}.ppm"), i % 43) for i in numbers])

    use_fake_torchvision(monkeypatch, tmp_path, GTSRB=dataset)
    loaded = data.load("gtsrb")
    assert loaded.train_images.shape == (86, 3, 32, 32) and loaded.train_images[:, 0, 0, 0].tolist() == list(range(86))
    assert loaded.test_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no route"), RuntimeError("corrupted"), ImportError("no torchvision")]
)
def test_failed_download_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, failure: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    use_fake_torchvision(monkeypatch, tmp_path, CIFAR10=fail, GTSRB=fail)
    with pytest.raises(
        DataError, match=f"connect to the internet, or put its images into {tmp_path}/{name}/train/<class>/.*BSD_DATA"
    ):
        data.load(name)


@pytest.mark.parametrize("spec", ["", "imagenet", "npz:", "folder:", "bundled:x"])
def test_unknown_source_lists_the_known(spec: str) -> None:
    with pytest.raises(DataError, match="expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH"):
        data.load(spec)
