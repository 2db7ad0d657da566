"""The audit of runs that suspect no single class, after the verdict no attack or several targets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.__main__ import main
from bsd_engine.audit.explain.flips import what_would_flip
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.explain.traces import trace
from bsd_engine.audit.export.commands import write_cleaned, write_report, write_suspects
from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.runs.reader import RunReader


@pytest.fixture
def unsuspecting(unsuspecting_run: Path) -> RunHistory:
    return RunHistory.of(RunReader(unsuspecting_run))


@pytest.fixture
def several(unsuspecting_run: Path) -> bool:
    """Whether the verdict is several targets, in which case every class is suspected of its own."""
    return unsuspecting_run.name == "several"


def test_the_run_suspects_no_single_class(unsuspecting: RunHistory, several: bool) -> None:
    assert set(unsuspecting.targets[1:]) == {None} and unsuspecting.config.split.all_to_all == "off"
    assert (unsuspecting.oss_score is not None) == several
    assert unsuspecting.rules.several_targets == several
    assert (unsuspecting.rules.all_to_all, unsuspecting.rules.selective_drop) == (
        ("shared", False) if several else ("off", True)
    )


def test_every_pool_is_decided_again_alike(unsuspecting: RunHistory) -> None:
    for epoch in range(unsuspecting.first_main, unsuspecting.num_epochs):
        np.testing.assert_array_equal(trace(unsuspecting, epoch).clean_mask, unsuspecting.pool(epoch))


def test_every_epoch_has_a_reason_for_every_sample(unsuspecting: RunHistory, several: bool) -> None:
    for epoch in range(unsuspecting.num_epochs):
        pool = unsuspecting.pool(epoch)
        for sample in range(0, 1000, 7):
            r = reason(unsuspecting, sample, epoch)
            assert r.sentence.endswith(".") and r.in_pool == (None if pool is None else bool(pool[sample]))
            assert (r.target is None or r.stage == "altruistic_warmup") and not r.dropped and "None" not in r.sentence
            if r.stage == "initial_pools":
                assert (r.oss is not None) == several
                assert r.in_pool == (r.als.kept and (r.oss is None or r.oss.kept))
                assert ("no class is suspected, so OSS keeps every sample" in r.sentence) != several


def test_what_flips_a_sample_does_flip_it(unsuspecting: RunHistory, several: bool) -> None:
    kinds = set()
    for epoch in range(unsuspecting.num_epochs):
        for sample in range(0, 1000, 53):
            flips = what_would_flip(unsuspecting, sample, epoch)
            if unsuspecting.stage(epoch) in ("altruistic_warmup", "oss_warmup"):
                assert flips is None
                continue
            for flip in flips.flips:
                kinds.add(flip.kind)
                if flip.kind != "epoch":
                    other = trace(unsuspecting, epoch, unsuspecting.rules.with_settings(**dict(flip.settings)))
                    assert bool(other.clean_mask[sample]) != flips.in_pool, flip
                    assert several or flip.kind != "beta" or unsuspecting.stage(epoch) != "initial_pools"
    assert {"alpha", "rule", "epoch"} <= kinds and (("both" in kinds) <= several)


def test_samples_are_ranked_and_flagged(unsuspecting: RunHistory, several: bool) -> None:
    ranking = suspects(unsuspecting)
    assert sorted(ranking.rank) == list(range(1, 1001)) and np.isfinite(ranking.score).all()
    assert ranking.oss_flag.any() == several and not ranking.drop_flag.any()
    np.testing.assert_array_equal(ranking.als_flag, ~trace(unsuspecting, 4).initial.als_mask)


def test_the_alarms_say_which_classes_are_suspected(unsuspecting: RunHistory, several: bool) -> None:
    by_kind = {alarm.kind: alarm for alarm in alarms(unsuspecting, suspects(unsuspecting))}
    assert by_kind["attack"].title.startswith("Attack found: every class" if several else "No attack found (")
    assert "other classes" not in by_kind["collapse"].sentence


def test_table_report_and_cleaned_set_are_written(unsuspecting_run: Path, tmp_path: Path, several: bool) -> None:
    written, kept = write_suspects(unsuspecting_run, tmp_path / "suspects.csv")
    assert [path.name for path in written] == ["suspects.csv", "suspects.clean_index.txt"] and kept > 0
    rows = list(csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines()))
    assert len(rows) == 1000 and all(row["reason"] for row in rows)
    assert {row["oss_score"] == "" for row in rows} == {not several}
    page = write_report(unsuspecting_run, tmp_path / "report.html").read_text()
    assert "<th>suspected class</th><td>none</td>" in page
    assert write_cleaned(unsuspecting_run, tmp_path / "cleaned").keep.sum() == kept


def test_the_command_line_writes_them_too(unsuspecting_run: Path, tmp_path: Path) -> None:
    run = str(unsuspecting_run)
    assert main(["suspects", run, "--out", str(tmp_path / "suspects.parquet")]) == 0
    assert main(["report", run, "--out", str(tmp_path / "report.html"), "--no-truth"]) == 0
    assert main(["cleaned", run, "--out", str(tmp_path / "cleaned"), "--keep", "strict"]) == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"suspects.parquet", "report.html", "cleaned"}
