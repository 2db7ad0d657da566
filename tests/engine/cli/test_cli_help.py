"""Help explains every option with its default; check describes the data and starts nothing."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.cli.main import main
from bsd_engine.config.settings import GROUPS
from tests.support.command_line import BAD_SETTINGS, CommandResult, assert_one_sentence, plain, smoke

pytestmark = pytest.mark.usefixtures("one_thread", "folder")


@pytest.fixture
def contradictory_npz(tmp_path: Path) -> str:
    """SPEC of 40 images in two classes; the first two images are the same but have different labels."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    images[1] = images[0]
    np.savez(tmp_path / "twice.npz", images=images, labels=np.arange(40) % 2)
    return f"npz:{tmp_path / 'twice.npz'}"


def test_check_describes_the_data_and_starts_nothing(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    result = command(*smoke("check", tiny_npz, "--target", "2", "--out", "run"))
    assert result.status == 0 and result.err == "" and list(folder.iterdir()) == []
    first, *lines = result.out.splitlines()
    assert (
        first == f"data: {tiny_npz}"
        and lines[0].startswith("training images: 120 in 4 classes")
        and "8x8 pixels, grey" in result.out
    )
    assert "exact duplicates: 0 groups" in result.out


def test_check_refuses_what_train_refuses(command: Callable[..., CommandResult], folder: Path, tiny_npz: str) -> None:
    for name in ("alpha too large", "target is not a class", "no file", "data unheard of", "nothing to resume"):
        words, expected = BAD_SETTINGS[name]
        assert_one_sentence(command(*smoke("check", tiny_npz), *words), folder, expected)


def test_check_lists_contradicting_duplicates_and_train_warns_of_them(
    command: Callable[..., CommandResult], folder: Path, contradictory_npz: str
) -> None:
    options = ["--attack", "none", "--t3", "5"]
    assert (
        "1 of them with different labels\n  image 0 (0), image 1 (1)\n"
        in command(*smoke("check", contradictory_npz, *options)).out
    )
    result = command(*smoke("train", contradictory_npz, "--out", "run", *options))
    assert result.status == 0, result.err
    first = result.err.splitlines()[0]
    assert first.startswith(
        "warning: 1 group of training images with the same pixels have different labels, such as image 0 (0)"
    )


def test_check_reads_the_settings_of_a_run(command: Callable[..., CommandResult], folder: Path, tiny_npz: str) -> None:
    assert command(*smoke("train", tiny_npz, "--t3", "5", "--out", "run")).status == 0
    resumed, fresh = command("check", "--resume", "run").out, command(*smoke("check", tiny_npz)).out
    assert resumed.splitlines()[:-1] == fresh.splitlines()[:-1]


@pytest.fixture(scope="module")
def help_text() -> str:
    """The help text of `train`."""
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as leaving:
        main(["train", "--help"])
    assert not leaving.value.code
    return plain(out.getvalue())


def option_help(text: str, option: str) -> str:
    """Return the part of a help text that explains one option."""
    found = re.search(rf"(--[\w-]+, )*--{option}[ ,].*?\(default: .*?\)", text)
    assert found, f"the help lacks --{option}"
    return found.group()


def test_help_explains_every_setting_with_its_default(help_text: str) -> None:
    names = {"target_label": "target", "t1": "warmup"}
    for kind in GROUPS.values():
        for setting in fields(kind):
            option = names.get(setting.name, setting.name).replace("_", "-")
            assert len(option_help(help_text, option).split()) > 6, option


@pytest.mark.parametrize(
    ("option", "unit"),
    [
        ("altruistic-epochs", "epochs"),
        ("warmup", "epochs"),
        ("init-epochs", "Epochs"),
        ("t2", "epoch"),
        ("t3", "epochs"),
        ("iterations", "iterations in a main epoch"),
        ("limit", "number of training images"),
        ("rate", "share of the images"),
        ("alpha", "share of samples"),
        ("beta", "Share of the suspected class"),
        ("altruistic-batch", "Images in a batch"),
        ("labeled-batch", "images in an iteration"),
        ("rampup", "Epochs"),
        ("ema", "per iteration"),
        ("width", "Channels"),
        ("crop-padding", "pixels"),
        ("target", "0-based"),
    ],
)
def test_help_names_units(help_text: str, option: str, unit: str) -> None:
    assert unit in option_help(help_text, option)


def test_help_shows_the_defaults_of_the_chosen_preset(command: Callable[..., CommandResult]) -> None:
    text = plain(command("train", "--preset", "paper-cifar10", "--help").out)
    assert "(default: 1024)" in option_help(text, "iterations") and "(default: cifar10)" in option_help(text, "data")


def test_without_a_command_the_usage_is_shown(command: Callable[..., CommandResult]) -> None:
    bare, asked = command(), command("--help")
    assert (bare.status, asked.status) == (2, 0) and bare.out == asked.out
    assert all(name in asked.out for name in ("train", "undefended", "Each COMMAND explains its options with --help"))
