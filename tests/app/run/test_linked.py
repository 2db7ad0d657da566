"""The state that pages share: its address, and the response to a bad address."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.state.linked import LONGEST_ADDRESS, Linked, address_of, decode_ids, encode_ids, parse

SCRIPT = """
import streamlit as st
from dataclasses import replace
from app.state import linked
state, problems = linked.read(run=st.session_state.get("shown", "a"), samples=100, epochs=5)
st.text(repr(state))
st.text(" ".join(problems))
if "put" in st.session_state:
    linked.write(replace(state, **st.session_state.pop("put")))
"""


@given(st.sets(st.integers(0, 999)))
def test_every_set_of_ids_comes_back_from_its_text(ids: set[int]) -> None:
    assert decode_ids(encode_ids(ids), 1000) == tuple(sorted(ids))


def test_any_half_of_50000_samples_fits_into_an_address() -> None:
    half = np.flatnonzero(np.random.default_rng(0).random(50_000) < 0.5)
    text = encode_ids(half)
    assert len(text) < 8_500 < LONGEST_ADDRESS
    assert decode_ids(text, 50_000) == tuple(half.tolist())


@pytest.mark.parametrize(
    "text", ["x", "b!!!", "gAAAA", "zeNo", "b" + "A" * 30_000, encode_ids([100]), encode_ids([5, 4_000_000])]
)
def test_a_text_that_is_not_a_set_of_this_runs_ids_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode_ids(text, 100)


def test_a_state_comes_back_from_its_address() -> None:
    state = Linked(run="r", epoch=3, pinned=0, selected=(1, 5, 99))
    assert parse(address_of(state), samples=100, epochs=5) == (state, [])
    assert address_of(Linked()) == {}
    assert parse({}, samples=100, epochs=5) == (Linked(), [])


@pytest.mark.parametrize(
    "address",
    [
        {"epoch": "0"},
        {"epoch": "-1"},
        {"epoch": "x"},
        {"epoch": "1e9"},
        {"epoch": "9" * 40},
        {"pin": "100"},
        {"pin": "²"},
        {"sel": "nonsense"},
    ],
)
def test_a_bad_part_of_an_address_gives_a_sentence_and_is_ignored(address: dict[str, str]) -> None:
    state, problems = parse({"run": "r", "pin": "7", **address}, samples=100, epochs=5)
    assert len(problems) == 1 and problems[0].endswith((".",))
    assert state == Linked(run="r", pinned=None if "pin" in address else 7)


def test_the_epoch_shown_follows_the_newest_or_stays() -> None:
    assert [Linked().shown_epoch(n) for n in (0, 1, 9)] == [None, 0, 8]
    assert [Linked(epoch=3).shown_epoch(n) for n in (0, 2, 9)] == [None, 1, 3]


def page(**query: str) -> AppTest:
    at = AppTest.from_string(SCRIPT)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def test_a_state_survives_a_change_of_page_that_empties_the_address_but_not_another_run() -> None:
    at = page(epoch="2", pin="4", other="kept")
    assert at.text[0].value == repr(Linked(run="a", epoch=1, pinned=4))
    at.session_state["put"] = {"selected": (1, 2)}
    at.run()
    assert at.query_params["sel"] and at.query_params["run"] == "a" and at.query_params["other"] == "kept"
    for name in ("run", "epoch", "pin", "sel"):
        del at.query_params[name]
    at.run()
    assert at.text[0].value == repr(Linked(run="a", epoch=1, pinned=4, selected=(1, 2)))
    at.session_state["shown"] = "b"
    at.run()
    assert at.text[0].value == repr(Linked(run="b"))


def test_an_address_of_another_run_is_not_read_for_this_one() -> None:
    assert page(run="z", pin="4").text[0].value == repr(Linked(run="a"))


def test_clearing_the_selection_clears_its_address() -> None:
    at = page(run="a", sel=encode_ids([3]))
    at.session_state["put"] = {"selected": ()}
    at.run()
    assert "sel" not in at.query_params
    assert replace(Linked(run="a"), selected=()) == Linked(run="a")
