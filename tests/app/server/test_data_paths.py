"""The paths that pages of a confined server may read, and the detection of changes in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.server import data_paths
from app.server.class_names import class_names
from app.server.registry import RunRegistry
from bsd_engine.audit.export.cleaned import save_cleaned
from bsd_engine.config.presets import smoke
from bsd_engine.errors import ConfigError
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run
from tests.support.page.pages import WHOLE_APP, ran

SCRIPT = WHOLE_APP


def images(folder: Path, classes: tuple[str, ...] = ("ant", "bee")) -> Path:
    """A folder with ten grey images of each class."""
    for level, name in enumerate(classes):
        (folder / "train" / name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(np.full((8, 8), 60 * level + i, np.uint8)).save(folder / "train" / name / f"{i}.png")
    return folder


@pytest.fixture
def confined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder that may be read; images lie in it and beside it."""
    images(tmp_path / "allowed/set")
    images(tmp_path / "elsewhere")
    monkeypatch.setenv("BSD_DATA_ROOTS", f"{tmp_path / 'nothing here'}:{tmp_path / 'allowed'}")
    return tmp_path / "allowed"


@pytest.mark.parametrize(
    "spec",
    [
        "folder:{root}/../elsewhere",
        "folder:/",
        "npz:{root}-more/x.npz",
        "folder:{root}/link",
        "folder:{root}/linked part",
        "npz:{root}/set/../../x.npz",
        "folder:~",
        "folder:.",
        "npz:\0",
        "folder:~nobody-of-that-name",
    ],
)
def test_paths_that_lead_elsewhere_are_refused_in_one_sentence(confined: Path, spec: str) -> None:
    (confined / "link").symlink_to(confined.parent / "elsewhere")
    (confined / "linked part").mkdir()
    (confined / "linked part/train").symlink_to(confined.parent / "elsewhere/train")
    with pytest.raises(
        ConfigError, match=r"^[^\n]* is not below the folders that this dashboard may read \([^\n]*\); [^\n]*\.$"
    ):
        data_paths.check_source(spec.format(root=confined))


@pytest.mark.parametrize(
    "spec",
    [
        "bundled",
        "cifar10",
        "gtsrb",
        "folder:{root}",
        "folder:{root}/set",
        "npz:{root}/set/../x.npz",
        "folder:{root}/inner",
        "folder:",
    ],
)
def test_paths_below_the_roots_pass(confined: Path, spec: str) -> None:
    (confined / "inner").symlink_to(confined / "set")
    data_paths.check_source(spec.format(root=confined))


@pytest.mark.parametrize("value", [None, "", " : "])
def test_without_roots_every_path_may_be_read(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("BSD_DATA_ROOTS", raising=False)
    if value is not None:
        monkeypatch.setenv("BSD_DATA_ROOTS", value)
    assert data_paths.may_read("folder:/") and data_paths.roots() == ()


def test_a_trigger_image_is_confined_unless_it_was_uploaded(confined: Path, tmp_path: Path) -> None:
    def config(picture: Path):
        return smoke().with_settings(attack="custom", attack_parameters={"image": str(picture)})

    triggers = tmp_path / "runs/.triggers"
    data_paths.check_config(config(triggers / "x.png"), triggers)
    data_paths.check_config(config(confined / "x.png"), triggers)
    for picture in (tmp_path / "x.png", triggers / "../x.png"):
        with pytest.raises(ConfigError, match="is not below"):
            data_paths.check_config(config(picture), triggers)


def test_no_run_is_started_resumed_or_branched_on_other_data(confined: Path, tmp_path: Path) -> None:
    runs = RunRegistry(tmp_path / "runs")
    config = CONFIG.with_settings(data=f"folder:{tmp_path / 'elsewhere'}", attack="none")
    path = fake_run(tmp_path / "runs", epochs=3, status=None, samples=60, config=config, truth=False)
    for begin in (
        lambda: runs.start(config),
        lambda: runs.resume(path.name),
        lambda: runs.branch(path.name, 2, config),
    ):
        with pytest.raises(ConfigError, match="elsewhere is not below the folders that this dashboard may read"):
            begin()
    assert runs.active is None and [p.name for p in (tmp_path / "runs").iterdir()] == [path.name]


def test_the_form_refuses_with_the_sentence(open_page: Callable[..., AppTest], confined: Path) -> None:
    page = open_page()
    page.selectbox(key="new_source_0").set_value("folder")
    ran(page).text_input(key="new_path_0").set_value(str(confined.parent / "elsewhere"))
    assert class_names(f"folder:{confined.parent / 'elsewhere'}") == ()
    ran(page).button(key="start").click()
    assert "is not below the folders that this dashboard may read" in ran(page).error[0].value.replace("\\", "")


def test_a_cleaned_set_can_be_made_of_the_record_alone(tmp_path: Path) -> None:
    config = CONFIG.with_settings(data=f"folder:{images(tmp_path / 'set')}", attack="none")
    run = RunReader(fake_run(tmp_path / "runs", epochs=3, samples=60, config=config, truth=False))
    save_cleaned(run, np.ones(60, bool), tmp_path / "cleaned", originals=False)
    assert len(list((tmp_path / "cleaned/train").rglob("*.png"))) == 60


def test_a_new_class_and_a_removed_image_are_noticed(tmp_path: Path) -> None:
    spec = f"folder:{images(tmp_path / 'set')}"
    before = data_paths.stamps(spec)
    assert class_names(spec) == ("ant", "bee") and data_paths.stamps(spec) == before
    images(tmp_path / "set", ("cat",))
    assert class_names(spec) == ("ant", "bee", "cat")
    between = data_paths.stamps(spec)
    os.remove(tmp_path / "set/train/ant/3.png")
    assert len({before, between, data_paths.stamps(spec)}) == 3
