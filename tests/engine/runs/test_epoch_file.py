"""An epoch's file holds the epoch exactly and takes little space, and invalid files are refused."""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bsd_engine.events import EpochState
from bsd_engine.runs.epoch_file import ARRAYS, pack_epoch, unpack_epoch

N = 5000


def state(**values: object) -> EpochState:
    rng = np.random.default_rng(0)
    given = {
        "altruistic_loss": rng.gamma(0.5, 1.0, N).astype(np.float32),
        "altruistic_prediction": rng.integers(0, 10, N).astype(np.int16),
    }
    return EpochState(**{"epoch": 3, "stage": "oss_warmup", "main_epoch": 1, "clean_ratio": None, **given, **values})


def stored(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content)) as archive:
        return dict(archive)


def file_of(arrays: dict[str, np.ndarray], **scalars: object) -> bytes:
    """Return the file of `state()` with some of its arrays and scalars replaced."""
    found = stored(pack_epoch(state()))
    told = json.loads(found["scalars"].tobytes()) | scalars
    buffer = io.BytesIO()
    np.savez(buffer, **{**found, "scalars": np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays})
    return buffer.getvalue()


def uint8(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    array=st.one_of(
        arrays(np.float32, st.integers(0, 300)),
        arrays(np.int16, st.integers(0, 300)),
        arrays(bool, st.integers(0, 300)),
        arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(0, 50))),
        arrays(np.float16, st.integers(0, 30)),
        arrays(np.int64, st.integers(0, 30)),
    )
)
def test_any_array_comes_back_bit_for_bit(array: np.ndarray) -> None:
    back = unpack_epoch(pack_epoch(state(oss_distances=array))).oss_distances
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()


def test_every_kind_of_array_is_packed_and_the_file_is_small() -> None:
    rng = np.random.default_rng(1)
    full = state(
        main_loss=rng.gamma(0.5, 1.0, N).astype(np.float32),
        main_prediction=rng.integers(0, 10, N).astype(np.int16),
        clean_mask=rng.random(N) < 0.5,
    )
    content = pack_epoch(full)
    plain = sum(getattr(full, name).nbytes for name in ARRAYS if getattr(full, name) is not None)
    assert {name.partition(".")[2] for name in stored(content)} == {"", "planes", "bytes", "bits"}
    assert len(content) < 0.72 * plain


@pytest.mark.parametrize("row", [0, 2, None])
def test_a_score_that_equals_one_of_the_distances_is_stored_once(row: int | None) -> None:
    distances = np.random.default_rng(2).random((3, N)).astype(np.float32)
    full = state(oss_distances=distances, oss_score=distances[1] + 1 if row is None else distances[row].copy())
    assert ("oss_score.row" in stored(pack_epoch(full))) == (row is not None)
    assert unpack_epoch(pack_epoch(full)).oss_score.tobytes() == full.oss_score.tobytes()


def test_equal_epochs_have_equal_bytes() -> None:
    assert pack_epoch(state()) == pack_epoch(unpack_epoch(pack_epoch(state())))


def test_every_field_is_stored() -> None:
    assert {"altruistic_loss", "oss_distances", "residuals"} <= set(ARRAYS) < {f.name for f in fields(EpochState)}


LOSS = stored(pack_epoch(state()))["altruistic_loss.planes"]
HOSTILE = {
    "of another kind": ({"altruistic_loss.zip": LOSS}, {}, "packed in an unknown way"),
    "without a shape": ({}, {"shapes": {}}, "packed in an unknown way"),
    "shapes of no kind": ({}, {"shapes": [5000]}, "packed in an unknown way"),
    "a negative shape": (
        {},
        {"shapes": {"altruistic_loss": [-1], "altruistic_prediction": [N]}},
        "packed in an unknown way",
    ),
    "a shape of words": (
        {},
        {"shapes": {"altruistic_loss": ["9"], "altruistic_prediction": [N]}},
        "packed in an unknown way",
    ),
    "announcing a petabyte": (
        {},
        {"shapes": {"altruistic_loss": [2**39], "altruistic_prediction": [N]}},
        "packed in an unknown way",
    ),
    "cut short": ({"altruistic_loss.planes": LOSS[: N + 100]}, {}, "bytes for 5,000 numbers"),
    "cut in the deflated part": ({"altruistic_loss.planes": LOSS[:-9]}, {}, "does not inflate to"),
    "not deflated": ({"altruistic_loss.planes": np.zeros(4 * N, np.uint8)}, {}, "cannot be inflated"),
    "a bomb": (
        {"altruistic_prediction.bytes": uint8(zlib.compress(bytes(50_000_000)))},
        {},
        "does not inflate to 5,000 bytes",
    ),
    "numbers for bytes": ({"altruistic_prediction.bytes": np.zeros(N)}, {}, "packed in an unknown way"),
    "a row of nothing": ({"oss_score.row": np.zeros(1, np.uint8)}, {}, "row of distances that are missing"),
    "too few bits": (
        {"clean_mask.bits": np.zeros(3, np.uint8)},
        {"shapes": {"altruistic_loss": [N], "altruistic_prediction": [N], "clean_mask": [N]}},
        "bytes for 5,000 bits",
    ),
}


@pytest.mark.parametrize(("changed", "scalars", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_files_that_pack_epoch_did_not_write_are_refused(changed: dict, scalars: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        unpack_epoch(file_of(changed, **scalars))
