"""A run that this installation did not write is read-only; removing the lock file of old versions admits no one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bsd_engine.errors import RunFolderError
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.map_process import make_maps
from bsd_engine.runs.origin.provenance import is_own
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, record_run, resume_run
from bsd_engine.runs.writer import RunWriter
from tests.support.short_runs import short
from tests.support.small_runs import create

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def foreign(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A stopped run as it comes from somebody else, in a folder with a space in its name."""
    place = tmp_path_factory.mktemp("foreign")
    record_run(short(), place / "own", prepared=small_images)
    shutil.copytree(place / "own", place / "from a stranger")
    (place / "from a stranger/summary.json").unlink()
    return place / "from a stranger"


USES: dict[str, tuple[str, Callable[[Path, Path], object]]] = {
    "resume": ("resumed", lambda run, out: resume_run(run)),
    "branch": ("branched from", lambda run, out: branch_run(run, None, short(), out)),
    "command": ("paused, resumed or stopped", lambda run, out: send_command(run, "stop")),
    "maps": ("mapped", lambda run, out: make_maps(run)),
    "writer": ("written to", lambda run, out: RunWriter(run)),
}


@pytest.mark.parametrize("use", USES)
def test_a_foreign_run_is_refused_with_the_way_out(foreign: Path, tmp_path: Path, use: str) -> None:
    before = {str(p): p.stat().st_mtime_ns for p in foreign.rglob("*")}
    what, act = USES[use]
    with pytest.raises(RunFolderError) as refused:
        act(foreign, tmp_path / "out")
    said = str(refused.value)
    assert f"cannot be {what}: it is read-only" in said and "\n" not in said
    assert said.endswith(f"python -m bsd_engine adopt {shlex.quote(str(foreign))} --out NEW_FOLDER")
    assert {str(p): p.stat().st_mtime_ns for p in foreign.rglob("*")} == before and not (tmp_path / "out").exists()
    assert not RunReader(foreign).is_own and RunReader(foreign).epochs == list(range(6))


def test_a_rename_keeps_a_run_ones_own_and_an_edit_does_not(tmp_path: Path) -> None:
    create(tmp_path / "run").close()
    (tmp_path / "run").rename(tmp_path / "renamed")
    assert is_own(tmp_path / "renamed")
    config = tmp_path / "renamed/config.json"
    config.write_bytes(config.read_bytes() + b" ")
    assert not is_own(tmp_path / "renamed")


def test_the_lock_of_a_live_run_cannot_be_removed_by_tidying_up(tmp_path: Path) -> None:
    """Older versions locked a file called lock, which anybody could remove."""
    with create(tmp_path / "run") as writer:
        names = [p.name for p in writer.path.iterdir()]
        for name in set(names) - {"config.json", "origin.json", "epochs", "maps", "checkpoints"}:
            os.unlink(writer.path / name)
        assert "lock" not in names and is_locked(writer.path)
        with pytest.raises(RunFolderError, match="is being written by another process"):
            RunWriter(writer.path)
    assert not is_locked(tmp_path / "run")
    (tmp_path / "run/lock").touch()
    RunWriter(tmp_path / "run").close()


def test_a_run_is_locked_before_it_has_its_name(tmp_path: Path) -> None:
    seen = []

    def look(writer: RunWriter) -> None:
        seen.append((writer.folder != writer.path, is_locked(writer.folder), writer.path.exists()))

    create(tmp_path / "run", fill=look).close()
    assert seen == [(True, True, False)]


def test_what_a_killed_creation_left_is_removed_unless_it_is_in_use(tmp_path: Path) -> None:
    (tmp_path / ".run.abcdef.tmp/epochs").mkdir(parents=True)
    (tmp_path / ".other.abcdef.tmp").mkdir()
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.support.small_runs import create\n"
        "create(Path(sys.argv[1]), fill=lambda writer: (print('begun', flush=True), input()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as slow:
        assert slow.stdout.readline() == "begun\n"
        (held,) = [p for p in tmp_path.iterdir() if p.name.startswith(".run.")]
        assert held.name != ".run.abcdef.tmp"
        create(tmp_path / "run").close()
        assert held.is_dir() and (tmp_path / ".other.abcdef.tmp").is_dir()
        slow.communicate("\n")
    assert slow.returncode != 0 and not held.exists(), "the name was taken meanwhile"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.abcdef.tmp", "run"]
