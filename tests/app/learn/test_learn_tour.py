"""The tour of the page Learn: its numbers come from the record, and its texts claim nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.learn import algorithm, tour, tour_texts
from app.learn.step import PANELS, Step
from app.learn.tour_numbers import numbers, sides
from app.learn.tour_phrases import smaller_side
from app.server import run_cache
from app.style import glossary
from bsd_engine import splits
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run

T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(fake_run(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    """A run without ground truth."""
    return RunReader(fake_run(tmp_path_factory.mktemp("runs"), truth=False))


def texts(step: Step) -> Iterator[str]:
    yield from (
        step.title,
        step.student,
        step.researcher,
        step.question.text,
        *step.question.choices,
        step.question.answer,
        step.attempt.text,
        step.attempt.label,
    )


def test_eight_steps_of_two_or_three_sentences_with_one_question_and_one_thing_to_try(run: RunReader) -> None:
    found = tour.steps(run)
    assert [step.title for step in found] == list(tour_texts.TITLES) and len(found) == 8
    for step in found:
        assert 1 <= len(re.findall(r"[.:?](?= |$)", step.student)) <= 5 and 0 < len(step.student.split()) < 70, (
            step.title
        )
        assert step.question.text.endswith("?") and 3 <= len(step.question.choices) <= 4 and step.attempt.text
        assert step.question.right is None or 0 <= step.question.right < len(step.question.choices)
        assert step.focus in PANELS and set(step.also) <= set(PANELS) - {step.focus} and len(step.also) <= 2
        assert not any(glossary.unknown(text) for text in texts(step)) and "None" not in " ".join(texts(step))


def test_the_numbers_are_counted_on_the_record(run: RunReader) -> None:
    n, truth, state = numbers(run), run.truth.is_poison, run.epoch(T1_EPOCH)
    als, oss = (
        splits.als_clean_mask(state.altruistic_loss, CONFIG.split.alpha),
        splits.oss_clean_mask(state.oss_score, run.labels, 3, CONFIG.split.beta),
    )
    assert (n.als.size, n.als.poison) == (als.sum(), (als & truth).sum()) and (n.oss.size, n.oss.poison) == (
        oss.sum(),
        (oss & truth).sum(),
    )
    assert (n.first.size, n.first.poison) == (state.clean_mask.sum(), (state.clean_mask & truth).sum())
    assert n.poison == truth.sum() and n.attacked == n.suspected == 3
    assert truth[n.poisoned].all() and len(set(run.truth.original_labels[n.poisoned])) >= 8
    assert (run.labels[n.labelled] == 3).all() and 0 < truth[n.labelled].sum() < len(n.labelled)
    last = run.epoch(len(run.epochs) - 1).metrics
    assert n.final == (last["clean_accuracy"], last["attack_success_rate"])


def test_the_answers_carry_those_numbers(run: RunReader) -> None:
    n, found = numbers(run), tour.steps(run)
    assert f"{run.truth.is_poison[n.labelled].sum()} of these 24" in found[1].question.answer
    assert f"{n.first.size:,} samples, {n.first.poison} of them poison" in found[5].question.answer
    assert f"{n.final[1]:.1f} %" in found[7].question.answer
    assert found[3].question.right == 0 and n.loss.smaller > 0.6, "the made-up poison is learned first"
    assert found[7].question.right == 0


def test_a_reversed_record_reverses_the_answers() -> None:
    rng = np.random.default_rng(0)
    poison = rng.random(500) < 0.2
    low, high = sides(np.where(poison, 0.1, 1.0), poison), sides(np.where(poison, 1.0, 0.1), poison)
    same = sides(np.ones(500), poison)
    assert [smaller_side(s) for s in (low, same, high, None)] == [0, 1, 2, None]
    assert low.smaller == 1 and high.smaller == 0 and same.smaller == 0.5
    assert (
        sides(np.ones(5), np.zeros(5, bool)) is None and sides(np.array([1, np.inf]), np.array([True, False])) is None
    )


def test_a_share_of_pairs_is_the_slow_reference() -> None:
    rng = np.random.default_rng(1)
    scores, poison = rng.integers(0, 8, 90).astype(np.float32), rng.random(90) < 0.3
    slow = np.mean([(b < g) + (b == g) / 2 for b in scores[poison] for g in scores[~poison]])
    assert sides(scores, poison).smaller == pytest.approx(slow)


def test_without_ground_truth_nothing_is_claimed(blind: RunReader) -> None:
    for step in tour.steps(blind)[:7]:
        assert step.question.right is None, step.title
        assert not re.search(r"\d+ (of them )?poison|Measured.*poison", step.question.answer), step.title


def test_without_an_attack_the_question_is_which_samples_a_defence_distrusts(tmp_path: Path) -> None:
    clean = RunReader(fake_run(tmp_path, truth=False, config=CONFIG.with_settings(attack="none")))
    question, out = tour.steps(clean)[0].question, int((~clean.epoch(37).clean_mask).sum())
    assert f"{out:,} of {clean.num_samples:,} images" in question.answer and question.right == 2
    assert all(tour_texts.NO_TRUTH not in step.question.answer for step in tour.steps(clean))


@pytest.mark.parametrize("epochs", [1, 5, 9, T1_EPOCH, T1_EPOCH + 1, 25, 33])
def test_a_run_that_is_not_over_has_a_tour_too(tmp_path: Path, epochs: int) -> None:
    short = RunReader(fake_run(tmp_path, epochs=epochs, status="stopped"))
    assert all(0 <= step.epoch < epochs and "None" not in " ".join(texts(step)) for step in tour.steps(short))
    assert len(algorithm.to_dict(short, run_cache.rows(short.path))["executed"]) == epochs


def test_a_run_of_the_engine_measures_the_plainly_trained_model(recorded_run: Path) -> None:
    reader = RunReader(recorded_run)
    n = numbers(reader)
    assert n.plain[0] is not None and n.plain[1] is not None and n.near_own is not None
    assert f"{n.plain[1]:.1f} %" in tour.steps(reader)[0].question.answer
