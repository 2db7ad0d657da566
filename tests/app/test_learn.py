"""The page Learn: terms, Algorithm 1, the tour's numbers and texts, its address, and the page without a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.components import packet
from app.learn import algorithm, cards, tour, tour_texts
from app.learn.lesson import CAPTIONS, Lesson, address_of, parse_address, parse_lesson
from app.learn.packets import first_view
from app.learn.step import PANELS, Step
from app.learn.texts import HIDEABLE
from app.learn.tour_numbers import numbers, sides
from app.learn.tour_phrases import smaller_side
from app.server import run_cache
from app.state import linked
from app.state.linked import Linked
from app.style import glossary
from bsd_engine import splits
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import CONFIG, fake_run

SCRIPT = """
from app.pages import learn, run
import streamlit as st
learn.render(st.Page(run.render, title="Run", url_path="run"))
"""
ROOT = Path(__file__).resolve().parents[2]
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(fake_run(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    """Nobody knows which of its samples are poisoned."""
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


# -- terms -----------------------------------------------------------------------------------------


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


# -- Algorithm 1 -----------------------------------------------------------------------------------


def test_the_lines_that_an_epoch_executes_are_those_of_its_stage() -> None:
    schedule = CONFIG.schedule
    at = lambda t: algorithm.executed(schedule, schedule.altruistic_epochs + t)  # noqa: E731
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


def test_every_line_is_executed_somewhere_and_every_executed_line_is_there() -> None:
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


# -- the tour --------------------------------------------------------------------------------------


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


def test_a_reversed_record_turns_the_answers_round() -> None:
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


def test_where_the_truth_is_unknown_nothing_is_claimed(blind: RunReader) -> None:
    for step in tour.steps(blind)[:7]:
        assert step.question.right is None, step.title
        assert not re.search(r"\d+ (of them )?poison|Measured.*poison", step.question.answer), step.title


def test_where_nothing_was_added_the_question_is_what_a_defence_distrusts(tmp_path: Path) -> None:
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


# -- the address -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lesson",
    [
        Lesson(),
        Lesson(step=7),
        Lesson(step=3, captions="researcher", slides=True),
        Lesson(hidden=tuple(HIDEABLE)),
        Lesson(hidden=("time", "cuts")),
    ],
)
def test_an_address_brings_the_lesson_back(lesson: Lesson) -> None:
    assert parse_address(address_of(lesson)) == (lesson, [])
    told = {"step": lesson.step, "captions": lesson.captions, "slides": lesson.slides, "hidden": list(lesson.hidden)}
    assert parse_lesson(told) == lesson


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"step": "9"}, "step 9"),
        ({"step": "0"}, "1 to 8"),
        ({"step": "-1"}, "step -1"),
        ({"step": "²"}, "step ²"),
        ({"step": "1e3"}, "step 1e3"),
        ({"step": "9" * 400}, "step 9"),
        ({"captions": "expert"}, "expert"),
        ({"slides": "yes"}, "slides=yes"),
        ({"hide": "cards,<b>"}, "<b>"),
    ],
)
def test_a_bad_address_gives_a_sentence_and_a_lesson(address: dict[str, str], words: str) -> None:
    lesson, (sentence,) = parse_address(address)
    assert words in sentence and sentence.endswith(".") and len(sentence) < 200
    assert lesson.step == 0 and lesson.captions in CAPTIONS and set(lesson.hidden) <= set(HIDEABLE)


@pytest.mark.parametrize(
    "told",
    [
        None,
        1,
        {},
        {"step": 9, "captions": "student", "hidden": []},
        {"step": True, "captions": "student", "hidden": []},
        {"step": 1, "captions": "x", "hidden": []},
        {"step": 1, "captions": "student", "hidden": "cards"},
    ],
)
def test_what_no_browser_of_ours_says_is_no_lesson(told: object) -> None:
    assert parse_lesson(told) is None


def test_a_step_is_the_beginning_only_where_nobody_said_what_to_look_at(run: RunReader) -> None:
    step = tour.steps(run)[1]
    begun = first_view(Linked(run="x"), step)
    assert begun.epoch == step.epoch and begun.selected == step.selected
    assert first_view(Linked(run="x", epoch=3), step) == Linked(run="x", epoch=3)


# -- the page --------------------------------------------------------------------------------------


def sent(page: AppTest) -> tuple[dict, dict[str, np.ndarray]]:
    """What the views got."""
    (found,) = page.main.get("bidi_component")
    return packet.unpack(found.proto.bytes)


@pytest.fixture
def own_runs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout without bundled recordings."""
    monkeypatch.setattr(cards.library, "names", lambda: ())


def test_without_a_recording_and_a_run_it_says_what_to_do(
    open_page: Callable[..., AppTest], own_runs_only: None
) -> None:
    assert "no run on this machine yet" in open_page().info[0].value


def test_the_first_packet_is_a_whole_picture(
    open_page: Callable[..., AppTest], root: Path, own_runs_only: None
) -> None:
    """Geometry, the step's epoch and its images come at once, without an answer of the engine, which takes seconds to load."""
    path = fake_run(root)
    page = open_page()
    header, arrays = sent(page)
    step = tour.steps(RunReader(path))[0]
    assert header["run"] == path.name and header["answer"] is None
    assert [e for e, _ in header["sent"]] == [step.epoch] and tuple(header["thumbs"]["ids"]) == step.selected
    assert len(header["learn"]["steps"]) == 8 and header["learn"]["lesson"]["step"] == 0
    assert [card["run"] for card in header["learn"]["cards"]] == [path.name]
    assert "labels" in arrays and page.query_params["epoch"] == str(step.epoch + 1)


def test_the_address_says_what_is_shown(open_page: Callable[..., AppTest], root: Path, own_runs_only: None) -> None:
    path = fake_run(root)
    fake_run(root)
    page = open_page(
        run=path.name,
        step="6",
        epoch="20",
        captions="researcher",
        hide="cards,time",
        slides="1",
        whatif="0.9_0.5_8_8_min",
        sel=linked.encode_ids([2, 4]),
    )
    header, _ = sent(page)
    assert (
        header["run"] == path.name
        and header["state"]["epoch"] == 19
        and header["settings"]["alpha"] == 0.9
        and header["state"]["selected"]
    )
    assert header["learn"]["lesson"] == {
        "step": 5,
        "captions": "researcher",
        "slides": True,
        "hidden": ["cards", "time"],
    }
    assert page.query_params["step"] == "6" and page.query_params["hide"] == "cards,time"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"run": "../../etc"}, "no run called"),
        ({"run": "recording-nonsense"}, "nonsense"),
        ({"step": "12"}, "step 12"),
        ({"epoch": "999"}, "epoch 999"),
        ({"epoch": "minus"}, "epoch minus"),
        ({"pin": "99999"}, "sample 99999"),
        ({"whatif": "2_x"}, "settings that cannot be read"),
        ({"sel": "gAAAA"}, "selection"),
        ({"captions": "<b>"}, "captions"),
    ],
)
def test_a_bad_address_is_said_in_a_sentence_on_a_page_that_works(
    open_page: Callable[..., AppTest], root: Path, own_runs_only: None, query: dict, words: str
) -> None:
    path = fake_run(root)
    page = open_page(**({"run": path.name} | query))
    assert any(words in toast.value.replace("\\", "") for toast in page.toast), [toast.value for toast in page.toast]
    header, _ = sent(page)
    assert header["run"] == path.name and header["sent"]


def test_a_folder_written_half_gives_way_to_another_run(
    open_page: Callable[..., AppTest], root: Path, own_runs_only: None
) -> None:
    broken, path = root / "20260101-000000-broken", fake_run(root)
    broken.mkdir()
    (broken / "config.json").write_text("{")
    page = open_page(run=broken.name)
    assert sent(page)[0]["run"] == path.name and "Another recording is shown" in page.toast[0].value.replace("\\", "")


def test_the_first_picture_does_not_wait_for_torch() -> None:
    code = "import sys, app.pages.learn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "False\n", done.stderr
