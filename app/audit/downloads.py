"""The tool "Downloads": everything as files, and the commands that write the same files."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from app.server import data_paths
from app.server.noting import noted_export
from app.server.registry import runs_root
from app.style import words
from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.table import csv_text, parquet_bytes, table
from bsd_engine.audit.export.weights import main_weights
from bsd_engine.audit.findings.cleaning import RULES, clean
from bsd_engine.audit.judgements import Judgement
from bsd_engine.errors import BSDError
from bsd_engine.runs.stored_models import has_models

LARGEST_DOWNLOAD = 200_000_000
"""Bytes of images; a larger cleaned set is written by the command only."""


def downloads_panel(audit: Audited, *, truth_shown: bool) -> None:
    """A button for each file, then the commands."""
    rule = st.segmented_control(
        texts.KEEP, RULES, default="balanced", required=True, key="keep_rule", help=texts.KEEP_HELP
    )
    judgements = audit.standing()
    keep = None
    try:
        chosen = clean(audit.history, audit.suspects, judgements, rule)
    except BSDError as error:
        st.info(words.unformatted(str(error)))
    else:
        keep = chosen.keep
        st.markdown(words.unformatted(chosen.sentence(audit.history.class_names)))
    with st.container(horizontal=True, key="downloads"):
        _audit_buttons(audit, judgements, truth_shown=truth_shown)
        if keep is not None:
            _cleaned_buttons(audit, keep)
        if has_models(audit.run):
            _button(
                audit,
                texts.MODEL,
                lambda: main_weights(audit.run),
                "main_model.safetensors",
                "application/octet-stream",
            )
    if note := cleaned.originals_left_out(audit.run):
        st.caption(words.unformatted(note))
    st.caption(texts.IN_A_TERMINAL)
    st.code(texts.commands(words.shell(audit.run.path), rule), language="bash")


def _audit_buttons(audit: Audited, judgements: dict[int, Judgement], *, truth_shown: bool) -> None:
    """The table of suspects and the report."""

    def columns() -> dict[str, list[Any]]:
        return table(audit.exported_history, audit.suspects, judgements, audit.run.files)

    def page() -> bytes:
        text = report(audit.run, judgements, with_truth=truth_shown, history=audit.exported_history)
        return text.encode("utf-8", "backslashreplace")

    def csv() -> bytes:
        return csv_text(columns()).encode("utf-8", "backslashreplace")

    parquet = "application/vnd.apache.parquet"
    _button(audit, texts.SUSPECTS_CSV, csv, "suspects.csv", "text/csv")
    _button(audit, texts.SUSPECTS_PARQUET, lambda: parquet_bytes(columns()), "suspects.parquet", parquet)
    _button(audit, texts.REPORT, page, "report.html", "text/html")


def _cleaned_buttons(audit: Audited, keep: np.ndarray) -> None:
    """The list of samples to keep, and the cleaned set if it is small enough to download."""
    _button(audit, texts.KEEP_LIST, lambda: cleaned.index_text(keep), "clean_index.txt", "text/plain")
    if audit.run.images.nbytes <= LARGEST_DOWNLOAD:
        label = texts.cleaned_set(int(keep.sum()))
        _button(audit, label, lambda: _zipped(audit, keep), "cleaned.zip", "application/zip")


def _button(audit: Audited, label: str, content: Callable[[], str | bytes], name: str, mime: str) -> None:
    """A button that makes its file when it is pressed, and notes that in the log."""
    st.download_button(
        label,
        noted_export(runs_root(), audit.run.run_id, name, content),
        name,
        mime,
        key=f"get_{name}",
        on_click="ignore",
        icon=":material/download:",
    )


def _zipped(audit: Audited, keep: np.ndarray) -> bytes:
    """The cleaned set as a zip archive."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="bsd-cleaned-") as folder, zipfile.ZipFile(buffer, "w") as archive:
        originals = audit.run.trusts_paths and data_paths.may_read(audit.run.config.data.data)
        root = cleaned.save_cleaned(audit.run, keep, Path(folder) / "cleaned", originals=originals)
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(root.parent))
    return buffer.getvalue()
