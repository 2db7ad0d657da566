"""The files of the audit: tables, index list and report; no ground truth leaks into any of them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.audit.export.commands import write_cleaned, write_report, write_suspects, write_weights
from bsd_engine.audit.export.report import LARGEST_BYTES, report
from bsd_engine.audit.export.table import COLUMNS, csv_text, parquet_bytes, table
from bsd_engine.audit.findings.cleaning import clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement, Judgements
from bsd_engine.audit.suspects import suspects
from bsd_engine.errors import ConfigError
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import fake_run
from tests.support.hostile import HOSTILE_CLASSES as NAMES
from tests.support.hostile import HTML_NAME as EVIL
from tests.support.origins import own_copy
from tests.support.run_edits import record


def everything(folder: Path) -> tuple[RunReader, RunHistory, dict]:
    run = RunReader(folder)
    history = RunHistory.of(run)
    return run, history, table(history, suspects(history), Judgements(folder, run.num_samples).standing(), run.files)


# -- tables ----------------------------------------------------------------------------------------


def test_the_table_has_every_sample_once_and_no_formula(own_run: Path, tmp_path: Path) -> None:
    written, kept = write_suspects(own_run, tmp_path / "suspects.csv", "pool")
    assert [path.name for path in written] == ["suspects.csv", "suspects.clean_index.txt"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "suspects.csv").read_text())))
    assert tuple(rows[0]) == COLUMNS and sorted(int(r["sample"]) for r in rows) == list(range(72))
    assert [int(r["rank"]) for r in rows] == list(range(1, 73)) and all(r["reason"] for r in rows)
    texts = ("file", "label", "nearest_class", "main_prediction", "altruistic_prediction", "reason", "note")
    assert not [r[name] for r in rows for name in texts if r[name].startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert any(r["label"] == "'" + NAMES[0] for r in rows)
    index = [int(line) for line in (tmp_path / "suspects.clean_index.txt").read_text().split()]
    assert index == sorted({int(r["sample"]) for r in rows if r["in_pool"] == "1"}) and len(index) == kept


def test_parquet_holds_the_same_as_csv(own_run: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    _, _, columns = everything(own_run)
    read = parquet.read_table(io.BytesIO(parquet_bytes(columns))).to_pydict()
    assert read == columns


def test_a_note_and_a_verdict_are_in_the_table_and_decide_what_is_kept(history: RunHistory) -> None:
    found = suspects(history)
    out, inside = int(np.flatnonzero(~found.in_pool)[0]), int(np.flatnonzero(found.in_pool)[0])
    said = {
        s: Judgement(sample=s, choice=c, note="=1+1", who="x", time=0) for s, c in ((out, "keep"), (inside, "remove"))
    }
    columns = table(history, found, said, reasons=False)
    assert columns["verdict"][int(found.rank[out]) - 1] == "keep" and ",'=1+1," in csv_text(columns)
    keep = clean(history, found, said, "pool").keep
    assert keep[out] and not keep[inside] and keep.sum() == found.in_pool.sum()
    with pytest.raises(ConfigError, match="has not split its samples yet"):
        clean(history, replace(found, epochs_decided=0), {})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠a", "'＠a"),
        (" =1", "' =1"),
        ("\u3000＝1", "'\u3000＝1"),
        ("\tx", "'\tx"),
        ("\rx", "'\nx"),
        ("\nx", "'\nx"),
        ("a;=1", "a;'=1"),
        ("a\r\n=1", "a\n'=1"),
        ("a\t@b", "a\t'@b"),
        ("a; b", "a; b"),
        ("1=1", "1=1"),
    ],
)
def test_no_cell_is_a_formula_in_any_spreadsheet(text: str, written: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text({"note": [text]}), newline="")))[1] == [written]


# -- the report ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_is_one_small_page_that_asks_nobody_and_runs_nothing(own_run: Path, tmp_path: Path) -> None:
    path = write_report(own_run, tmp_path / "report.html")
    text = path.read_text()
    page = Page(text)
    assert path.stat().st_size < LARGEST_BYTES and text.startswith("<!doctype html>")
    assert not {"script", "iframe", "object", "link", "form", "a"} & {tag for tag, _ in page.tags}
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in page.tags if tag == "img")
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)] and "http" not in re.sub(
        r'"http-equiv"|http-equiv', "", text
    )
    assert "&lt;img src=x onerror=alert(1)&gt;" in text and EVIL not in text and "日本 標識" in text
    assert "default-src 'none'" in text


def test_the_report_of_a_run_that_has_hardly_begun(tmp_path: Path) -> None:
    run = RunReader(fake_run(tmp_path, epochs=3, status=None, samples=300))
    text = report(run)
    assert (
        "not split yet" in text
        and "3 of 38" in text
        and not re.search(r"[ ,\">]nan\b", re.sub(r"base64,[^\"]*", "", text))
    )


def test_nothing_that_a_reader_wrote_becomes_html(history: RunHistory, recorded_run: Path) -> None:
    evil = '<meta http-equiv="refresh" content="0;url=https://example.org">'
    first = int(suspects(history).order[0])
    said = {first: Judgement(sample=first, choice=evil, note=evil, who=evil, time=0.0)}  # type: ignore[arg-type]
    text = report(RunReader(recorded_run), said, history=history)
    assert [a["content"] for tag, a in Page(text).tags if tag == "meta" and a.get("http-equiv")] == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    ]


# -- no truth that was not given -------------------------------------------------------------------

TRUTH_WORDS = re.compile(
    r"poisoned|is_poison|original_label|true_target|attack_success|target_label|attack success", re.IGNORECASE
)
NO_TRUTH = re.compile(
    r"Which samples are poisoned is not known, or not told here|About [\d,]+ poisoned ones are left, and about"
)
"""Sentences that say that there is no truth, or estimate it from the record."""


def test_without_a_truth_no_file_speaks_of_one(own_run: Path, tmp_path: Path) -> None:
    write_suspects(own_run, tmp_path / "s.csv")
    write_suspects(own_run, tmp_path / "t.parquet")
    write_report(own_run, tmp_path / "r.html")
    write_cleaned(own_run, tmp_path / "clean")
    write_weights(own_run, tmp_path / "w.safetensors")
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".png"):
        text = NO_TRUTH.sub("", path.read_bytes().decode("latin-1"))
        assert not TRUTH_WORDS.search(text), (path, TRUTH_WORDS.search(text))
    assert not (own_run / "truth.npz").exists()


def test_a_sealed_report_tells_no_more_than_one_of_a_run_without_truth(recorded_run: Path) -> None:
    run = RunReader(recorded_run)
    sealed, open_ = report(run, with_truth=False), report(run)
    assert "attack success" in open_ and "poison in the clean pool" in open_
    assert not TRUTH_WORDS.search(NO_TRUTH.sub("", sealed))


def test_the_truth_changes_nothing_that_the_audit_says(recorded_run: Path, tmp_path: Path) -> None:
    """The same record with another truth gives the same table, byte for byte."""
    other = own_copy(recorded_run, tmp_path / "other")
    arrays = dict(np.load(other / "truth.npz"))
    np.savez(other / "truth.npz", **{name: values[::-1] for name, values in arrays.items()})
    record(other, "truth.npz")
    assert csv_text(everything(other)[2]) == csv_text(everything(recorded_run)[2])
