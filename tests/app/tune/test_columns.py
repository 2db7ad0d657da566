"""The data exchanged with the browser: columns, packets and messages."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components import packet
from app.tune.asks import bitmap, parse_ask, parse_run, parse_settings
from app.tune.columns import KNOTS, bits, distance_columns, epoch_columns, log_levels, map_columns, ranked
from bsd_engine.events import EpochState

SETTINGS = {"alpha": 0.5, "beta": 0.25, "t1": 3, "altruistic_epochs": 2, "distance": "min"}


def test_a_packet_is_unpacked_unchanged() -> None:
    arrays = {
        f"{k}/x": np.arange(n, dtype=kind)
        for k, (n, kind) in enumerate([(0, "u1"), (3, "u2"), (7, "u4"), (5, "f4"), (1, "u1")])
    }
    for word in ("", "a" * 99, "ü" * 500):  # a longer header moves everything
        header, back = packet.unpack(packet.pack({"word": word}, arrays))
        assert header == {"word": word} and list(back) == list(arrays)
        for name, a in arrays.items():
            np.testing.assert_array_equal(back[name], a)
            assert back[name].dtype == a.dtype
    with pytest.raises(ValueError):
        packet.pack({"x": float("nan")}, {})


@pytest.mark.parametrize("n", [1, 2, KNOTS, KNOTS + 1, 70_000])
def test_ranks_are_exact_and_values_near(n: int) -> None:
    scores = np.random.default_rng(n).gamma(0.3, 1, n).astype(np.float32)
    found = ranked("g", scores)
    order = np.argsort(-scores, kind="stable")
    np.testing.assert_array_equal(found["g_rank"][order], np.arange(n))
    assert found["g_rank"].dtype == (np.uint16 if n <= 65536 else np.uint32)
    assert len(found["g_curve"]) == min(n, KNOTS) and (np.diff(found["g_curve"]) <= 0).all()
    assert found["g_curve"][0] == scores.max() and found["g_curve"][-1] == scores.min()


def state(n: int = 50_000, *, first: bool = False) -> EpochState:
    rng = np.random.default_rng(0)
    scores = (
        {
            "oss_score": rng.random(n, np.float32),
            "oss_distances": rng.random((3, n), np.float32),
            "nearest_class": np.ones(n, np.int16),
        }
        if first
        else {}
    )
    return EpochState(
        epoch=9,
        stage="oss_warmup" if first else "selective_drop",
        main_epoch=3,
        clean_ratio=None,
        altruistic_loss=rng.random(n, np.float32),
        altruistic_prediction=np.zeros(n, np.int16),
        main_loss=rng.random(n, np.float32),
        main_prediction=np.zeros(n, np.int16),
        clean_mask=rng.random(n) < 0.5,
        landmark_features=np.zeros((4, 2), np.float16),
        **scores,
    )


@pytest.mark.parametrize("first", [True, False])
def test_an_epoch_of_50000_samples_needs_less_than_300_kb(first: bool) -> None:
    columns = epoch_columns(state(first=first), 3, predictions=False)
    columns |= map_columns(np.zeros((2000, 2), np.float32), state(first=first), np.arange(2000))
    assert sum(a.nbytes for a in columns.values()) < 290_000
    assert ("s_rank" in columns) is first and ("gap_rank" in columns) is not first
    assert (len(distance_columns(state(first=first))) == 6) is first


def test_levels_are_steps_of_the_logarithm_and_bits_are_little_endian() -> None:
    assert log_levels(np.array([0, 1e-4, 20, 99], np.float32)).tolist() == [0, 0, 255, 255]
    assert bits(np.array([1, 0, 0, 0, 0, 0, 0, 0, 1], bool)).tolist() == [1, 1]


@given(st.sets(st.integers(0, 99)))
def test_a_selection_comes_back_from_its_bitmap(ids: set[int]) -> None:
    ask = {
        "seq": 1,
        "want": {},
        "state": {"epoch": 2, "pin": 5, "selected": bitmap(tuple(sorted(ids)), 100), "settings": SETTINGS, "shown": 2},
    }
    found = parse_ask(ask, run="r", samples=100, epochs=4)
    assert found.view.selected == tuple(sorted(ids)) and (found.view.pinned, found.view.epoch) == (5, 2)
    assert found.settings == parse_settings(SETTINGS)


@pytest.mark.parametrize("value", [None, 3, [], {}, {"seq": "x"}, {"seq": -1}, {"seq": float("nan")}, {"seq": True}])
def test_malformed_messages_are_none(value: object) -> None:
    assert parse_ask(value, run="r", samples=10, epochs=2) is None and parse_run(value) is None


def test_anything_in_a_message_is_bounded() -> None:
    bad = {
        "seq": 1,
        "want": {
            "geometry": 1,
            "columns": [0, 0, -1, 99, "a", 1.5, True, 1],
            "thumbs": list(range(99999)),
            "grid": "x" * 999,
            "maps": "no",
        },
        "state": {"epoch": 99, "pin": -1, "selected": "A" * 9999, "settings": {**SETTINGS, "alpha": 2}, "shown": None},
    }
    found = parse_ask(json.loads(json.dumps(bad)), run="r", samples=10, epochs=2)
    assert (found.want.geometry, found.want.columns, found.want.maps, len(found.want.grid)) == (False, (0, 1), (), 80)
    assert found.want.thumbs == tuple(range(10))
    assert (found.view.epoch, found.view.pinned, found.view.selected, found.settings) == (None, None, (), None)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": "x"},
        {"alpha": float("inf")},
        {"beta": -0.1},
        {"t1": 1.5},
        {"t1": 10**9},
        {"distance": "median"},
        {"distance": None},
    ],
)
def test_bad_settings_are_none(change: dict) -> None:
    assert parse_settings({**SETTINGS, **change}) is None
    assert parse_run({"seq": 1, "settings": {**SETTINGS, **change}}) is None
