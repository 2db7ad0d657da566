"""Settings of a stranger's run: the paths in them are not followed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bsd_engine.cli.training import train_options
from bsd_engine.errors import ConfigError
from tests.support.command_line import CommandResult
from tests.support.fake_run import CONFIG, fake_run


def foreign(folder: Path, **settings: object) -> Path:
    """A copy of a run folder: its files have other inodes than those that were signed."""
    run = fake_run(folder, epochs=1, run_id="own", **settings)
    return Path(shutil.copytree(run, folder / "foreign"))


PICTURE = {"attack": "custom", "attack_parameters": {"image": "/home/me/secret.png"}}


def test_images_of_a_foreign_run_have_to_be_named(tmp_path: Path) -> None:
    run = foreign(tmp_path, config=CONFIG.with_settings(data="folder:~"))
    with pytest.raises(
        ConfigError, match=r"comes from somebody else, so the path in its settings \('folder:~'\) is no"
    ):
        train_options(["--config", str(run)])
    with pytest.raises(ConfigError, match="add --data with what to use instead"):
        train_options(["--config", str(run / "config.json"), "--seed", "3"])
    assert train_options(["--config", str(run), "--data", "bundled"]).config.data.data == "bundled"


@pytest.mark.parametrize("words", [[], ["--attack", "custom"], ["--rate", "0.1"]])
def test_a_trigger_picture_of_a_foreign_run_has_to_be_named(tmp_path: Path, words: list[str]) -> None:
    run = foreign(tmp_path, config=CONFIG.with_settings(**PICTURE))
    with pytest.raises(ConfigError, match=r"\('/home/me/secret.png'\) is not followed; add --attack-parameters"):
        train_options(["--config", str(run), *words])


@pytest.mark.parametrize("words", [["--attack", "badnets"], ["--attack-parameters", "opacity", "0.5"]])
def test_another_attack_replaces_the_picture(tmp_path: Path, words: list[str]) -> None:
    run = foreign(tmp_path, config=CONFIG.with_settings(**PICTURE))
    assert "image" not in train_options(["--config", str(run), *words]).config.attack.attack_parameters


def test_ones_own_run_keeps_its_paths(tmp_path: Path) -> None:
    foreign(tmp_path, config=CONFIG.with_settings(data="folder:~", **PICTURE))
    config = train_options(["--config", str(tmp_path / "own")]).config
    assert (config.data.data, config.attack.attack_parameters) == ("folder:~", PICTURE["attack_parameters"])


@pytest.mark.parametrize("words", [["check", "--resume"], ["check", "--config"], ["poison", "--config"]])
def test_no_command_follows_them(command: Callable[..., CommandResult], tmp_path: Path, words: list[str]) -> None:
    run = foreign(tmp_path, config=CONFIG.with_settings(data=f"folder:{tmp_path}/private"))
    result = command(*words, str(run), *["--out", str(tmp_path / "new")] * (words[0] == "poison"))
    assert result.status == 2 and "is not followed; add --data" in result.err and result.err.count("\n") == 1
