"""Figures over the epochs of a run, the vote for the target, and the stage strip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.figures.accuracy import accuracy_curves
from app.figures.pool import poison_in_pool
from app.figures.stages import stage_spans, stage_strip
from app.figures.votes import vote_bars
from app.style.theme import DARK, LIGHT
from tests.support.page.figure_states import CONFIG, FACTS, TARGET, numbers, state, texts


def test_pool_bars_and_running_total():
    figure = poison_in_pool(numbers(), FACTS, LIGHT, truth_shown=True, current_epoch=37)
    bars, line = figure.data
    assert bars.x[0] == 9 and bars.y[-1] == 29 and line.y[-1] == 435 and line.yaxis == "y2"
    bands = [(s.x0, s.x1) for s in figure.layout.shapes if s.type == "rect"]
    assert bands == [(8.5, 16.5), (20.5, 32.5)]


def test_pool_size_stands_in_where_the_truth_is_unknown():
    for metrics, shown in ((numbers(), False), (numbers(known=False), True)):
        figure = poison_in_pool(metrics, FACTS, LIGHT, truth_shown=shown)
        assert len(figure.data) == 1 and figure.data[0].y[-1] == 3700
    assert "counting poison needs the ground truth" in texts(poison_in_pool(numbers(), FACTS, LIGHT, truth_shown=False))
    assert "first clean pool comes with epoch 9" in texts(poison_in_pool({}, FACTS, LIGHT, truth_shown=True))


def test_accuracy_says_which_way_is_good():
    figure = accuracy_curves(numbers(), FACTS, LIGHT, truth_shown=True)
    words = texts(figure)
    assert "attack success <b>1.5 %</b> (lower is better)" in words and "clean accuracy <b>78.5 %</b>" in words
    assert tuple(figure.layout.xaxis.range) == (0.5, 38.5)
    sealed = accuracy_curves(numbers(), FACTS, LIGHT, truth_shown=False)
    assert "attack success needs the ground truth" in texts(sealed) and len(sealed.data) == 1
    assert accuracy_curves({}, FACTS, LIGHT, truth_shown=True).layout.uirevision == "waiting"


@pytest.mark.parametrize(
    ("accuracy", "success", "lifts"), [(90.0, 1.0, [3, 3]), (50.0, 51.0, [3, 20]), (96.0, 100.0, [3, 20])]
)
def test_line_end_labels_keep_apart(accuracy, success, lifts):
    ends = {30: {"clean_accuracy": accuracy, "attack_success_rate": success}}
    figure = accuracy_curves(ends, FACTS, LIGHT, truth_shown=True)
    assert sorted(a.yshift for a in figure.layout.annotations if "<b>" in a.text) == lifts
    assert figure.layout.yaxis.range[1] > 120, "room above 100"


def test_votes():
    figure = vote_bars(state("altruistic_warmup"), FACTS, LIGHT)
    assert figure.layout.yaxis.ticktext[TARGET] == "<b>owl</b>" and "suspected: <b>owl</b>" in texts(figure)
    scores = np.linspace(0, 1, 43, dtype=np.float32)
    many = replace(FACTS, class_names=tuple(str(i) for i in range(43)))
    figure = vote_bars(state("altruistic_warmup", vote_scores=scores, pseudo_target=42), many, LIGHT)
    assert figure.layout.yaxis.ticktext == (*(str(i) for i in range(31, 42)), "<b>42</b>")
    assert "12 highest of 43 classes" in texts(figure)


@pytest.mark.parametrize(
    ("epoch", "progress", "width", "stage"),
    [
        (0, 0.0, "0.00%", "altruistic warm-up"),
        (19, 0.0, "50.00%", "initial pools"),
        (37, 1.0, "100.00%", "selective drop"),
        (99, 9.0, "100.00%", "selective drop"),
    ],
)
def test_stage_strip(epoch, progress, width, stage):
    strip = stage_strip(CONFIG.schedule, epoch, DARK, progress=progress)
    assert f"width:{width}" in strip and f'aria-label="Stages: {stage}' in strip
    assert [strip.count(f"flex:{n} 1 0") for n in (8, 4, 12, 6)] == [2, 1, 1, 1]


def test_a_stage_without_epochs_is_left_out():
    schedule = replace(CONFIG.schedule, t2=12, t3=20)
    assert [stage for stage, _, _ in stage_spans(schedule)] == [
        "altruistic_warmup",
        "oss_warmup",
        "initial_pools",
        "selective_drop",
    ]
    assert "no epoch yet" in stage_strip(schedule, None, LIGHT)
