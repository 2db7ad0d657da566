"""Writes the audit's files, for the command line and for downloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.table import csv_text, parquet_bytes, table
from bsd_engine.audit.export.weights import main_weights
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgements
from bsd_engine.audit.suspects import suspects
from bsd_engine.errors import ConfigError
from bsd_engine.files.atomic import storage_errors, write_atomic
from bsd_engine.prepare.export import NOTHING_SAVED, Progress
from bsd_engine.runs.reader import RunReader


def write_suspects(folder: Path, out: Path, rule: cleaned.Rule = "pool") -> tuple[list[Path], int]:
    """Write the ranked table, as Parquet if OUT ends in .parquet, else as CSV, and beside it the clean index list.

    Returns the files that were written, and how many samples are kept. Before there is a pool there is no index list.
    """
    run = RunReader(folder)
    history = RunHistory.of(run)
    ranking, verdicts = suspects(history), Judgements(run.path, run.num_samples).standing()
    columns = table(history, ranking, verdicts, run.files)
    content = (
        parquet_bytes(columns)
        if out.suffix.lower() == ".parquet"
        else csv_text(columns).encode("utf-8", "backslashreplace")
    )
    written = [_write(out, content)]
    keep = cleaned.kept(ranking, verdicts, rule) if ranking.epochs_decided else np.zeros(0, bool)
    if len(keep):
        written.append(_write(out.with_name(f"{out.stem}.clean_index.txt"), cleaned.index_text(keep).encode()))
    return written, int(keep.sum())


def write_report(folder: Path, out: Path, *, with_truth: bool = True) -> Path:
    """Write the HTML report."""
    run = RunReader(folder)
    text = report(run, Judgements(run.path, run.num_samples).standing(), with_truth=with_truth)
    return _write(out, text.encode("utf-8", "backslashreplace"))


def write_cleaned(folder: Path, out: Path, rule: cleaned.Rule = "pool", progress: Progress = iter) -> int:
    """Write the cleaned set as a folder of images; returns how many samples it has."""
    run = RunReader(folder)
    keep = cleaned.kept(suspects(RunHistory.of(run)), Judgements(run.path, run.num_samples).standing(), rule)
    cleaned.save_cleaned(run, keep, out, progress)
    return int(keep.sum())


def write_weights(folder: Path, out: Path) -> Path:
    """Write the clean model's weights as safetensors."""
    return _write(out, main_weights(RunReader(folder)))


def _write(path: Path, content: bytes) -> Path:
    with storage_errors(path, NOTHING_SAVED):
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; give the name of a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)
    return path
