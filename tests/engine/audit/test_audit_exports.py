"""The files of the audit: tables, index list, cleaned folder, weights and report; no ground truth leaks into them."""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.commands import write_cleaned, write_report, write_suspects, write_weights
from bsd_engine.audit.export.report import LARGEST_BYTES, report
from bsd_engine.audit.export.table import COLUMNS, csv_text, parquet_bytes, table
from bsd_engine.audit.features import features
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement, Judgements
from bsd_engine.audit.suspects import suspects
from bsd_engine.data import dataset
from bsd_engine.errors import BSDError, ConfigError, RunFolderError, StorageError
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.origin import provenance
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from tests.support.fake_run import fake_run
from tests.support.hostile import HOSTILE_CLASSES as NAMES
from tests.support.hostile import HTML_NAME as EVIL
from tests.support.origins import edited_copy, own_copy
from tests.support.run_edits import record
from tests.support.short_runs import short


def everything(folder: Path) -> tuple[RunReader, RunHistory, dict]:
    run = RunReader(folder)
    history = RunHistory.of(run)
    return run, history, table(history, suspects(history), Judgements(folder, run.num_samples).standing(), run.files)


# -- tables ----------------------------------------------------------------------------------------


def test_the_table_has_every_sample_once_and_no_formula(own_run: Path, tmp_path: Path) -> None:
    written, kept = write_suspects(own_run, tmp_path / "suspects.csv")
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
    keep = cleaned.kept(found, said)
    assert keep[out] and not keep[inside] and keep.sum() == found.in_pool.sum()
    steady = cleaned.kept(found, {}, "steady")
    assert (steady <= found.in_pool).all() and (2 * found.epochs_in_pool[steady] > found.epochs_decided).all()
    with pytest.raises(ConfigError, match="has not split its samples yet"):
        cleaned.kept(replace(found, epochs_decided=0), {})


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


# -- the cleaned set -------------------------------------------------------------------------------


def test_the_cleaned_folder_has_the_kept_files_as_they_were_and_is_read_again(
    own_run: Path, own_folder: Path, tmp_path: Path
) -> None:
    count = write_cleaned(own_run, tmp_path / "clean")
    read = dataset.load(f"folder:{tmp_path / 'clean'}")
    run = RunReader(own_run)
    keep = cleaned.kept(suspects(RunHistory.of(run)), {})
    assert len(read.train_images) == count == keep.sum() and len(read.test_images) == 12
    np.testing.assert_array_equal(read.train_labels.numpy(), run.labels[keep])
    np.testing.assert_array_equal(read.train_images.numpy(), run.images[keep])
    names = [p.name for p in (tmp_path / "clean").rglob("*")]
    assert (
        not any(set("<>|'=") & set(name) for name in names)
        and any("日本" in name for name in names)
        and any("é" in name for name in names)
    )
    file = next(p for p in (tmp_path / "clean/train").rglob("*.png") if "é 5" in p.name)
    assert (
        file.read_bytes() == (own_folder / "train" / run.class_names[int(file.parent.name[0])] / "é 5.png").read_bytes()
    )


def test_without_its_folder_the_cleaned_set_is_made_of_the_record(recorded_run: Path, tmp_path: Path) -> None:
    keep = np.zeros(1000, bool)
    keep[10:40] = True
    run = RunReader(recorded_run)
    cleaned.save_cleaned(run, keep, tmp_path / "clean")
    files = sorted((tmp_path / "clean/train").rglob("*.png"), key=lambda p: p.name)
    assert [int(p.stem) for p in files] == list(range(10, 40))
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), run.images[10, 0])
    assert (tmp_path / "clean/clean_index.txt").read_text().split() == [str(i) for i in range(10, 40)]


def test_a_link_that_has_come_to_lead_out_is_not_followed(own_run: Path, own_folder: Path, tmp_path: Path) -> None:
    run = RunReader(own_run)
    secret = tmp_path / "secret.png"
    secret.write_text("a secret")
    keep = np.zeros(72, bool)
    keep[3] = True
    original = own_folder / run.files[3]
    content = original.read_bytes()
    original.unlink()
    original.symlink_to(secret)
    try:
        cleaned.save_cleaned(run, keep, tmp_path / "clean")
    finally:
        original.unlink()
        original.write_bytes(content)
    (file,) = (tmp_path / "clean/train").rglob("*.png")
    assert file.read_bytes() != secret.read_bytes() and file.stem.isdigit()


def one_of_each(run: RunReader) -> np.ndarray:
    keep = np.zeros(run.num_samples, bool)
    keep[[3, 30]] = True
    return keep


@pytest.mark.parametrize("folder", ["{folder}", "~"])
def test_from_a_foreign_run_no_file_of_this_machine_is_copied(
    own_run: Path, own_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("HOME", str(own_folder))
    run = RunReader(
        edited_copy(
            own_run, tmp_path / "foreign", settings={"data": {"data": f"folder:{folder.format(folder=own_folder)}"}}
        )
    )
    assert run.files is not None and not run.is_own
    cleaned.save_cleaned(run, one_of_each(run), tmp_path / "clean")
    assert "not looked for on this machine" in cleaned.originals_left_out(run)
    files = sorted(p.relative_to(tmp_path / "clean").as_posix() for p in (tmp_path / "clean").rglob("*.png"))
    assert [Path(name).stem for name in files] == ["03", "30"] and all(name.startswith("train/") for name in files)
    assert cleaned.originals_left_out(RunReader(own_run)) == ""


def test_from_a_copy_of_ones_own_of_a_foreign_run_neither(own_run: Path, tmp_path: Path) -> None:
    adopted = edited_copy(own_run, tmp_path / "adopted", adopted_from="/somewhere/else")
    provenance.write_signature(adopted)
    run = RunReader(adopted)
    assert run.is_own and not run.trusts_paths
    cleaned.save_cleaned(run, one_of_each(run), tmp_path / "clean")
    assert cleaned.originals_left_out(run) and not (tmp_path / "clean/test").exists()


def test_test_images_with_similar_names_are_all_copied(tmp_path: Path) -> None:
    root, rng = tmp_path / "set", np.random.default_rng(0)
    names = [f"{'x' * 95}{i}.png" for i in range(3)] + ["a:b.png", "a?b.png", "deep/a_b.png", "字" * 80 + ".png"]
    for part, files in (("train", [f"{i}.png" for i in range(24)]), ("test", names)):
        for name in ("cat", "dog"):
            for file in files:
                path = root / part / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (12, 12), np.uint8)).save(path)
    config = short(data=f"folder:{root}", attack="none", limit=None, alpha=0.9, beta=0.5, selective_drop=False)
    record_run(config, tmp_path / "run", prepared=prepare(config))
    cleaned.save_cleaned(RunReader(tmp_path / "run"), np.arange(48) < 40, tmp_path / "clean")
    read, clean = dataset.load(f"folder:{root}"), dataset.load(f"folder:{tmp_path / 'clean'}")
    assert len(clean.test_images) == 14
    np.testing.assert_array_equal(clean.test_images, read.test_images)
    np.testing.assert_array_equal(clean.test_labels, read.test_labels)
    assert all(len(os.fsencode(p.name)) < 200 for p in (tmp_path / "clean").rglob("*"))


def test_names_that_collide_in_the_file_system_are_noticed(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cleaned.write_png
    monkeypatch.setattr(cleaned, "write_png", lambda pixels, path: write(pixels, path.with_name("same.png")))
    with pytest.raises(StorageError, match="names collide"):
        cleaned.save_cleaned(RunReader(recorded_run), np.arange(1000) < 5, tmp_path / "clean")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", ["cleaned", "report", "weights", "features"])
def test_damaged_images_are_exported_nowhere(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: str
) -> None:
    def damaged(run: RunReader) -> None:
        raise RunFolderError("images.npy is damaged")

    monkeypatch.setattr(RunReader, "check_images", damaged)
    with pytest.raises(RunFolderError, match="is damaged"):
        if export == "cleaned":
            write_cleaned(own_run, tmp_path / "out")
        elif export == "report":
            write_report(own_run, tmp_path / "out")
        elif export == "weights":
            write_weights(own_run, tmp_path / "out")
        else:
            features(RunReader(own_copy(own_run, tmp_path / "copy")))
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over_and_nothing_half(
    recorded_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    run, keep = RunReader(recorded_run), np.ones(1000, bool)
    with pytest.raises(ConfigError, match="nothing is written over"):
        cleaned.save_cleaned(run, keep, tmp_path / "full")
    with pytest.raises(ConfigError, match="nothing to save"):
        cleaned.save_cleaned(run, ~keep, tmp_path / "none")
    monkeypatch.setattr(cleaned, "write_png", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BSDError, match=r"the disk is full; free some space\. Nothing was saved"):
        cleaned.save_cleaned(run, keep, tmp_path / "half")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]


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


def test_without_a_truth_no_file_speaks_of_one(own_run: Path, tmp_path: Path) -> None:
    write_suspects(own_run, tmp_path / "s.csv")
    write_suspects(own_run, tmp_path / "t.parquet")
    write_report(own_run, tmp_path / "r.html")
    write_cleaned(own_run, tmp_path / "clean")
    write_weights(own_run, tmp_path / "w.safetensors")
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".png"):
        text = re.sub(
            r"Which samples are poisoned is not known, or not told here", "", path.read_bytes().decode("latin-1")
        )
        assert not TRUTH_WORDS.search(text), (path, TRUTH_WORDS.search(text))
    assert not (own_run / "truth.npz").exists()


def test_a_sealed_report_tells_no_more_than_one_of_a_run_without_truth(recorded_run: Path) -> None:
    run = RunReader(recorded_run)
    sealed, open_ = report(run, with_truth=False), report(run)
    assert "attack success" in open_ and "poison in the clean pool" in open_
    assert not TRUTH_WORDS.search(sealed.replace("Which samples are poisoned is not known, or not told here", ""))


def test_the_truth_changes_nothing_that_the_audit_says(recorded_run: Path, tmp_path: Path) -> None:
    """The same record with another truth gives the same table, byte for byte."""
    other = own_copy(recorded_run, tmp_path / "other")
    arrays = dict(np.load(other / "truth.npz"))
    np.savez(other / "truth.npz", **{name: values[::-1] for name, values in arrays.items()})
    record(other, "truth.npz")
    assert csv_text(everything(other)[2]) == csv_text(everything(recorded_run)[2])
