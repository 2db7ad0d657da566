"""Malformed inputs raise only the project's own errors: a few of each kind here, ten thousand in the nightly run."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsd_engine.errors import BSDError
from tests.nightly import fuzzing
from tests.nightly.fuzz_targets import TARGETS, Attempt

EXAMPLES = {"page": 15, "foreign run": 4, "foreign page": 6}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Attempt]:
    """A function that returns the target of a name, set up once."""
    known: dict[str, Attempt] = {}

    def of(name: str) -> Attempt:
        if name not in known:
            known[name] = TARGETS[name](tmp_path_factory.mktemp(name.replace(" ", "_")))
        return known[name]

    return of


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns about damaged files that it can read
@pytest.mark.parametrize("name", TARGETS)
def test_no_malformed_input_ends_in_a_traceback(attempts: Callable[[str], Attempt], name: str) -> None:
    attempt = attempts(name)

    @settings(
        deadline=None, max_examples=EXAMPLES.get(name, 60), database=None, suppress_health_check=list(HealthCheck)
    )
    @given(draw=st.randoms(use_true_random=False))
    def holds(draw: random.Random) -> None:
        try:
            attempt(draw)
        except BSDError as error:
            assert str(error)

    holds()


def test_a_failing_input_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fragile(folder: Path) -> Attempt:
        def attempt(draw: random.Random) -> None:
            if draw.random() < 0.5:
                raise KeyError("labels")
            raise BSDError("It is broken.")

        return attempt

    monkeypatch.setitem(TARGETS, "fragile", fragile)
    bad = fuzzing._measure("fragile", 20, 0)
    assert 0 < bad < 20 and "KeyError: 'labels'" in capsys.readouterr().out
