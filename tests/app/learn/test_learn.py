"""The page Learn: its address, and the page without a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.components import packet
from app.learn import cards, tour
from app.learn.lesson import CAPTIONS, Lesson, address_of, parse_address, parse_lesson
from app.learn.packets import first_view
from app.learn.texts import HIDEABLE
from app.state import linked
from app.state.linked import Linked
from bsd_engine.runs.reader import RunReader
from tests.support.fake_run import fake_run

SCRIPT = """
from app.pages import learn, run
import streamlit as st
learn.render(st.Page(run.render, title="Run", url_path="run"))
"""
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    return RunReader(fake_run(tmp_path_factory.mktemp("runs")))


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
def test_a_malformed_message_is_no_lesson(told: object) -> None:
    assert parse_lesson(told) is None


def test_a_step_sets_the_view_only_if_the_address_does_not(run: RunReader) -> None:
    step = tour.steps(run)[1]
    begun = first_view(Linked(run="x"), step)
    assert begun.epoch == step.epoch and begun.selected == step.selected
    assert first_view(Linked(run="x", epoch=3), step) == Linked(run="x", epoch=3)


def sent(page: AppTest) -> tuple[dict, dict[str, np.ndarray]]:
    """The data sent to the views."""
    (found,) = page.main.get("bidi_component")
    return packet.unpack(found.proto.bytes)


@pytest.fixture
def own_runs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state as in a checkout without bundled recordings."""
    monkeypatch.setattr(cards.library, "names", lambda: ())


def test_without_a_recording_or_a_run_it_says_what_to_do(
    open_page: Callable[..., AppTest], own_runs_only: None
) -> None:
    assert "no run on this machine yet" in open_page().info[0].value


def test_the_first_packet_is_a_whole_picture(
    open_page: Callable[..., AppTest], root: Path, own_runs_only: None
) -> None:
    """Geometry, the step's epoch and its images come at once, without waiting for the engine's answer seconds later."""
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
def test_a_bad_address_gives_a_sentence_and_a_working_page(
    open_page: Callable[..., AppTest], root: Path, own_runs_only: None, query: dict, words: str
) -> None:
    path = fake_run(root)
    page = open_page(**({"run": path.name} | query))
    assert any(words in toast.value.replace("\\", "") for toast in page.toast), [toast.value for toast in page.toast]
    header, _ = sent(page)
    assert header["run"] == path.name and header["sent"]


def test_a_half_written_folder_is_replaced_by_another_run(
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
