"""Every error that a path or a closed output causes is one sentence and exit status 2; mistakes stay tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bsd_engine.cli.exit_status import status_of
from tests.support.command_line import ROOT, CommandResult

LONG = "a/" * 3000
HARD = {
    "a path without end": ["suspects", LONG],
    "a name without end": ["train", "--resume", "a" * 300],
    "an output without end": ["report", "absent", "--out", "a" * 300],
    "nobody's home": ["check", "--preset", "smoke", "--data", "folder:~nobody"],
    "nobody's archive": ["check", "--preset", "smoke", "--data", "npz:~nobody/x.npz"],
    "the whole file system": ["check", "--preset", "smoke", "--data", "folder:/"],
    "5,000 digits": ["check", "--preset", "smoke", "--seed", "9" * 5000],
    "5,000 digits of a parameter": ["check", "--preset", "smoke", "--attack-parameters", "size", "9" * 5000],
    "5,000 digits of an epoch": ["train", "--branch", "absent", "--from-epoch", "9" * 5000],
    "no output": ["poison", "--preset", "smoke", "--out", ""],
    "a zero byte": ["suspects", "a\0b"],
    "no text": ["suspects", "\udcff\udcfe"],
    "no text as a command": ["\udcff\udcfe"],
    "a file to resume": ["train", "--resume", "file"],
    "a picture without end": ["check", "--preset", "smoke", "--attack", "custom", "--attack-parameters", "image", LONG],
    "a picture of nobody": [*"check --preset smoke --attack custom --attack-parameters image".split(), "~nobody/x"],
}


@pytest.mark.parametrize("name", HARD)
def test_no_text_gives_a_traceback(command: Callable[..., CommandResult], folder: Path, name: str) -> None:
    (folder / "file").touch()
    result = command(*HARD[name])
    assert result.status == 2 and result.err.strip() and "Traceback" not in result.err
    assert (
        name != "the whole file system"
        or result.err == "error: / is the whole file system; give the folder of the images.\n"
    )
    assert len(result.err) < 20_000 and [p.name for p in folder.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(36, "File name too long", "x"), "x: File name too long. Check the path"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), r"'\udcff' is not valid text"),
        (ValueError("embedded null byte"), "a path holds a zero byte"),
        (RuntimeError("Could not determine home directory."), "there is no such home folder"),
        (BrokenPipeError(32, "Broken pipe"), "the output was closed before"),
    ],
)
def test_what_a_path_causes_is_a_sentence(capfd: pytest.CaptureFixture[str], error: Exception, said: str) -> None:
    output = os.dup(1)

    def fail() -> None:
        raise error

    try:
        assert status_of(fail) == 2
    finally:
        os.dup2(output, 1)
        os.close(output)
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    "error", [AssertionError("x"), TypeError("x"), ValueError("x"), RuntimeError("x"), KeyError(1)]
)
def test_a_mistake_in_the_program_keeps_its_traceback(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        status_of(fail)


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    """`python -m bsd_engine | head -1`, where head ends at once."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "bsd_engine", "--help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    assert (
        done.returncode == 2 and done.stderr.startswith(b"error: the output was closed") and b"Trace" not in done.stderr
    )
