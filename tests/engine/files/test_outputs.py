"""Files that commands write: nothing is replaced that this program did not make, and never a link, device or run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bsd_engine.cli.main import main
from bsd_engine.errors import ConfigError
from bsd_engine.files.outputs import Kind, check_folder, check_output, write_output
from tests.support.fake_run import fake_run

PAGE = Kind(name="a page", marks=(b"<title>Ours",))
LIST = Kind(name="a list of numbers", alphabet=b"0123456789\n")
OURS = b"<html><title>Ours</title>"


def refusal(path: Path, kind: Kind = PAGE, *, overwrite: bool = True) -> str:
    with pytest.raises(ConfigError) as refused:
        write_output(path, b"new", kind, overwrite=overwrite)
    return str(refused.value)


def test_a_new_name_is_written_and_folders_above_it_are_made(tmp_path: Path) -> None:
    assert write_output(tmp_path / "a/b/page.html", OURS, PAGE).read_bytes() == OURS
    assert [p.name for p in (tmp_path / "a/b").iterdir()] == ["page.html"]


def test_an_existing_file_is_replaced_only_if_it_is_ours_and_that_is_wanted(tmp_path: Path) -> None:
    page = write_output(tmp_path / "page.html", OURS, PAGE)
    assert refusal(page, overwrite=False).endswith("exists already; give another name, or --overwrite to replace it.")
    write_output(page, OURS + b"again", PAGE, overwrite=True)
    assert page.read_bytes() == OURS + b"again"
    page.write_bytes(b"<html>a thesis")
    assert "is not a page of this program, so it is not replaced" in refusal(page)
    assert page.read_bytes() == b"<html>a thesis"


@pytest.mark.parametrize(("content", "ours"), [(b"1\n20\n", True), (b"", True), (b"1\n-2\n", False), (b"x", False)])
def test_a_kind_may_be_known_by_its_letters(tmp_path: Path, content: bytes, ours: bool) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    if ours:
        check_output(tmp_path / "list.txt", LIST, overwrite=True)
    else:
        assert "is not a list of numbers" in refusal(tmp_path / "list.txt", LIST)


def test_a_mark_at_the_end_of_a_large_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(500_000) + OURS)
    check_output(tmp_path / "large", PAGE, overwrite=True)


@pytest.mark.parametrize("target", ["ours.html", "nowhere", "folder"])
def test_a_link_is_refused_whatever_it_leads_to(tmp_path: Path, target: str) -> None:
    (tmp_path / "ours.html").write_bytes(OURS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / target)
    assert "is a link, a device or a pipe" in refusal(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "ours.html").read_bytes() == OURS


def test_a_pipe_and_a_device_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a link, a device or a pipe" in refusal(tmp_path / "pipe")
    assert "is a link, a device or a pipe" in refusal(Path("/dev/null"))


@pytest.mark.parametrize("name", ["", ".", "..", "folder"])
def test_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "is a folder; give the name of a file" in refusal(Path(name))


@pytest.mark.parametrize("name", ["config.json", "new.html", "verdicts.sqlite-journal", "epochs/00000.npz"])
def test_nothing_is_written_into_a_run_folder(tmp_path: Path, name: str) -> None:
    run = fake_run(tmp_path, epochs=1, run_id="run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert f"would lie in the run folder {run}" in refusal(run / name)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_folder_must_be_new_or_empty_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    check_folder(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigError, match="is not an empty folder; give a new one"):
            check_folder(path)


COMMANDS = {
    "suspects": ["suspects", "RUN", "--out", "OUT"],
    "report": ["report", "RUN", "--out", "OUT"],
    "weights": ["cleaned", "RUN", "--weights", "OUT"],
    "bench": ["bench", "--quick", "--out", "OUT"],
    "poison": ["poison", "--preset", "smoke", "--format", "npz", "--out", "OUT"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_every_command_leaves_what_it_did_not_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, overwrite: bool
) -> None:
    if overwrite and name == "poison":
        pytest.skip("it has no such option")
    run, thesis, link = fake_run(tmp_path, epochs=1, run_id="run"), tmp_path / "thesis.csv", tmp_path / "link"
    thesis.write_text("mine")
    link.symlink_to(thesis)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for out in (thesis, link, run / "config.json", run / "summary.json"):
        words = [{"RUN": str(run), "OUT": str(out)}.get(word, word) for word in COMMANDS[name]]
        assert main(words + ["--overwrite"] * overwrite) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {out} ") and error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
