"""The page Learn: the terms of the glossary, and Algorithm 1 beside a run."""

from __future__ import annotations

import re

import pytest

from app.learn import algorithm
from app.server import run_cache
from app.style import glossary
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run

T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(fake_run(tmp_path_factory.mktemp("runs")))


def test_every_term_has_plain_words_that_do_not_need_the_symbol() -> None:
    for key, term in glossary.TERMS.items():
        assert len(term.plain.split()) >= 4 and term.plain.endswith("."), key
        assert not re.search(r"\b[a-zA-Z]_[a-zA-Z]+\b|[α-ω]", term.plain), key
        assert not term.equation or re.match(r"Eq\. \d|Section \d|Algorithm 1", term.equation), key


def test_a_text_with_terms_reads_as_words_and_as_html() -> None:
    text = "the cut at [[alpha]] of [[D_c|the pool]] & <more>"
    assert glossary.plain(text) == "the cut at α of the pool & <more>"
    shown = glossary.markup(text)
    assert (
        shown.startswith('the cut at <abbr title="alpha (α): The share')
        and ">the pool</abbr> &amp; &lt;more&gt;" in shown
    )
    assert (
        glossary.unknown("[[alpha]] [[nonsense]]") == {"nonsense"} and glossary.plain("[[nonsense|words]]") == "words"
    )
    assert glossary.title("alpha").endswith("(Eq. 7, 11)") and "trigger: The small" in glossary.title("trigger")


def test_a_name_from_outside_cannot_become_a_term() -> None:
    assert glossary.safe("x]] [[alpha|y\n z") == "x alphay z" and len(glossary.safe("a" * 500)) == 60


def test_the_lines_that_an_epoch_executes_are_those_of_its_stage() -> None:
    schedule = CONFIG.schedule

    def at(t: int) -> tuple[int, ...]:
        return algorithm.executed(schedule, schedule.altruistic_epochs + t)

    assert algorithm.executed(schedule, 0) == (2, 3, 5, 7, 8)
    assert at(-1) == (5, 7, 8, 12, 13)
    assert at(0) == (15, 16, 18, 36, 38, 39, 40)
    assert at(schedule.t1) == (15, 19, 21, 36, 38, 39, 40)
    assert at(schedule.t1 + 1) == (15, 36, 38, 39, 40), "the first pools stay"
    assert at(schedule.t1 + schedule.init_epochs) == (15, 22, 25, 28, 36, 38, 39, 40)
    assert at(schedule.t2) == (15, 29, 31, 34, 36, 38), "the altruistic model rests"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"init_combine": "union"}, "or OSS keeps it"),
        ({"init_combine": "random"}, "drawn at random"),
        ({"completion": "off"}, "without class completion"),
        ({"selective_drop": False}, "drops nothing"),
        ({"assume_target": 5, "target_estimator": "given"}, "given: class 5"),
    ],
)
def test_the_lines_say_what_the_runs_own_settings_do(settings: dict, words: str) -> None:
    shown = [glossary.plain(f"{line.text} {line.note}") for line in algorithm.lines(CONFIG.with_settings(**settings))]
    assert any(words in text for text in shown), shown
    assert not any(
        glossary.unknown(line.text + line.note) for line in algorithm.lines(CONFIG.with_settings(**settings))
    )


def test_every_line_is_executed_somewhere_and_every_executed_line_exists() -> None:
    numbers_ = {line.number for line in algorithm.lines(CONFIG)}
    assert numbers_ == {
        n for epoch in range(CONFIG.schedule.total_epochs) for n in algorithm.executed(CONFIG.schedule, epoch)
    }


def test_the_variables_are_those_of_the_record(run: RunReader) -> None:
    rows = run_cache.rows(run.path)
    first, grown = dict(algorithm.variables(run, rows[T1_EPOCH])), dict(algorithm.variables(run, rows[-1]))
    pool = int(run.epoch(T1_EPOCH).clean_mask.sum())
    assert (
        first["D_c"] == f"{pool:,}"
        and first["D_p"] == f"{run.num_samples - pool:,}"
        and first["T"] == str(CONFIG.schedule.t1)
    )
    assert first["y_t"] == "dress" and first["D_t"] == f"{(run.labels == 3).sum():,}"
    assert grown["alpha_T"] == f"{CONFIG.split.alpha:.3f}"
    assert set(dict(algorithm.variables(run, rows[0]))) == {"T", "D", "y_t", "D_t"}
    assert all(term in glossary.TERMS for row in rows for term, _ in algorithm.variables(run, row))
