"""What the page Audit offers below the table: what a selection has in common, the audit to a bound, downloads, the sealed envelope."""

from __future__ import annotations

import html
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.audit import audited
from app.audit.audited import Audited
from app.figures.pixels import data_uri, enlarged
from app.server import data_paths
from app.style import words
from app.style.theme import count
from bsd_engine.audit.bounds import draw, needed_draws, sentence
from bsd_engine.audit.common import BLIND_SPOT, Common, in_common, matched_controls
from bsd_engine.audit.export import cleaned
from bsd_engine.audit.export.report import report
from bsd_engine.audit.export.table import csv_text, parquet_bytes, table
from bsd_engine.audit.export.weights import main_weights
from bsd_engine.audit.gap import find_gap
from bsd_engine.audit.sealed import Hits, scores
from bsd_engine.errors import BSDError
from bsd_engine.runs.stored_models import has_models

MOST_COMPARED = 500
LARGEST_DOWNLOAD = 200_000_000
DRAWN_AT_ONCE = 40


# -- what a selection has in common ----------------------------------------------------------------


def common_panel(audit: Audited, selected: tuple[int, ...]) -> None:
    """Mean, median, difference, variance, spectrum and patches of a selection against controls."""
    history, found = audit.history, audit.found
    mask = np.zeros(history.num_samples, bool)
    if len(selected) >= 2:
        mask[list(selected)] = True
        who = f"The {count(len(selected))} selected samples"
    else:
        gap = find_gap(found.score[history.candidates])
        mask = (
            history.candidates & (found.score > gap.threshold)
            if gap
            else found.rank <= min(100, history.num_samples // 10)
        )
        who = (
            f"The {count(mask.sum())} samples that stand apart by their scores"
            if gap
            else f"The {count(mask.sum())} most suspect samples"
        )
    by = st.segmented_control(
        "Controls of the same",
        ["content", "label"],
        default="content",
        required=True,
        key="common_by",
        help="content: what the main model takes an image for, so that a boot that is labelled dress is compared with boots; "
        "label: the given label. Controls come from the clean pool.",
    )
    kinds = (
        history.main_prediction[-1].astype(np.int64)
        if by == "content" and len(history.main_prediction)
        else history.labels
    )
    controls = matched_controls(mask, kinds, 0, candidates=found.in_pool)
    picked = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(mask))[:MOST_COMPARED])
    if len(picked) < 2 or len(controls) < 2:
        st.info("There are too few samples, or no samples of the clean pool to compare them with; select others.")
        return
    images = audit.run.images
    common = in_common(*(images[idx].transpose(0, 2, 3, 1) for idx in (picked, controls[:MOST_COMPARED])))
    st.markdown(f"{who} against {count(common.controls)} of the clean pool. **{words.unformatted(common.finding)}**")
    if BLIND_SPOT not in common.finding:
        st.caption(BLIND_SPOT)
    st.html(_pictures(common))


def _pictures(common: Common) -> str:
    gain = 100 / max(1.0, float(np.abs(common.difference).max()))
    drawn = [
        ("Mean", common.mean, ""),
        ("Median", common.median, ""),
        ("Control mean", common.control_mean, ""),
        (f"Difference × {gain:.1f}", 128 + gain * common.difference, "mid grey: none"),
        ("Variance", (128 - 40 * common.variance_ratio)[..., None], "bright: less than the controls"),
        ("Spectrum", (128 + 60 * common.spectrum)[..., None], "bright: more than the controls"),
    ]
    patches = [
        (f"Patch {i}", p.pixels, f"row {p.row}, column {p.column}: {p.share:.0%}, controls {p.control_share:.0%}")
        for i, p in enumerate(common.patches, 1)
    ]
    return f'<div class="panes six">{_figures(drawn)}</div><p class="note">Most frequent small patches</p><div class="panes six">{_figures(patches)}</div>'


def _figures(drawn: list[tuple[str, np.ndarray, str]]) -> str:
    return "".join(
        f'<figure><figcaption><b>{name}</b></figcaption><img src="{data_uri(enlarged(np.rint(x).clip(0, 255).astype(np.uint8), 150))}" '
        f'alt="{name}"><figcaption>{html.escape(note)}</figcaption></figure>'
        for name, x, note in drawn
    )


# -- audit to a bound ------------------------------------------------------------------------------


def bound_panel(audit: Audited) -> None:
    """Judge a random draw from the clean pool, and be told how bad the pool can be at most."""
    if not audit.found.epochs_decided:
        st.info("There is no pool to draw from yet; it comes with the first split.")
        return
    left, right = st.columns([1, 2])
    with left:
        wanted = st.number_input(
            "Images to judge",
            20,
            3000,
            100,
            step=20,
            key="bound_count",
            help=f"{needed_draws(0.03)} without a bad one give 3 %, {needed_draws(0.01)} give 1 %.",
        )
        seed = st.number_input("Draw number", 0, 10**6, 1, key="bound_seed", help="Another number draws other images.")
    drawn = draw(audit.found.in_pool, int(wanted), int(seed))
    verdicts = audit.standing()
    judged = [s for s in drawn.tolist() if s in verdicts and verdicts[s].choice != "unsure"]
    bad = sum(verdicts[s].choice == "remove" for s in judged)
    with right:
        st.markdown(f"**{words.unformatted(sentence(bad, len(judged)))}**")
        st.caption(
            f"Judged {count(len(judged))} of {count(len(drawn))} drawn. An unsure image is not counted: judge it, or the bound is not of this draw."
        )
    waiting = [s for s in drawn.tolist() if s not in verdicts][:DRAWN_AT_ONCE]
    if not waiting:
        return
    st.markdown(f"**Mark what is bad among these {len(waiting)}**, then press the button: the others are kept.")
    bad_now = st.pills(
        "Bad",
        waiting,
        selection_mode="multi",
        format_func=str,
        key=f"bound_bad_{waiting[0]}_{len(judged)}",
        label_visibility="collapsed",
    )
    path = str(audit.run.path)
    st.html(
        '<div class="strip">'
        + "".join(
            f'<figure{" class=chosen" if s in bad_now else ""}><img src="{audited.picture_address(path, s)}" alt="sample {s}"><figcaption>{s}<br>'
            f"{html.escape(audit.history.name(int(audit.history.labels[s])), quote=False)}</figcaption></figure>"
            for s in waiting
        )
        + "</div>"
    )
    if st.button(
        f"Judge these {len(waiting)}: {len(bad_now)} bad, {len(waiting) - len(bad_now)} good",
        key="bound_judge",
        type="primary",
    ):
        _save(audit, [s for s in waiting if s not in bad_now], "keep", f"draw {seed}")
        _save(audit, bad_now, "remove", f"draw {seed}")
        st.rerun()


def _save(audit: Audited, samples: list[int], choice: str, note: str) -> None:
    try:
        audit.verdicts.give(samples, choice, note)  # type: ignore[arg-type]
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")


# -- downloads -------------------------------------------------------------------------------------


def downloads_panel(audit: Audited, *, truth_shown: bool) -> None:
    """Everything as files, and the commands that write the same."""
    rule = st.segmented_control(
        "Keep",
        ["pool", "steady"],
        default="pool",
        required=True,
        key="keep_rule",
        help="pool: the clean pool of the newest epoch; steady: those of it that were in it for more than half of the epochs "
        "from T1 on. Judgements decide for their samples.",
    )
    verdicts = audit.standing()
    try:
        keep = cleaned.kept(audit.found, verdicts, rule)
    except BSDError as error:
        st.info(words.unformatted(str(error)))
        keep = None

    def columns() -> dict[str, list[Any]]:
        return table(audit.history, audit.found, verdicts, audit.run.files)

    with st.container(horizontal=True, key="downloads"):
        _file(
            "Suspects, CSV", lambda: csv_text(columns()).encode("utf-8", "backslashreplace"), "suspects.csv", "text/csv"
        )
        _file(
            "Suspects, Parquet", lambda: parquet_bytes(columns()), "suspects.parquet", "application/vnd.apache.parquet"
        )
        _file(
            "Report, HTML",
            lambda: report(audit.run, verdicts, with_truth=truth_shown, history=audit.history).encode(
                "utf-8", "backslashreplace"
            ),
            "report.html",
            "text/html",
        )
        if keep is not None:
            _file("Clean index list", lambda: cleaned.index_text(keep), "clean_index.txt", "text/plain")
        if keep is not None and audit.run.images.nbytes <= LARGEST_DOWNLOAD:
            _file(
                f"Cleaned set, {count(keep.sum())} images (zip)",
                lambda: _zipped(audit, keep),
                "cleaned.zip",
                "application/zip",
            )
        if has_models(audit.run):
            _file(
                "Clean model, safetensors",
                lambda: main_weights(audit.run),
                "main_model.safetensors",
                "application/octet-stream",
            )
    folder = words.shell(audit.run.path)
    st.caption("The same in a terminal:")
    st.code(
        f"python -m bsd_engine suspects {folder} --out suspects.csv --keep {rule}\npython -m bsd_engine report {folder} --out report.html\n"
        f"python -m bsd_engine cleaned {folder} --out cleaned --keep {rule} --weights main_model.safetensors",
        language="bash",
    )


def _file(label: str, content: Any, name: str, kind: str) -> None:
    st.download_button(label, content, name, kind, key=f"get_{name}", on_click="ignore", icon=":material/download:")


def _zipped(audit: Audited, keep: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="bsd-cleaned-") as folder, zipfile.ZipFile(buffer, "w") as archive:
        root = cleaned.save_cleaned(
            audit.run, keep, Path(folder) / "cleaned", originals=data_paths.may_read(audit.run.config.data.data)
        )
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(root.parent))
    return buffer.getvalue()


# -- the sealed envelope ---------------------------------------------------------------------------


def sealed_panel(audit: Audited) -> None:
    """Opened after own verdicts only: the reader's score and that of BSD on the same samples."""
    truth = audit.run.truth
    if truth is None:
        st.info("This run has no truth to open: nobody told which samples are poisoned.")
        return
    verdicts = audit.standing()
    judged = sum(v.choice != "unsure" for v in verdicts.values())
    st.markdown(
        "Judge samples yourself: **remove** says poisoned, **keep** says clean. Then open the envelope."
        if not judged
        else f"You have judged {count(judged)} samples."
    )
    if st.button("Open the envelope", key="open_envelope", disabled=not judged, icon=":material/drafts:"):
        st.session_state["opened"] = (audit.run.run_id, audit.verdicts.version)
    if st.session_state.get("opened") != (audit.run.run_id, audit.verdicts.version) or not judged:
        return
    mine, its = scores(verdicts, audit.found.in_pool, truth.is_poison)
    st.dataframe([_row("You", mine), _row("BSD", its)], hide_index=True, width="stretch")
    wrong = [
        s for s, v in verdicts.items() if v.choice != "unsure" and (v.choice == "remove") != bool(truth.is_poison[s])
    ]
    if wrong:
        st.caption(
            "You were wrong about: "
            + ", ".join(f"{s} ({'poisoned' if truth.is_poison[s] else 'clean'})" for s in wrong[:40])
        )


def _row(who: str, hits: Hits) -> dict[str, Any]:
    return {
        "": who,
        "right": f"{hits.right} of {hits.total}",
        "poison found": hits.found,
        "poison missed": hits.missed,
        "clean accused": hits.accused,
        "clean cleared": hits.cleared,
    }
