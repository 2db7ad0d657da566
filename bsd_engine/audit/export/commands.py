"""Writes the audit's files, for the command line and for downloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.table import csv_text, parquet_bytes, table
from bsd_engine.audit.export.weights import main_weights
from bsd_engine.audit.findings.cleaning import Cleaning, Rule, clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgements
from bsd_engine.audit.suspects import suspects
from bsd_engine.files.outputs import Kind, check_output, write_output
from bsd_engine.prepare.export import Progress
from bsd_engine.runs.reader import RunReader

TABLE = Kind(name="a table of suspects", marks=(b"epochs_decided", b"altruistic_prediction"))
INDEX = Kind(name="a list of samples to keep", alphabet=b"0123456789\n")
REPORT = Kind(name="a report", marks=(b"<title>Audit of ",))
WEIGHTS = Kind(name="a file of weights", marks=(b'"__metadata__"', b'"fingerprint"'))


def write_suspects(
    folder: Path, out: Path, rule: Rule = "balanced", *, overwrite: bool = False
) -> tuple[list[Path], int]:
    """Write the ranked table, as Parquet if OUT ends in .parquet, else as CSV, and beside it the clean index list.

    Returns the files that were written, and how many samples are kept. Before there is a pool there is no index list.
    """
    check_output(out, TABLE, overwrite=overwrite)
    kept_list = out.with_name(f"{out.stem}.clean_index.txt")
    check_output(kept_list, INDEX, overwrite=overwrite)
    run = RunReader(folder)
    history = RunHistory.of(run)
    ranking, verdicts = suspects(history), Judgements(run.path, run.num_samples).standing()
    columns = table(history, ranking, verdicts, run.files)
    content = (
        parquet_bytes(columns)
        if out.suffix.lower() == ".parquet"
        else csv_text(columns).encode("utf-8", "backslashreplace")
    )
    written = [write_output(out, content, TABLE, overwrite=overwrite)]
    keep = clean(history, ranking, verdicts, rule).keep if ranking.epochs_decided else np.zeros(0, bool)
    if len(keep):
        written.append(write_output(kept_list, cleaned.index_text(keep).encode(), INDEX, overwrite=overwrite))
    return written, int(keep.sum())


def write_report(folder: Path, out: Path, *, with_truth: bool = True, overwrite: bool = False) -> Path:
    """Write the HTML report."""
    check_output(out, REPORT, overwrite=overwrite)
    run = RunReader(folder)
    text = report(run, Judgements(run.path, run.num_samples).standing(), with_truth=with_truth)
    return write_output(out, text.encode("utf-8", "backslashreplace"), REPORT, overwrite=overwrite)


def write_cleaned(folder: Path, out: Path, rule: Rule = "balanced", progress: Progress = iter) -> Cleaning:
    """Write the cleaned set as a folder of images; returns which samples it has, and what that means."""
    run = RunReader(folder)
    history = RunHistory.of(run)
    chosen = clean(history, suspects(history), Judgements(run.path, run.num_samples).standing(), rule)
    cleaned.save_cleaned(run, chosen.keep, out, progress)
    return chosen


def write_weights(folder: Path, out: Path, *, overwrite: bool = False) -> Path:
    """Write the clean model's weights as safetensors."""
    check_output(out, WEIGHTS, overwrite=overwrite)
    return write_output(out, main_weights(RunReader(folder)), WEIGHTS, overwrite=overwrite)
