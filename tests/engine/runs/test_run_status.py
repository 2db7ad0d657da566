"""A run folder has one writer, a status, and commands for its writer."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bsd_engine.errors import RunFolderError
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.small_runs import warmup_state

ROOT = Path(__file__).parents[3]


def test_a_second_writer_is_refused_until_the_first_is_closed(writer: RunWriter) -> None:
    with pytest.raises(RunFolderError, match="is being written by another process; stop that run first"):
        RunWriter(writer.path)
    writer.close()
    with RunWriter(writer.path) as second:
        second.epoch(warmup_state(3))
    assert RunReader(writer.path).epochs == [0, 1, 2, 3]


def test_a_refused_writer_leaves_the_first_ones_lock(writer: RunWriter, reader: RunReader) -> None:
    with pytest.raises(RunFolderError):
        RunWriter(writer.path)
    assert reader.status == "running"


def test_probing_the_lock_does_not_keep_a_writer_out(writer: RunWriter) -> None:
    writer.close()
    assert not is_locked(writer.path)
    RunWriter(writer.path).close()


def test_the_lock_of_a_killed_writer_is_free(writer: RunWriter) -> None:
    writer.close()
    code = (
        "from bsd_engine.runs.writer import RunWriter\n"
        f"writer = RunWriter({str(writer.path)!r})\n"
        "print('locked', flush=True)\n"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as dying:
        assert dying.stdout.readline() == "locked\n"
        reader = RunReader(writer.path)
        assert reader.status == "running"
        with pytest.raises(RunFolderError, match="another process"):
            RunWriter(writer.path)
        dying.send_signal(signal.SIGKILL)
    assert reader.status == "interrupted"
    RunWriter(writer.path).close()


def test_status_follows_the_run(writer: RunWriter, reader: RunReader) -> None:
    assert reader.status == "running"
    writer.progress(state="paused", epoch=1)
    assert reader.status == "paused"
    writer.progress(state="running", epoch=1)
    assert reader.status == "running"
    writer.close()
    assert reader.status == "interrupted"


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_status_of_an_ended_run_is_that_of_its_summary(writer: RunWriter, reader: RunReader, status: str) -> None:
    writer.progress(state="running", epoch=2)
    writer.summary({"status": status})
    writer.close()
    assert reader.status == status


def test_a_writer_that_died_while_paused_is_interrupted(writer: RunWriter, reader: RunReader) -> None:
    writer.progress(state="paused", epoch=1)
    writer.close()
    assert reader.status == "interrupted"


@pytest.mark.parametrize(
    ("status", "resumable"), [("stopped", True), ("failed", True), (None, True), ("finished", False)]
)
def test_an_unfinished_run_with_a_checkpoint_can_be_resumed(
    writer: RunWriter, reader: RunReader, status: str | None, resumable: bool
) -> None:
    writer.checkpoint(2, b"state")
    assert not reader.can_resume  # a writer is active
    if status:
        writer.summary({"status": status})
    writer.close()
    assert reader.can_resume == resumable


def test_without_a_checkpoint_there_is_nothing_to_resume(writer: RunWriter, reader: RunReader) -> None:
    writer.close()
    assert reader.status == "interrupted" and not reader.can_resume


def test_a_resumed_run_removes_its_summary(writer: RunWriter, reader: RunReader) -> None:
    writer.summary({"status": "stopped"})
    writer.clear_summary()
    writer.clear_summary()
    writer.close()
    assert reader.summary is None and reader.status == "interrupted"


def test_progress_is_published_at_most_once_an_interval(writer: RunWriter, reader: RunReader) -> None:
    writer.progress(state="running", iteration=1)
    writer.progress(min_interval=60, state="running", iteration=2)
    assert reader.progress["iteration"] == 1
    writer.progress(state="running", iteration=3)
    assert reader.progress["iteration"] == 3


def test_commands_reach_the_writer_once_and_in_order(writer: RunWriter) -> None:
    assert writer.new_commands() == []
    for command in ("pause", "resume"):
        send_command(writer.path, command)
    assert writer.new_commands() == ["pause", "resume"]
    send_command(writer.path, "stop")
    assert writer.new_commands() == ["stop"] and writer.new_commands() == []


def test_a_new_writer_can_skip_old_commands(writer: RunWriter) -> None:
    send_command(writer.path, "stop")
    writer.close()
    with RunWriter(writer.path) as second:
        second.ignore_commands(1)
        assert second.new_commands() == []
        send_command(writer.path, "pause")
        assert second.new_commands() == ["pause"]


def test_progress_acknowledges_commands(writer: RunWriter, reader: RunReader) -> None:
    send_command(writer.path, "pause")
    writer.new_commands()
    writer.progress(state="paused")
    assert reader.progress["commands_obeyed"] == 1


def test_an_incomplete_command_counts_once_it_is_complete(writer: RunWriter) -> None:
    path = writer.path / "commands.jsonl"
    path.write_text('{"command": "pau')
    assert writer.new_commands() == []
    path.write_text('{"command": "pause", "time": 1.0}\n')
    assert writer.new_commands() == ["pause"]


@pytest.mark.parametrize(
    "torn",
    [
        b'{"command": "pau',
        b'{"command": "pause", "time": 1',
        b"\xff\xfe{",
        b"nonsense}\n",
        b'["pause"]\n',
        b"{}\n",
        b'{"command": "explode"}\n',
        b"\n\n",
    ],
)
def test_an_invalid_line_is_ignored_and_later_commands_are_not(writer: RunWriter, torn: bytes) -> None:
    """A viewer that died while writing must not stop the run or spoil the next viewer's command."""
    (writer.path / "commands.jsonl").write_bytes(torn)
    assert writer.new_commands() == []
    send_command(writer.path, "stop")
    assert writer.new_commands() == ["stop"]
