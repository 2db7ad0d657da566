"""The ranked samples as a table, and the table as a file: the record and people's judgements, no ground truth."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.findings.apart import poison_probability, stands_apart
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.judgements import Judgement
from bsd_engine.audit.suspects import Suspects
from bsd_engine.errors import StorageError
from bsd_engine.files.cells import no_formula

COLUMNS = (
    "rank",
    "sample",
    "file",
    "label",
    "score",
    "als_flag",
    "oss_flag",
    "discrepancy_flag",
    "drop_flag",
    "margin",
    "kind",
    "poison_probability",
    "in_pool",
    "epochs_in_pool",
    "epochs_decided",
    "altruistic_loss",
    "main_loss",
    "oss_score",
    "nearest_class",
    "main_prediction",
    "altruistic_prediction",
    "verdict",
    "note",
    "reason",
)


def table(
    history: RunHistory,
    ranking: Suspects,
    verdicts: Mapping[int, Judgement],
    files: tuple[str, ...] | None = None,
    *,
    reasons: bool = True,
) -> dict[str, list[Any]]:
    """`COLUMNS` as lists of N plain values, the most suspect sample first; None where something is unknown.

    Parameters
    ----------
    files : (N,) file of each sample, where they came from files
    reasons : whether to write the sentences, 0.1 ms each
    """
    order, epoch = ranking.order, ranking.epoch
    t = epoch - history.first_main
    names = np.array(
        [history.name(c) for c in range(max(int(history.labels.max()) + 1, len(history.class_names)))], object
    )

    def numbers(values: np.ndarray | None, digits: int = 6) -> list[Any]:
        if values is None:
            return [None] * len(order)
        return [None if v != v else float(f"{v:.{digits}g}") for v in values[order].tolist()]

    def flags(values: np.ndarray) -> list[bool]:
        return values[order].tolist()

    def classes(values: np.ndarray | None) -> list[Any]:
        return [None] * len(order) if values is None else names[values[order].astype(np.int64)].tolist()

    given = [verdicts.get(s) for s in order.tolist()]
    return {
        "rank": list(range(1, len(order) + 1)),
        "sample": order.tolist(),
        "file": [files[s] if files else None for s in order.tolist()],
        "label": classes(history.labels),
        "score": numbers(ranking.score),
        "als_flag": flags(ranking.als_flag),
        "oss_flag": flags(ranking.oss_flag),
        "discrepancy_flag": flags(ranking.discrepancy_flag),
        "drop_flag": flags(ranking.drop_flag),
        "margin": numbers(ranking.margin, 4),
        "kind": _kinds(history, ranking)[order].tolist(),
        "poison_probability": numbers(poison_probability(history, ranking), 4),
        "in_pool": flags(ranking.in_pool),
        "epochs_in_pool": ranking.epochs_in_pool[order].tolist(),
        "epochs_decided": [ranking.epochs_decided] * len(order),
        "altruistic_loss": numbers(history.altruistic_loss[epoch]),
        "main_loss": numbers(history.main_loss[t] if t >= 0 else None),
        "oss_score": numbers(history.oss_score),
        "nearest_class": classes(history.nearest_class),
        "main_prediction": classes(history.main_prediction[t] if t >= 0 else None),
        "altruistic_prediction": classes(history.altruistic_prediction[epoch]),
        "verdict": [v and v.choice for v in given],
        "note": [v and v.note for v in given],
        "reason": [reason(history, s, epoch).sentence for s in order.tolist()] if reasons else [None] * len(order),
    }


def _kinds(history: RunHistory, ranking: Suspects) -> np.ndarray:
    """(N,) object: suspect, doubtful label or an empty text."""
    kinds = np.where(doubtful_labels(history), "doubtful label", "").astype(object)
    kinds[stands_apart(history, ranking)] = "suspect"
    return kinds


def csv_text(columns: Mapping[str, list[Any]]) -> str:
    """The table as CSV for any spreadsheet; an apostrophe precedes text that would be taken for a formula."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows([_cell(v) for v in row] for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    return no_formula(value) if isinstance(value, str) else value


def parquet_bytes(columns: Mapping[str, list[Any]]) -> bytes:
    """The table as Parquet, with texts unchanged."""
    import pyarrow  # type: ignore[import-untyped]  # it ships no types
    import pyarrow.parquet  # type: ignore[import-untyped]  # it ships no types

    texts = {
        "file",
        "label",
        "kind",
        "nearest_class",
        "main_prediction",
        "altruistic_prediction",
        "verdict",
        "note",
        "reason",
    }
    floats = {"score", "margin", "poison_probability", "altruistic_loss", "main_loss", "oss_score"}
    kinds = {
        name: pyarrow.string() if name in texts else pyarrow.float64() if name in floats else None for name in columns
    }
    buffer = io.BytesIO()
    try:
        arrays = {name: pyarrow.array(values, kinds[name]) for name, values in columns.items()}
    except UnicodeEncodeError as error:  # a Linux file system may hold a file name that is not valid text
        raise StorageError(
            f"A name cannot be written as text ({error.object!r}); rename that file, or take the CSV."
        ) from None
    pyarrow.parquet.write_table(pyarrow.table(arrays), buffer)
    return buffer.getvalue()
