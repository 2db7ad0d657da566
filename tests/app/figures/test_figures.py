"""Every figure from literal states: waiting states, hidden ground truth, safe names, and contrast."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import app.figures
from app.figures.feature_map import feature_map
from app.figures.histograms import oss_distance_histogram
from app.figures.stages import stage_strip
from app.style.theme import DARK, LIGHT, STAGE_NAMES, palette_for, plain
from bsd_engine.config.method_settings import STAGES
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import Truth
from tests.support.page.figure_states import (
    CONFIG,
    EPOCHS,
    FACTS,
    OTHER_TRUTH,
    TRUTH,
    XY,
    C,
    all_figures,
    numbers,
    state,
    texts,
)


def test_the_literal_epochs_are_in_their_stages():
    assert {stage: CONFIG.schedule.stage(epoch) for stage, epoch in EPOCHS.items()} == {
        stage: stage for stage in STAGES
    }
    assert set(STAGE_NAMES) == set(STAGES)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("truth", [TRUTH, None], ids=["known", "unknown"])
@pytest.mark.parametrize("stage", STAGES)
def test_every_figure_at_every_stage(stage, truth, palette):
    for name, figure in all_figures(state(stage), truth, palette).items():
        layout = figure.layout
        assert layout.uirevision and layout.selectionrevision == layout.uirevision, name
        assert layout.meta["summary"].strip(), name
        assert f"epoch {EPOCHS[stage] + 1} of 38" in texts(figure), name
        assert layout.template.layout.font.color == palette.text, "streamlit's default template cannot be resolved here"
        if layout.uirevision != "waiting":
            axes = [
                v
                for k, v in layout.to_plotly_json().items()
                if k.startswith(("xaxis", "yaxis")) and k not in ("yaxis2",)
            ]
            assert all(axis["title"]["text"] for axis in axes) and len(axes) == 2, name
        json.loads(figure.to_json())


def test_a_figure_without_data_yet_says_so_in_its_place():
    waiting = {
        stage: {n for n, f in all_figures(state(stage), TRUTH).items() if f.layout.uirevision == "waiting"}
        for stage in STAGES
    }
    assert waiting == {
        "altruistic_warmup": {"oss", "discrepancy"},
        "oss_warmup": {"vote"},
        "initial_pools": {"vote"},
        "class_completion": {"oss", "vote"},
        "selective_drop": {"oss", "vote"},
    }
    assert "from epoch 9" in texts(oss_distance_histogram(state("altruistic_warmup"), FACTS, None, LIGHT))


@pytest.mark.parametrize("stage", STAGES)
def test_figures_without_the_ground_truth_do_not_depend_on_it(stage):
    """The figures get no ground truth. The metrics in the folder hold poison counts, which must not show either."""
    poisoned = state(stage, metrics={"poison_in_clean_pool": 7, "attack_success_rate": 99.0})
    a = all_figures(poisoned, None, metrics=numbers())
    b = all_figures(
        state(stage),
        None,
        metrics={
            e: {**m, "poison_in_clean_pool": 3, "poison_in_clean_pool_cumulative": 9, "attack_success_rate": 4.0}
            for e, m in numbers().items()
        },
    )
    for name in a:
        assert a[name].to_json() == b[name].to_json(), name
        assert LIGHT.poison.lower() not in a[name].to_json().lower(), name
        assert LIGHT.clean.lower() not in a[name].to_json().lower() or name == "accuracy", name
    known = [f.to_json() for f in all_figures(state(stage), TRUTH).values()]
    other = [f.to_json() for f in all_figures(state(stage), OTHER_TRUTH).values()]
    assert known != other, "the check above means something"


def test_names_are_shown_as_text():
    evil = "<b onclick='x'>%{y}\n&amp;</b>" + "x" * 50
    facts = replace(FACTS, class_names=(evil,) * C)
    for stage in STAGES:
        for name, figure in all_figures(state(stage), TRUTH, facts=facts).items():
            shown = texts(figure).replace(figure.layout.meta["summary"], "") + " ".join(
                figure.layout.yaxis.ticktext or ()
            )
            assert "<b onclick" not in shown, name
            for trace in figure.data:
                assert "onclick" not in (trace.hovertemplate or ""), name
                assert trace.type != "scattergl" or trace.text is None or not any("<b on" in t for t in trace.text), (
                    name
                )
    assert plain(evil).startswith("&lt;b onclick='x'&gt;%{y} &amp;") and "\n" not in plain(evil)
    assert "<i>" not in stage_strip(CONFIG.schedule, 3, LIGHT)


def test_arrays_travel_as_base64():
    for figure in all_figures(state("oss_warmup"), TRUTH).values():
        for trace in json.loads(figure.to_json())["data"]:
            for axis in ("x", "y", "customdata"):
                assert axis not in trace or set(trace[axis]) >= {"dtype", "bdata"}, (trace["type"], axis)
    figure = json.loads(feature_map(XY, state(), FACTS, None, LIGHT, kind="PCA").to_json())
    x = figure["data"][0]["x"]
    assert x["dtype"] == "f4" and np.array_equal(np.frombuffer(base64.b64decode(x["bdata"]), np.float32), XY[:, 0])


def test_one_class_and_one_sample():
    one = replace(FACTS, labels=np.zeros(1, np.int64), landmark_idx=np.zeros(1, np.int64), class_names=("only",))
    for target in (0, None, 3):
        s = EpochState(
            epoch=16,
            stage="initial_pools",
            main_epoch=8,
            clean_ratio=0.6,
            altruistic_loss=np.ones(1, np.float32),
            pseudo_target=target,
            altruistic_prediction=np.zeros(1, np.int16),
            main_loss=np.zeros(1, np.float32),
            clean_mask=np.zeros(1, bool),
            oss_score=np.full(1, np.nan, np.float32),
        )
        for truth in (None, Truth(is_poison=np.ones(1, bool), original_labels=np.zeros(1, np.int64))):
            all_figures(s, truth, facts=one)
            feature_map(np.zeros((1, 2), np.float32), s, one, truth, LIGHT, kind="PCA")


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float(
        np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    )


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette):
    def against_surface(colour: str) -> float:
        a, b = sorted([luminance(colour), luminance(palette.surface)])
        return (b + 0.05) / (a + 0.05)

    assert min(against_surface(c) for c in (palette.clean, palette.poison, palette.unknown, palette.ring)) >= 3
    assert min(against_surface(c) for c in (palette.text, palette.muted)) >= 4.5
    assert palette_for(palette.name) is palette


def test_figures_do_not_need_streamlit():
    modules = Path(app.figures.__file__).parent.glob("*.py")
    imports = [
        line for module in modules for line in module.read_text().splitlines() if line.startswith(("import ", "from "))
    ]
    assert imports and not [line for line in imports if "streamlit" in line]
