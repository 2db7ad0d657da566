"""The command that repeats a run is complete: the command line reads the same settings from it."""

from __future__ import annotations

import shlex

import pytest

from bsd_engine.cli.training import train_options
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from bsd_engine.runs.retrain_command import train_command


def read(command: str) -> BSDConfig:
    """Return the settings that the command line reads."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "bsd_engine", "train"]
    return train_options(words[4:]).config


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_command_is_short(name: str) -> None:
    assert train_command(preset(name)) == f"python -m bsd_engine train --preset {name}"
    assert read(train_command(preset(name))) == preset(name)


@pytest.mark.parametrize(
    "settings",
    [
        {"t1": 3},
        {"t1": 4, "t2": 20, "t3": 40},
        {"alpha": 0.55, "beta": 0.25, "seed": 7},
        {"attack": "blended", "rate": 0.05},
        {"attack": "blended", "attack_parameters": {"ratio": 0.2}},
        {"flip": False, "selective_drop": False},
        {"target_label": 0},
        {"data": "folder:/a b/it's $HOME"},
        {"limit": None},
        {"sce_weights": (0.2, 0.8)},
        {"completion": "fewest", "als_init_ratio": 0.4},
        {"attack": "none", "device": "cpu"},
        {"altruistic_epochs": 2},
    ],
)
def test_each_setting_comes_back(settings: dict) -> None:
    config = preset("demo").with_settings(**settings)
    assert read(train_command(config)) == config


def test_a_branch_names_where_it_begins() -> None:
    config = preset("smoke").with_settings(alpha=0.9)
    words = shlex.split(train_command(config, branched_from={"run": "20260101-000000-a", "epoch": 4}))
    assert words[4:8] == ["--branch", "runs/20260101-000000-a", "--from-epoch", "4"]
    assert words[words.index("--alpha") + 1] == "0.9"


def test_an_unknown_preset_gives_one_sentence() -> None:
    with pytest.raises(ConfigError, match="config.json"):
        train_command(preset("demo").with_settings(preset="<script>"))
