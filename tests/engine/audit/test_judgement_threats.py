"""A verdicts.sqlite from a stranger does nothing, a damaged one is named, and one in use is waited for, not long."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bsd_engine.audit import judgements
from bsd_engine.audit.judgements import FILE, Judgements
from bsd_engine.errors import BSDError, ConfigError, RunFolderError, StorageError
from tests.support.hostile import journal_that_deletes
from tests.support.origins import own_copy, signed


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """No database is in memory before a test."""
    judgements._kept.clear()
    yield


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A run of one's own with five actions: samples 1, 2 and 3 are judged, 2 is judged again, 3 is taken back."""
    folder = signed(tmp_path / "own")
    said = Judgements(folder, 10)
    said.give([1, 2, 3], "remove", "a checkerboard", who="ann")
    said.give([2], "keep", who="bob")
    said.give([3], None, who="bob")
    said.give([4], "unsure", who="ann")
    said.undo(who="bob")
    return folder


@pytest.fixture
def foreign(own: Path, tmp_path: Path) -> Path:
    """A copy of it, which counts as another's."""
    return Path(shutil.copytree(own, tmp_path / "foreign"))


def run_sql(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


# -- a stranger's file -----------------------------------------------------------------------------


def test_a_foreign_journal_deletes_nothing(foreign: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    journal_that_deletes(foreign, victim, tmp_path / "workshop")
    for use in (lambda v: v.standing(), lambda v: v.version, lambda v: v.rows()):
        with pytest.raises(StorageError, match=r"verdicts\.sqlite-journal beside it would make SQLite change files"):
            use(Judgements(foreign, 10))
    with pytest.raises(RunFolderError, match="adopt"):
        Judgements(foreign, 10).give([1], "keep")
    assert victim.read_text() == "mine"
    with contextlib.closing(sqlite3.connect(foreign / FILE)) as db:  # SQLite itself does delete it
        db.execute("SELECT count(*) FROM change").fetchone()
    assert not victim.exists()


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_every_companion_of_a_foreign_database_is_refused(foreign: Path, ending: str) -> None:
    (foreign / f"{FILE}{ending}").symlink_to(foreign / "nowhere")
    with pytest.raises(StorageError, match=f"{FILE}{ending} beside it"):
        Judgements(foreign, 10).standing()


def test_a_foreign_run_is_shown_and_cannot_be_judged(own: Path, foreign: Path) -> None:
    before = (foreign / FILE).read_bytes()
    theirs = Judgements(foreign, 10)
    assert theirs.standing() == Judgements(own, 10).standing() and theirs.version == 7
    for use in (lambda v: v.give([1], "keep"), lambda v: v.undo(), lambda v: v.import_rows(v.rows())):
        with pytest.raises(RunFolderError, match=r"cannot be judged: it is read-only.* adopt"):
            use(theirs)
    assert (foreign / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE change SET choice = '<meta http-equiv=refresh content=0>' WHERE id = 1", "row 1 has the verdict"),
        ("UPDATE change SET choice = 7 WHERE id = 1", "row 1 has the verdict '7'"),
        ("UPDATE change SET sample = 10 WHERE id = 2", "row 2 has the sample 10, expected 0 to 9"),
        ("UPDATE change SET sample = -1 WHERE id = 2", "row 2 has the sample -1"),
        ("UPDATE change SET sample = 'all' WHERE id = 2", "row 2 has the sample 'all'"),
        ("UPDATE change SET sample = 1e300 WHERE id = 2", "row 2 has the sample 1e\\+300"),
        ("UPDATE change SET note = zeroblob(9) WHERE id = 3", "row 3 has the note b'"),
        ("UPDATE change SET note = printf('%.*c', 2001, 'x') WHERE id = 3", "row 3 has the note 'xxx"),
        ("UPDATE change SET note = CAST(x'ff' AS TEXT) WHERE id = 3", "UTF-8"),
        ("UPDATE change SET who = printf('%.*c', 201, 'x') WHERE id = 3", "row 3 has the name"),
        ("UPDATE change SET time = 9e999 WHERE id = 4", "row 4 has the time inf"),
        ("UPDATE change SET time = 'noon' WHERE id = 4", "row 4 has the time 'noon'"),
        ("UPDATE change SET action = 9 WHERE id = 7", "row 7 has the action 9, expected 4 or 5"),
        ("UPDATE change SET action = 0 WHERE id = 1", "row 1 has the action 0"),
        ("UPDATE change SET undoes = 5 WHERE id = 7", "row 7 has 5 for the action that it undoes"),
        ("UPDATE change SET note = 'a square' WHERE id = 2", "row 2 or one before it has changed"),
        ("UPDATE change SET digest = NULL", "row 1 or one before it has changed"),
        ("UPDATE change SET id = 70 WHERE id = 7", "row 7 is missing"),
        ("DELETE FROM change WHERE id = 3", "row 3 is missing"),
        ("DELETE FROM change WHERE id = 7", "it has 6 rows, and another number was written"),
        ("DELETE FROM change", "it has 0 rows"),
        ("CREATE VIEW v AS SELECT 1", "other tables"),
        ("CREATE INDEX i ON change (sample)", "other tables"),
        ("CREATE TRIGGER t AFTER INSERT ON change BEGIN DELETE FROM change; END", "other tables"),
        ("ALTER TABLE change ADD COLUMN more TEXT", "other tables"),
        ("PRAGMA journal_mode = WAL", "unable to open database file|WAL|beside it"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True], ids=["foreign", "own"])
def test_a_forged_row_or_table_is_named(own: Path, foreign: Path, statement: str, said: str, is_own: bool) -> None:
    folder = own if is_own else foreign
    run_sql(folder, statement)
    if is_own and "WAL" in statement:
        assert Judgements(folder, 10).standing() == Judgements(own, 10).standing()
        return
    with pytest.raises(StorageError, match=said):
        Judgements(folder, 10).standing()
    if is_own:
        for use in (lambda v: v.give([1], "keep"), lambda v: v.undo()):
            with pytest.raises(StorageError, match=said):
                use(Judgements(folder, 10))


def test_a_view_that_never_ends_is_not_begun(foreign: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    run_sql(
        foreign,
        "DROP TABLE change",
        f"CREATE VIEW change AS {endless} SELECT i AS id, i AS action, 1 AS sample, 'keep' AS choice, '' AS note, "
        "'' AS who, 0.0 AS time, NULL AS undoes, NULL AS digest FROM n",
    )
    begun = time.monotonic()
    with pytest.raises(StorageError, match="other tables"):
        Judgements(foreign, 10).standing()
    assert time.monotonic() - begun < 2


def test_a_large_foreign_database_is_refused_before_it_is_read(foreign: Path) -> None:
    os.truncate(foreign / FILE, 17_000_000)
    with pytest.raises(StorageError, match="17,000,000 bytes, expected a file of at most 16,000,000"):
        Judgements(foreign, 10).standing()


def test_no_other_file_is_opened_through_a_link_and_a_pipe_blocks_nothing(
    own: Path, foreign: Path, tmp_path: Path
) -> None:
    other = tmp_path / "history.sqlite"
    shutil.copyfile(own / FILE, other)
    before = other.read_bytes()
    for folder in (own, foreign):
        (folder / FILE).unlink()
        (folder / FILE).symlink_to(other)
        for use in (lambda v: v.standing(), lambda v: v.give([1], "keep"), lambda v: v.undo()):
            with pytest.raises(BSDError):
                use(Judgements(folder, 10))
        (folder / FILE).unlink()
        os.mkfifo(folder / FILE)
        with pytest.raises(StorageError, match="no regular file"):
            Judgements(folder, 10).standing()
    assert other.read_bytes() == before


# -- damage ----------------------------------------------------------------------------------------


def test_no_flipped_bit_changes_a_judgement_without_a_word(own: Path, foreign: Path) -> None:
    whole, right = (own / FILE).read_bytes(), Judgements(own, 10).rows()
    rng, named = random.Random(0), 0
    used = [i for i, byte in enumerate(whole) if byte]  # the rest of the pages is empty
    for trial in range(400):
        damaged = bytearray(whole)
        damaged[rng.choice(used) if trial % 4 else rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        for folder in (own, foreign):
            (folder / FILE).write_bytes(damaged)
            judgements._kept.clear()
            try:
                assert Judgements(folder, 10).rows() == right
            except StorageError:
                named += 1
    assert named > 400


def test_rows_that_were_read_before_are_not_read_again_unless_the_file_is_another(own: Path, tmp_path: Path) -> None:
    said, other = Judgements(own, 10), signed(tmp_path / "other")
    said.standing()
    Judgements(other, 10).give([7], "keep", who="eve")
    Judgements(own, 10).give([8], "keep", who="ann")
    assert list(said.standing()) == [1, 2, 8]
    shutil.copyfile(other / FILE, own / FILE)
    assert list(said.standing()) == [7] and said.version == 1


# -- another program -------------------------------------------------------------------------------


def test_a_lock_is_waited_for_and_the_file_is_to_stay(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bsd_engine.audit.judgement_file._WRITE_WAIT", 0.2)
    with contextlib.closing(sqlite3.connect(own / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(StorageError, match="leave the file where it is") as caught:
            Judgements(own, 10).standing()
        assert 1.5 < time.monotonic() - begun < 6 and "move the file away" not in str(caught.value)
        with pytest.raises(StorageError, match="leave the file where it is"):
            Judgements(own, 10).give([1], "keep")
    assert Judgements(own, 10).version == 7


# -- copies ----------------------------------------------------------------------------------------

OLDER = (
    "CREATE TABLE IF NOT EXISTS change (id INTEGER PRIMARY KEY, action INTEGER NOT NULL, sample INTEGER NOT NULL, "
    "choice TEXT, note TEXT NOT NULL, who TEXT NOT NULL, time REAL NOT NULL, undoes INTEGER)",
    "CREATE INDEX IF NOT EXISTS change_of_sample ON change (sample, id)",
    "CREATE INDEX IF NOT EXISTS change_of_action ON change (action, sample)",
    "INSERT INTO change VALUES (1, 1, 4, 'keep', '', 'ann', 1.5, NULL), (2, 2, 5, 'remove', 'x', 'bob', 2, NULL)",
)


@pytest.mark.parametrize("is_own", [False, True], ids=["foreign", "own"])
def test_a_database_from_before_digests_opens_and_gets_them_with_the_next_change(tmp_path: Path, is_own: bool) -> None:
    folder = signed(tmp_path / "old") if is_own else tmp_path
    run_sql(folder, *OLDER)
    said = Judgements(folder, 10)
    assert {s: (v.choice, v.who, v.time) for s, v in said.standing().items()} == {
        4: ("keep", "ann", 1.5),
        5: ("remove", "bob", 2.0),
    }
    if is_own:
        assert said.undo() == (5,) and list(said.standing()) == [4] and said.version == 3
        run_sql(folder, "UPDATE change SET who = 'eve' WHERE id = 1")
        judgements._kept.clear()
        with pytest.raises(StorageError, match="row 1 or one before it has changed"):
            said.undo()


def test_rows_are_copied_with_their_people_and_times(own: Path, foreign: Path, tmp_path: Path) -> None:
    copy = Judgements(signed(tmp_path / "copy"), 10)
    copy.import_rows(Judgements(foreign, 10).rows())
    assert copy.rows() == Judgements(own, 10).rows() and copy.standing() == Judgements(own, 10).standing()
    assert copy.undo() == (3,) and copy.version == 8  # the undo of the undone action's sample is in the history too
    with pytest.raises(ConfigError, match="holds verdicts already"):
        copy.import_rows(Judgements(own, 10).rows())
    small = Judgements(signed(tmp_path / "small"), 2)
    with pytest.raises(StorageError, match="row 2 has the sample 2, expected 0 to 1"):
        small.import_rows(Judgements(own, 10).rows())
    assert small.rows() == ()


def test_a_signed_copy_is_judged(own: Path, tmp_path: Path) -> None:
    copy = Judgements(own_copy(own, tmp_path / "copy"), 10)
    assert copy.give([9], "keep") == 1 and 9 in copy.standing() and 9 not in Judgements(own, 10).standing()


@pytest.mark.parametrize(("note", "who"), [("\ud800", "ann"), ("", "\udfff"), ("", "x" * 201)])
def test_a_text_that_cannot_be_stored_is_one_sentence(own: Path, note: str, who: str) -> None:
    with pytest.raises(ConfigError, match="half a character|at most 200"):
        Judgements(own, 10).give([1], "keep", note, who)
