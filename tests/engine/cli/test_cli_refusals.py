"""Input that the command line cannot use gives one sentence and exit status 2, and starts nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bsd_engine.runs.reader import RunReader
from tests.support.command_line import BAD_SETTINGS, ROOT, CommandResult, assert_one_sentence, smoke

pytestmark = pytest.mark.usefixtures("one_thread", "folder")


@pytest.mark.parametrize(("words", "expected"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_unusable_settings_give_one_sentence_and_start_nothing(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str, words: list[str], expected: str
) -> None:
    assert_one_sentence(command(*smoke("train", tiny_npz, "--out", "run"), *words), folder, expected)


@pytest.mark.parametrize("name", ["alpha too large", "target is not a class", "no file", "network too large"])
def test_undefended_training_refuses_the_same_settings(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str, name: str
) -> None:
    words, expected = BAD_SETTINGS[name]
    assert_one_sentence(command(*smoke("undefended", tiny_npz, "--out", "run"), *words), folder, expected)


def test_a_folder_of_broken_images_gives_one_sentence(
    command: Callable[..., CommandResult], folder: Path, tmp_path: Path
) -> None:
    for name in ("ant", "bee"):
        for i in range(3):
            path = tmp_path / f"images/train/{name}/{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no image at all")
    result = command(
        "train",
        "--preset",
        "smoke",
        "--data",
        f"folder:{tmp_path / 'images'}",
        "--limit",
        "None",
        "--out",
        "run",
        "--target",
        "1",
    )
    assert_one_sentence(result, folder, "0.png")


def test_a_folder_with_files_is_not_written_to(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    (folder / "run").mkdir()
    (folder / "run/thesis.txt").write_text("mine")
    for name in ("train", "undefended"):
        result = command(*smoke(name, tiny_npz, "--out", "run"))
        assert result.status == 2 and "run is not an empty folder; give a new one" in result.err
        assert [p.name for p in (folder / "run").iterdir()] == ["thesis.txt"]


def test_a_run_that_fails_says_so_below_its_progress(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    result = command(*smoke("train", tiny_npz, "--alpha", "0.005", "--beta", "0.005", "--out", "run"))
    assert result.status == 2 and result.out == "" and "Traceback" not in result.err
    assert result.err.splitlines()[-1].startswith("error: The clean pool is empty at main epoch 2")
    assert RunReader(folder / "run").status == "failed" and RunReader(folder / "run").epochs == [0, 1, 2, 3]


def test_an_impossible_output_folder_gives_one_sentence(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    (folder / "file").touch()
    result = command(*smoke("train", tiny_npz, "--out", "file/run"))
    assert result.status == 2 and result.err.startswith("error: Cannot write file/run") and result.err.count("\n") == 1


def test_an_unknown_command_gives_one_sentence(command: Callable[..., CommandResult], folder: Path) -> None:
    assert_one_sentence(command("trian"), folder, "there is no command 'trian'; expected one of train, undefended")


def test_undefended_training_cannot_be_resumed(command: Callable[..., CommandResult], folder: Path) -> None:
    assert_one_sentence(command("undefended", "--resume", "run"), folder, "undefended training cannot be resumed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--gamma", "1"], "--gamma"),
        (["--alpha", "much"], "'much'"),
        (["--warmup", "2.5"], "'2.5'"),
        (["--completion", "all"], "'all'"),
        (["stray"], "stray"),
        (["--alpha"], "--alpha"),
    ],
)
def test_arguments_that_cannot_be_parsed_are_named(
    command: Callable[..., CommandResult], folder: Path, words: list[str], expected: str
) -> None:
    """The parser prints these errors in a box."""
    result = command("train", "--preset", "smoke", "--out", "run", *words)
    assert result.status == 2 and result.out == "" and expected in result.err and "Traceback" not in result.err
    assert list(folder.iterdir()) == []


def test_bad_input_gives_no_traceback_in_a_new_process(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bsd_engine", "train", "--alpha", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: alpha is 7.0, expected a number between 0 and 1.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--config", "absent"], "absent is not a run folder"), (["--branch", "absent"], "absent is not a run folder")],
)
def test_settings_from_a_missing_run_are_refused(
    command: Callable[..., CommandResult], folder: Path, words: list[str], expected: str
) -> None:
    assert_one_sentence(command("train", *words, "--out", "run"), folder, expected)
