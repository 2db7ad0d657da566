"""Judgements last, can be taken back, and survive two tabs; a bound says no more than its draw allows."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine.audit.bounds import draw, needed_draws, sentence, upper_bound
from bsd_engine.audit.judgements import FILE, Judgement, Judgements
from bsd_engine.audit.sealed import scores
from bsd_engine.errors import ConfigError, StorageError
from tests.support.origins import signed


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder that counts as a run of one's own."""
    return signed(tmp_path / "own")


def choices(verdicts: Judgements) -> dict[int, str]:
    return {s: v.choice for s, v in verdicts.standing().items()}


def test_the_newest_word_stands_and_undo_brings_back_the_one_before(own: Path) -> None:
    said = Judgements(own, 10)
    assert said.standing() == {} and said.version == 0 and said.undo() == ()
    assert said.give([3, 1, 3], "remove", "a checkerboard", who="ann") == 2
    said.give([1], "keep", "looked again", who="bob")
    assert choices(said) == {1: "keep", 3: "remove"}
    assert (
        said.standing()[1].note == "looked again"
        and said.standing()[1].who == "bob"
        and said.standing()[3].who == "ann"
    )
    assert said.undo() == (1,)
    assert choices(said) == {1: "remove", 3: "remove"} and said.standing()[1].note == "a checkerboard"
    said.give([3], None)
    assert choices(said) == {1: "remove"}
    assert said.undo() == (3,) and choices(said) == {1: "remove", 3: "remove"}
    assert said.undo() == (1, 3) and choices(said) == {} and said.undo() == ()


def test_a_file_that_a_first_writer_has_only_opened_holds_no_verdict(own: Path) -> None:
    said = Judgements(own, 10)
    with contextlib.closing(sqlite3.connect(said.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert said.path.exists() and said.standing() == {} and said.version == 0
    assert said.undo() == () and said.give([3], "keep") == 1


def test_an_undone_action_can_be_followed_by_others(own: Path) -> None:
    said = Judgements(own, 10)
    said.give([0], "keep")
    said.undo()
    said.give([0], "unsure")
    assert choices(said) == {0: "unsure"} and said.undo() == (0,) and choices(said) == {}


@settings(max_examples=15, deadline=None)  # every action waits for the disk
@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 4), st.sampled_from(["keep", "remove", "unsure", None]))),
        max_size=12,
    )
)
def test_any_row_of_verdicts_and_undos_is_what_a_stack_would_hold(
    tmp_path_factory: pytest.TempPathFactory, actions: list
) -> None:
    said, stack = Judgements(signed(tmp_path_factory.mktemp("v")), 5), [{}]
    for action in actions:
        if action is None:
            said.undo()
            stack = stack[:-1] or [{}]
        else:
            sample, choice = action
            said.give([sample], choice)
            stack.append({k: v for k, v in (stack[-1] | {sample: choice}).items() if v})
    assert choices(said) == stack[-1]


def test_two_tabs_that_judge_at_once_lose_nothing(own: Path) -> None:
    tabs = [Judgements(own, 400) for _ in range(4)]

    def judge(which: int) -> None:
        for i in range(20):
            tabs[which].give([100 * which + i, 399], "remove", who=str(which))

    threads = [threading.Thread(target=judge, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tabs[0].standing()) == 81
    with sqlite3.connect(own / FILE) as db:
        assert db.execute("SELECT count(*), count(DISTINCT action) FROM change").fetchone() == (160, 80)
    db.close()


@pytest.mark.parametrize(
    ("samples", "choice", "note", "said"),
    [
        ([10], "keep", "", "run has 0 to 9"),
        ([-1], "keep", "", "run has 0 to 9"),
        ([1], "delete", "", "expected one of keep, remove, unsure"),
        ([1], "keep", "x" * 2001, "at most 2,000"),
    ],
)
def test_a_verdict_that_cannot_be_is_one_sentence_and_leaves_nothing(
    own: Path, samples: list, choice: str, note: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Judgements(own, 10).give(samples, choice, note)
    assert not (own / FILE).exists()


def test_a_note_may_hold_anything(own: Path) -> None:
    note = "'); DROP TABLE change; -- <script>alert(1)</script> 日本"
    Judgements(own, 10).give([1], "keep", note)
    assert Judgements(own, 10).standing()[1].note == note


def test_a_broken_database_is_one_sentence(own: Path) -> None:
    (own / FILE).write_bytes(b"no database at all, but long enough to look like one" * 40)
    for use in (lambda v: v.standing(), lambda v: v.give([1], "keep"), lambda v: v.undo()):
        with pytest.raises(StorageError, match="move the file away to start anew"):
            use(Judgements(own, 10))


# -- bounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "judged", "percent"),
    [(0, 100, 2.95), (0, 300, 0.99), (1, 200, 2.35), (0, 59, 4.95), (5, 100, 10.23), (0, 1, 95.0)],
)
def test_the_bound_has_its_known_values(bad: int, judged: int, percent: float) -> None:
    assert 100 * upper_bound(bad, judged) == pytest.approx(percent, abs=0.005)


@given(st.integers(0, 40), st.integers(1, 400), st.floats(0.5, 0.999))
def test_the_bound_solves_its_equation(bad: int, more: int, confidence: float) -> None:
    n = bad + more
    p = upper_bound(bad, n, confidence)
    assert bad / n < p < 1
    tail = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(bad + 1))
    assert tail == pytest.approx(1 - confidence, rel=1e-6)


def test_the_bound_of_ends_and_nonsense() -> None:
    assert upper_bound(0, 0) == 1.0 and upper_bound(7, 7) == 1.0
    for bad, judged, confidence in ((-1, 5, 0.95), (6, 5, 0.95), (0, 5, 1.0), (0, 5, 0.0)):
        with pytest.raises(ConfigError):
            upper_bound(bad, judged, confidence)
    assert needed_draws(0.01) == 299 and upper_bound(0, 299) <= 0.01 < upper_bound(0, 298)
    assert "at most 2.95 % of the set are bad, with 95 % confidence" in sentence(0, 100)
    assert "pass unseen" in sentence(0, 100) and "Nothing is judged" in sentence(0, 0)


def test_a_draw_is_random_whole_and_nested() -> None:
    candidates = np.zeros(1000, bool)
    candidates[::3] = True
    drawn = draw(candidates, 50, seed=4)
    assert len(set(drawn)) == 50 and candidates[drawn].all() and not (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn[:20], draw(candidates, 20, seed=4))
    assert len(draw(candidates, 10**6, seed=4)) == 334 and (draw(candidates, 50, seed=5) != drawn).any()


# -- sealed mode -----------------------------------------------------------------------------------


def verdict(sample: int, choice: str) -> Judgement:
    return Judgement(sample=sample, choice=choice, note="", who="x", time=0.0)


def test_a_reader_and_bsd_are_scored_on_the_same_samples() -> None:
    truth, pool = np.array([1, 1, 0, 0, 1], bool), np.array([0, 1, 1, 0, 1], bool)
    given_ = {i: verdict(i, c) for i, c in enumerate(["remove", "remove", "keep", "remove", "unsure"])}
    mine, its = scores(given_, pool, truth)
    assert (mine.found, mine.missed, mine.accused, mine.cleared, mine.right, mine.total) == (2, 0, 1, 1, 3, 4)
    assert (its.found, its.missed, its.accused, its.cleared, its.total) == (1, 1, 1, 1, 4)


def test_the_truth_stays_closed_without_a_verdict() -> None:
    with pytest.raises(ConfigError, match="give a verdict of your own first"):
        scores({0: verdict(0, "unsure")}, np.ones(2, bool), np.ones(2, bool))
