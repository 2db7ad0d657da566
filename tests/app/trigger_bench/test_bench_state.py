"""The bench's address and messages, of which only valid parts are used, and the page with each possible fault."""

from __future__ import annotations

import base64
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.components import packet
from app.trigger_bench import packets
from app.trigger_bench.bench import Bench, BenchRequest, Uploads
from app.trigger_bench.drawings import decode_drawing, encode_drawing, parse_drawing, parse_file
from app.trigger_bench.state import BenchState, Limits, address_of, parse_address, parse_state
from bsd_engine.runs.record import record_run
from bsd_engine.runs.stored_models import stored_epochs
from tests.support.origins import own_copy
from tests.support.page.pages import everything
from tests.support.run_edits import record
from tests.support.short_runs import short

SCRIPT = """
import streamlit as st
from app.pages import bench
bench.render(st.Page(lambda: None, title="Run", url_path="run"))
"""
LIMITS = Limits(epochs=(3, 7), images=50, triggers=("own", "badnets", "picture", "drawn"), height=28, width=20)
START = BenchState(epoch=7, size=7)
STATES = st.builds(
    BenchState,
    epoch=st.sampled_from(LIMITS.epochs),
    image=st.none() | st.integers(0, 49),
    trigger=st.sampled_from(LIMITS.triggers),
    down=st.integers(-28, 28),
    across=st.integers(-20, 20),
    opacity=st.integers(0, 100),
    size=st.integers(1, 28),
)


@given(STATES)
def test_an_address_leads_back_to_its_state(state: BenchState) -> None:
    kept = state if state.trigger == "picture" else replace(state, size=START.size)  # other triggers have no size
    found = parse_address(address_of(kept, LIMITS, None), LIMITS, kept.epoch, has_upload=True)
    assert found == (kept, [])


@given(STATES)
def test_a_message_leads_back_to_its_state(state: BenchState) -> None:
    assert parse_state(asdict(state), LIMITS, has_upload=True) == state


def test_the_start_needs_no_address() -> None:
    assert address_of(START, LIMITS, None) == {}
    assert parse_address({}, LIMITS, None, has_upload=False) == (START, [])


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("image", "50", "'50' for the image, expected a number from 0 to 49; 0 is used instead"),
        ("image", "x", "'x' for the image"),
        ("image", "upload", "uploaded, which an address cannot hold"),
        ("trigger", "nuke", "names the trigger 'nuke', expected one of own, badnets"),
        ("at", "99_0", "row of the trigger"),
        ("at", "1", "column of the trigger"),
        ("at", "0_-21", "column of the trigger"),
        ("opacity", "101", "opacity, expected a number from 0 to 100; 100 is used instead"),
        ("opacity", "²", "opacity"),
        ("size", "0", "size of the picture"),
    ],
)
def test_bad_parts_of_an_address_are_reported_and_ignored(part: str, value: str, said: str) -> None:
    state, problems = parse_address({part: value}, LIMITS, None, has_upload=False)
    assert len(problems) == 1 and said in problems[0]
    assert replace(state, down=0) == START


@given(st.dictionaries(st.sampled_from(["image", "trigger", "at", "opacity", "size"]), st.text(max_size=30)))
def test_any_address_gives_a_valid_state(address: dict[str, str]) -> None:
    state, _ = parse_address(address, LIMITS, None, has_upload=False)
    assert parse_state(asdict(state), LIMITS, has_upload=False) == state


@pytest.mark.parametrize(("shown", "epoch"), [(None, 7), (0, 3), (4, 3), (5, 3), (6, 7), (99, 7)])
def test_the_nearest_stored_epoch_is_shown(shown: int | None, epoch: int) -> None:
    assert parse_address({}, LIMITS, shown, has_upload=False)[0].epoch == epoch


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 4},
        {"epoch": "3"},
        {"epoch": []},
        {"image": 50},
        {"image": -1},
        {"image": True},
        {"image": None},
        {"trigger": "x"},
        {"trigger": ["own"]},
        {"down": 29},
        {"across": 0.5},
        {"opacity": None},
        {"opacity": float("nan")},
        {"size": 0},
    ],
)
def test_a_message_that_does_not_fit_is_no_state(change: dict[str, Any]) -> None:
    assert parse_state({**asdict(START), **change}, LIMITS, has_upload=False) is None


@pytest.mark.parametrize("value", [None, 3, "x", [], {}])
def test_nonsense_is_no_state_drawing_or_file(value: Any) -> None:
    assert parse_state(value, LIMITS, has_upload=True) is None
    assert parse_drawing(value, 28, 20) is None
    assert parse_file(value, 10) is None or value == "x"


def test_a_file_that_is_too_large_is_not_decoded() -> None:
    assert parse_file(base64.b64encode(b"x" * 10).decode(), 10) == b"x" * 10
    assert parse_file(base64.b64encode(b"x" * 20).decode(), 10) is None


def test_a_drawing_survives_the_address_and_the_message() -> None:
    drawing = np.zeros((28, 20, 4), np.uint8)
    drawing[3:6, 4] = 1, 2, 3, 255
    assert np.array_equal(decode_drawing(encode_drawing(drawing), 28, 20), drawing)
    assert np.array_equal(parse_drawing(base64.b64encode(drawing.tobytes()).decode(), 28, 20), drawing)
    shown = replace(START, trigger="drawn")
    assert set(address_of(shown, LIMITS, drawing)) == {"trigger", "drawing"}
    assert set(address_of(shown, LIMITS, np.zeros_like(drawing))) == {"trigger"}
    noise = np.random.default_rng(0).integers(0, 256, drawing.shape).astype(np.uint8)
    assert set(address_of(shown, LIMITS, noise)) == {"trigger"}, "too long for an address"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "!!",
        "A" * 4000,
        base64.urlsafe_b64encode(zlib.compress(b"short")).decode(),
        base64.urlsafe_b64encode(zlib.compress(b"\0" * 10**6)).decode(),
    ],
)
def test_a_drawing_of_another_size_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode_drawing(text, 28, 20)


# -- packets and the page --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run of five epochs, without an undefended network."""
    path = tmp_path_factory.mktemp("made") / "run"
    record_run(short(limit=200), path)
    return path


@pytest.fixture
def run(made: Path, root: Path) -> Path:
    return own_copy(made, root / "run")


def packed(path: Path, uploads: Uploads | None = None, **changes: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    bench = Bench.of(path)
    assert bench is not None
    request = BenchRequest(
        bench=bench,
        state=replace(bench.limits.start, **changes),
        uploads=uploads or Uploads(),
        seq=1,
        settled=True,
        static=True,
    )
    return packet.unpack(packets.build(request))


def test_a_packet_has_pixels_answers_and_what_to_do_for_the_missing_network(made: Path) -> None:
    header, arrays = packed(made)
    clean, triggered = arrays["pixels"].reshape(2, 28, 28)
    assert (clean != triggered).sum() <= 16 and set(np.unique(triggered[4:8, 4:8])) == {0, 255}
    assert arrays["main"].shape == (20,) and arrays["main"].reshape(2, 10).sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert "undefended" not in arrays and "train it once without a defence" in header["missing"]
    assert header["command"] == f"python -m bsd_engine undefended --config {made} --out {made}-undefended"
    assert header["history"]["epochs"] == list(stored_epochs(made)) and header["static"]["triggers"][0][0] == "own"


def test_an_empty_drawing_is_a_note_and_no_error(made: Path) -> None:
    for drawing in (None, np.zeros((28, 28, 4), np.uint8)):
        header, arrays = packed(made, Uploads(drawing=drawing), trigger="drawn")
        clean, triggered = arrays["pixels"].reshape(2, -1)
        assert (
            header["note"].startswith("Nothing is drawn yet")
            and header["problem"] == ""
            and np.array_equal(clean, triggered)
        )


def test_a_truncated_checkpoint_is_reported_and_the_others_answer(run: Path) -> None:
    first, *_, last = stored_epochs(run)
    file = run / f"checkpoints/{last:05d}.pt"
    file.write_bytes(file.read_bytes()[:4000])
    header, arrays = packed(run)
    assert "cut or damaged" in header["refusal"] and set(arrays) == {"pixels"}
    assert header["history"]["top"][-1] == [[-1, -1], [-1, -1]] and header["history"]["top"][0] != [[-1, -1], [-1, -1]]
    header, arrays = packed(run, epoch=first)
    assert header["refusal"] == "" and "main" in arrays


@pytest.mark.parametrize(
    ("epochs", "shown", "expected"),
    [
        ((1, 5), 5, (1, 5)),
        (tuple(range(12)), 3, tuple(range(12))),
        (tuple(range(100)), 50, (0, 10, 20, 30, 40, 50, 59, 69, 79, 89, 99)),
        (tuple(range(100)), 51, (0, 10, 20, 30, 40, 50, 51, 59, 69, 79, 89, 99)),
    ],
)
def test_at_most_a_dozen_epochs_are_answered(epochs: tuple[int, ...], shown: int, expected: tuple[int, ...]) -> None:
    assert packets.shown_epochs(epochs, shown) == expected


def test_the_page_shows_a_run(run: Path, open_page: Callable[..., AppTest]) -> None:
    page = open_page(run="run", trigger="blended", opacity="40", at="1_-2", image="7")
    assert not page.error and not page.get("toast")
    address = {name: value if isinstance(value, str) else value[0] for name, value in dict(page.query_params).items()}
    assert address == {
        "run": "run",
        "trigger": "blended",
        "opacity": "40",
        "at": "1_-2",
        "image": "7",
        "epoch": address["epoch"],
    }


def test_a_bad_address_is_reported_and_the_page_works(run: Path, open_page: Callable[..., AppTest]) -> None:
    page = open_page(run="run", trigger="nuke", opacity="900", drawing="xx", epoch="99")
    said = everything(page)
    assert "nuke" in said and "opacity" in said and "drawing in the address" in said and not page.error


def test_a_run_without_checkpoints_is_reported(run: Path, open_page: Callable[..., AppTest]) -> None:
    shutil.rmtree(run / "checkpoints")
    assert "no stored checkpoint" in everything(open_page(run="run"))


def test_a_newer_checkpoint_is_reported(run: Path, open_page: Callable[..., AppTest]) -> None:
    for epoch in stored_epochs(run):
        content = torch.load(run / f"checkpoints/{epoch:05d}.pt", weights_only=True)
        torch.save({**content, "version": 99}, run / f"checkpoints/{epoch:05d}.pt")
        record(run, f"checkpoints/{epoch:05d}.pt")
    open_page(run="run")
    assert "has version 99" in packed(run)[0]["refusal"]
