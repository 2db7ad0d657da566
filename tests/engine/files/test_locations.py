"""Where bundled files and the cache lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsd_engine.data import bundled
from bsd_engine.files import locations
from bsd_engine.files.locations import assets_folder, cache_folder
from bsd_engine.recordings import library

ROOT = Path(__file__).parents[3]


def test_in_the_repository_the_assets_lie_beside_the_package() -> None:
    assert assets_folder() == ROOT / "assets"
    assert bundled.PATH == ROOT / "assets/fashion_mnist.npz.xz" and bundled.PATH.is_file()
    assert library.FOLDER == ROOT / "assets/recordings" and library.FOLDER.is_dir()


def test_an_installed_package_carries_its_assets_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder called assets beside it belongs to another package."""
    for folder in ("assets", "bsd_engine/_assets"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(locations, "_PACKAGE", tmp_path / "bsd_engine")
    assert assets_folder() == tmp_path / "bsd_engine/_assets"


@pytest.mark.parametrize(("value", "folder"), [("/data/bsd", "/data/bsd"), ("~/images", "/home/me/images")])
def test_the_cache_folder_is_the_one_in_bsd_data(value: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("BSD_DATA", value)
    assert cache_folder() == Path(folder)


def test_without_a_value_the_cache_folder_is_below_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("BSD_DATA", "")
    assert cache_folder() == Path("/home/me/.cache/bsd")
