"""Hostile texts that a data set or a run folder from elsewhere may contain, and a run folder full of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import struct
from pathlib import Path

from tests.support.fake_run import fake_run
from tests.support.run_edits import edit_json

NAMES = (
    "<img src=x onerror=window.broken=1>",
    "<script>window.broken=1</script>",
    "</div><svg onload=window.broken=1>",
    '=HYPERLINK("http://evil.test")',
    "[here](http://evil.test) **bold** :red[red] $x^2$",
    "<a href='http://evil.test'>click</a>",
    "&lt;b&gt; &amp;",
    "%{customdata} {{7*7}} ${x}",
    "a" * 400,
    "\u202etxt.exe\u0000\n\t",
)


def hostile_run(root: Path, run_id: str) -> Path:
    """Return a finished run in which every text is one of `NAMES`."""
    path = fake_run(root, epochs=20, samples=300, run_id=run_id, maps=True)
    config = json.loads((path / "config.json").read_text())
    config["class_names"] = list(NAMES)
    config["created"] = config["config"]["preset"] = NAMES[1]
    config["config"]["data"]["data"] = f"folder:/x/{NAMES[2]}"
    config["config"]["attack"]["attack"] = NAMES[0]
    edit_json(path, "config.json", **config)
    edit_json(path, "summary.json", status="failed", error=NAMES[0], device=NAMES[5])
    return path


def journal_that_deletes(folder: Path, victim: Path, workshop: Path) -> None:
    """Leave a database of judgements in a run folder, with the journal of an unfinished change beside it.

    The journal names `victim` as its super-journal, which SQLite deletes when it opens the database.
    """
    workshop.mkdir()
    made = workshop / "verdicts.sqlite"
    with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("CREATE TABLE change (id INTEGER PRIMARY KEY, note TEXT)")
        database.executemany("INSERT INTO change (note) VALUES (?)", [("x" * 500,)] * 40)
        database.execute("BEGIN")
        database.execute("UPDATE change SET note = 'y'")
        for path in (made, made.with_name(f"{made.name}-journal")):
            shutil.copyfile(path, folder / path.name)
        page = int.from_bytes(made.read_bytes()[16:18], "big")
        database.execute("ROLLBACK")
    name = os.fsencode(victim)
    with (folder / f"{made.name}-journal").open("ab") as journal:
        journal.write(struct.pack(">I", 2**30 // page + 1) + name + struct.pack(">II", len(name), sum(name)))
        journal.write(bytes.fromhex("d9d505f920a163d7"))


HTML_NAME = "<img src=x onerror=alert(1)>"
HOSTILE_CLASSES = ("=cmd|' C calc'!A0", "日本 標識", HTML_NAME.replace("/", ""))
"""Names of class folders: a formula, another script, and HTML."""
