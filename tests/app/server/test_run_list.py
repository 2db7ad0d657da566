"""The lists of runs: right at once, and cheap with thousands of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app.server import run_list
from app.server.registry import RunRegistry
from app.server.run_list import has_epoch, listed
from app.state.run_choice import described
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import FakeRun, LiveFakeRun, fake_run
from tests.support.page.waiting import wait_for


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The run folders that were read for the lists."""
    found: list[Path] = []

    def counted(path: str) -> RunReader:
        found.append(Path(path))
        return RunReader(path)

    monkeypatch.setattr(run_list, "RunReader", counted)
    return found


def test_a_folder_is_read_again_only_when_it_has_changed(root: Path, reads: list[Path]) -> None:
    runs = RunRegistry(root)
    paths = [fake_run(root, epochs=1, samples=60, run_id=f"20260101-00000{i}-abcdef") for i in range(5)]
    for _ in range(3):
        assert all("finished" in described(runs, run_id) for run_id in runs.run_ids())
    assert len(reads) == 5
    (paths[2] / "summary.json").unlink()
    assert "interrupted" in described(runs, paths[2].name) and len(reads) == 6


def test_a_new_run_and_every_change_of_its_state_appear_at_once(root: Path) -> None:
    runs = RunRegistry(root)
    fake_run(root, epochs=1, samples=60, run_id="20260101-000000-abcdef")
    assert len(runs.run_ids()) == 1
    with LiveFakeRun(root, epochs=38, seconds=0.05, samples=60) as live:
        assert runs.run_ids()[0] == live.path.name
        assert "live" in described(runs, live.path.name)
        wait_for(lambda: has_epoch(root, live.path.name))
    wait_for(lambda: "live" not in described(runs, live.path.name))
    path = fake_run(root, epochs=1, samples=60, status=None)
    assert (run := listed(root, path.name)) and run.status == "interrupted"
    with RunWriter(path) as writer:
        writer.summary(FakeRun().summary("stopped", 1))
    assert (run := listed(root, path.name)) and run.status == "stopped"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"created": 5}'])
def test_a_folder_that_cannot_be_read_is_listed_as_such_and_not_read_again(
    root: Path, reads: list[Path], content: bytes
) -> None:
    (root / "x").mkdir()
    (root / "x" / "config.json").write_bytes(content)
    runs = RunRegistry(root)
    for _ in range(3):
        assert runs.run_ids() == ["x"] and described(runs, "x") == "x · cannot be read"
    assert len(reads) == 1


def test_a_stranger_cannot_fill_the_list_with_text(root: Path) -> None:
    path = fake_run(root, epochs=1, samples=60)
    config = json.loads((path / "config.json").read_text())
    config["created"] = config["config"]["preset"] = "x" * 10_000
    config["config"]["data"]["data"] = "folder:/" + "y" * 4000
    (path / "config.json").write_text(json.dumps(config))
    assert len(described(RunRegistry(root), path.name)) < 300


def test_links_and_files_are_not_listed(root: Path, tmp_path: Path) -> None:
    outside = fake_run(tmp_path / "elsewhere", epochs=1, samples=60)
    (root / "link").symlink_to(outside)
    (root / "file").write_text("x")
    os.mkfifo(root / "pipe")
    assert RunRegistry(root).run_ids() == []
