"""Figures from literal states: what they show, where they cut, and what they must not know."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import figures
from app.figures import Facts
from app.style.theme import DARK, LIGHT, STAGE_NAMES, Palette, palette_for, plain, share
from bsd_engine.config.method_settings import STAGES, Stage
from bsd_engine.config.presets import demo
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import Truth
from bsd_engine.splits import als_clean_mask, clean_ratio, exact_count

N, C, TARGET = 60, 4, 2
EPOCHS: dict[Stage, int] = {  # the first epoch of each stage
    "altruistic_warmup": 0,
    "oss_warmup": 8,
    "initial_pools": 16,
    "class_completion": 20,
    "selective_drop": 32,
}
LABELS = np.arange(N) % C
POISON = (LABELS == TARGET) & (np.arange(N) % 5 == 0)
TRUTH = Truth(is_poison=POISON, original_labels=np.where(POISON, 0, LABELS))
OTHER_TRUTH = Truth(is_poison=~POISON, original_labels=LABELS)
CONFIG: BSDConfig = demo().with_settings(
    alpha=0.6, altruistic_epochs=8, t1=8, init_epochs=4, t2=24, t3=30, completion="fewest"
)
FACTS = Facts(config=CONFIG, labels=LABELS, class_names=("cat", "dog", "owl", "yak"), landmark_idx=np.arange(0, N, 2))
XY = np.stack([np.cos(np.arange(30)), np.sin(np.arange(30))], 1).astype(np.float32)


def state(stage: Stage = "class_completion", epoch: int | None = None, **values) -> EpochState:
    """Epoch of 60 samples whose losses are spread evenly, so that cuts can be counted by hand."""
    epoch = EPOCHS[stage] if epoch is None else epoch
    t = CONFIG.schedule.main_epoch(epoch)
    loss = np.linspace(0.01, 6, N).astype(np.float32)
    fields = {
        "epoch": epoch,
        "stage": stage,
        "main_epoch": t,
        "clean_ratio": None,
        "altruistic_loss": loss,
        "altruistic_prediction": LABELS.astype(np.int16),
        "pseudo_target": TARGET,
    }
    if t < 0:
        fields |= {"vote_counts": np.array([1, 2, 50, 7]), "vote_scores": np.array([0.01, 0.02, 0.5, 0.07], np.float32)}
    else:
        fields |= {
            "main_loss": loss[::-1].copy(),
            "main_prediction": LABELS.astype(np.int16),
            "clean_mask": np.arange(N) % 3 == 0,
        }
    if 0 <= t <= CONFIG.schedule.t1:
        fields |= {"oss_score": np.linspace(1, 4, N).astype(np.float32)}
    if stage in ("initial_pools", "class_completion", "selective_drop"):
        fields |= {
            "clean_ratio": 0.6
            if stage == "initial_pools"
            else clean_ratio(t, alpha=0.6, beta=0.2, t1=8, init_epochs=4, t2=24)
        }
    return EpochState(**{**fields, **values})


def numbers(known: bool = True, epochs: range = range(38)) -> figures.Metrics:
    """Metrics of some epochs; the pool grows and holds a poison sample more each epoch."""
    return {
        e: {
            "clean_accuracy": None if e < 8 else 60.0 + e / 2,
            "attack_success_rate": None if e < 8 or not known else 1.5,
            "clean_pool_size": None if e < 8 else 100 * e,
            "poison_in_clean_pool": None if e < 8 or not known else e - 8,
            "poison_in_clean_pool_cumulative": None if e < 8 or not known else (e - 8) * (e - 7) // 2,
        }
        for e in epochs
    }


def all_figures(
    s: EpochState,
    truth: Truth | None,
    palette: Palette = LIGHT,
    facts: Facts = FACTS,
    metrics: figures.Metrics | None = None,
):
    """Every figure of one state."""
    metrics = numbers() if metrics is None else metrics
    shown = truth is not None
    return {
        "loss": figures.altruistic_loss_histogram(s, facts, truth, palette),
        "oss": figures.oss_distance_histogram(s, facts, truth, palette),
        "map": figures.feature_map(XY, s, facts, truth, palette, kind="PCA"),
        "discrepancy": figures.discrepancy_scatter(s, facts, truth, palette),
        "pool": figures.poison_in_pool(metrics, facts, palette, truth_shown=shown, current_epoch=s.epoch),
        "accuracy": figures.accuracy_curves(metrics, facts, palette, truth_shown=shown, current_epoch=s.epoch),
        "vote": figures.vote_bars(s, facts, palette),
    }


def texts(figure) -> str:
    """All words on a figure."""
    layout = figure.layout
    return " ".join(
        [
            layout.title.text or "",
            *(a.text for a in layout.annotations),
            *(t.name or "" for t in figure.data),
            layout.meta["summary"],
        ]
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


def test_what_is_not_there_yet_says_so_in_place():
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
    assert "from epoch 9" in texts(figures.oss_distance_histogram(state("altruistic_warmup"), FACTS, None, LIGHT))


@pytest.mark.parametrize("stage", STAGES)
def test_without_the_truth_nothing_depends_on_it(stage):
    """The figures get no truth; the metrics of the folder hold poison counts, and those must not show either."""
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


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.29, 0.6, 1.0])
def test_the_loss_cut_is_the_kth_loss(alpha):
    s = state()
    figure = figures.altruistic_loss_histogram(s, FACTS, TRUTH, LIGHT, alpha=alpha)
    line = next(shape for shape in figure.layout.shapes if shape.type == "line")
    k = {0.0: 0, 0.05: 3, 0.29: 17, 0.6: 36, 1.0: 60}[alpha]
    kept = np.sort(s.altruistic_loss)[::-1][:k]
    assert line.x0 == (pytest.approx(kept[-1]) if k else pytest.approx(20))
    assert als_clean_mask(np.array(s.altruistic_loss), alpha).sum() == k
    assert (f"keeps {k} of {N}" in texts(figure)) and (
        f"alpha {share(alpha)}: keeps {'right of' if k else 'none'}" in texts(figure)
    )


def test_the_loss_label_reads_as_asked():
    loss = np.concatenate([np.full(24, 0.1), np.full(36, 0.53)]).astype(np.float32)
    assert "alpha 0.60: keeps right of 0.53" in texts(
        figures.altruistic_loss_histogram(state(altruistic_loss=loss), FACTS, None, LIGHT)
    )


def test_the_distance_cut_is_the_kth_distance_of_the_suspected_class():
    s = state("initial_pools")
    figure = figures.oss_distance_histogram(s, FACTS, TRUTH, LIGHT, beta=0.2)
    line = next(shape for shape in figure.layout.shapes if shape.type == "line")
    assert line.x0 == pytest.approx(np.sort(s.oss_score[LABELS == TARGET])[::-1][2])  # 0.2 of 15
    assert "keeps 3 of 15" in texts(figure)


def test_distances_are_provisional_before_t1():
    note = "provisional: decided at T1 = 8"
    assert note in texts(figures.oss_distance_histogram(state("oss_warmup"), FACTS, None, LIGHT))
    assert note not in texts(figures.oss_distance_histogram(state("initial_pools"), FACTS, None, LIGHT))


def test_histograms_count_every_sample_and_keep_their_bins():
    loss = np.full(N, 3e-6, np.float32)
    loss[0], loss[1] = 90.0, np.nan
    figure = figures.altruistic_loss_histogram(state(altruistic_loss=loss), FACTS, TRUTH, LIGHT)
    usual = figures.altruistic_loss_histogram(state(), FACTS, TRUTH, LIGHT)
    total, clean, poison = (trace.y[:-1] for trace in figure.data[:3])
    assert total.sum() == N - 1 and total[0] == N - 2 and total[-1] == 1
    assert np.array_equal(clean + poison, total)
    assert np.array_equal(figure.data[0].x, usual.data[0].x)


def test_poison_has_a_row_in_its_own_scale_only_if_known():
    known, unknown = (figures.altruistic_loss_histogram(state(), FACTS, truth, LIGHT) for truth in (TRUTH, None))
    assert known.layout.yaxis2.domain[1] < known.layout.yaxis.domain[0]
    assert known.data[3].y.max() <= known.layout.yaxis2.range[1] < known.layout.yaxis.range[1]
    assert len(unknown.data) == 1 and "poison" not in texts(unknown)


def points(figure) -> dict[str, object]:
    """WebGL traces by name."""
    return {trace.name: trace for trace in figure.data if trace.type == "scattergl"}


def test_hue_is_truth_and_fill_is_membership():
    s = state()
    traces = points(figures.feature_map(XY, s, FACTS, TRUTH, LIGHT, kind="PCA"))
    assert set(traces) == {"clean", "poison"}
    for name, of in (("clean", ~POISON), ("poison", POISON)):
        ids = traces[name].customdata
        assert of[ids].all() and np.array_equal(traces[name].marker.color, s.clean_mask[ids])
        assert traces[name].marker.line.color == getattr(LIGHT, name)
    ids = np.concatenate([t.customdata for t in traces.values()])
    assert np.array_equal(np.sort(ids), FACTS.landmark_idx)


def test_members_of_a_trace_stay_when_pools_change():
    """A selection is kept as point numbers."""
    for make in (
        lambda s: figures.feature_map(XY, s, FACTS, TRUTH, LIGHT, kind="UMAP"),
        lambda s: figures.discrepancy_scatter(s, FACTS, TRUTH, LIGHT),
    ):
        before, after = points(make(state())), points(make(state("selective_drop", clean_mask=np.arange(N) % 2 == 0)))
        assert all(np.array_equal(before[name].customdata, after[name].customdata) for name in before)


def test_mistakes_are_ringed():
    pool = POISON | (LABELS == 0)

    figure = figures.discrepancy_scatter(state(), FACTS, TRUTH, LIGHT, clean_mask=pool)
    assert len(next(t for t in figure.data if t.name == "mistakes").x) == POISON.sum()
    assert not [
        t
        for t in figures.discrepancy_scatter(state(), FACTS, None, LIGHT, clean_mask=pool).data
        if t.name == "mistakes"
    ]


def test_poison_under_another_label_than_the_suspected_is_in_front():
    traces = points(figures.discrepancy_scatter(state(pseudo_target=1), FACTS, TRUTH, LIGHT))
    assert np.array_equal(traces["poison"].customdata, np.flatnonzero(POISON))


def test_the_discrepancy_curve_is_the_smallest_one_kept():
    s = state("class_completion", epoch=26)
    gap = np.sort(s.altruistic_loss - s.main_loss)[::-1]
    k = exact_count(s.clean_ratio, N)
    cut = next(t for t in figures.discrepancy_scatter(s, FACTS, TRUTH, LIGHT).data if t.name == "cut")
    assert np.allclose(cut.y - cut.x, gap[k - 1], atol=1e-4)


def test_the_discrepancy_curve_of_balanced_completion_is_that_of_the_suspected_class():
    s = state("class_completion", epoch=26)
    facts = replace(FACTS, config=CONFIG.with_settings(completion="balanced"))
    of_class = np.sort((s.altruistic_loss - s.main_loss)[LABELS == TARGET])[::-1]
    figure = figures.discrepancy_scatter(s, facts, TRUTH, LIGHT)
    cut = next(t for t in figure.data if t.name == "cut")
    assert np.allclose(cut.y - cut.x, of_class[exact_count(s.clean_ratio, len(of_class)) - 1], atol=1e-4)
    assert "of owl" in texts(figure)


def test_initial_pools_show_the_level_of_als_and_that_it_was_fixed():
    first, later = (figures.discrepancy_scatter(state("initial_pools", epoch=e), FACTS, None, LIGHT) for e in (16, 18))
    level = np.unique(next(t for t in first.data if t.name == "cut").y)
    assert level == pytest.approx([np.sort(state().altruistic_loss)[::-1][35]])
    assert "pool fixed since T1 = 8" in texts(later) and "fixed" not in texts(first)
    assert not [t for t in figures.discrepancy_scatter(state("oss_warmup"), FACTS, None, LIGHT).data if t.name == "cut"]


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
    assert "<i>" not in figures.stage_strip(CONFIG.schedule, 3, LIGHT)


def test_arrays_travel_as_base64():
    for figure in all_figures(state("oss_warmup"), TRUTH).values():
        for trace in json.loads(figure.to_json())["data"]:
            for axis in ("x", "y", "customdata"):
                assert axis not in trace or set(trace[axis]) >= {"dtype", "bdata"}, (trace["type"], axis)
    figure = json.loads(figures.feature_map(XY, state(), FACTS, None, LIGHT, kind="PCA").to_json())
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
            figures.feature_map(np.zeros((1, 2), np.float32), s, one, truth, LIGHT, kind="PCA")


def test_maps_that_are_missing_or_broken_wait():
    for xy in (np.zeros((0, 2), np.float32), np.full((30, 2), np.nan, np.float32), XY[:3]):
        assert figures.feature_map(xy, state(), FACTS, TRUTH, LIGHT, kind="UMAP").layout.uirevision == "waiting"


def test_map_labels_keep_apart_and_give_way_to_many_classes():
    crowded = np.tile(np.linspace(0, 1e-3, 30, dtype=np.float32)[:, None], 2)
    crowded[0] = 1.0
    notes = figures.feature_map(crowded, state(), FACTS, None, LIGHT, kind="PCA").layout.annotations
    heights = np.sort([note.y for note in notes])
    assert len(notes) == 2 and np.diff(heights).min() >= 0.06, "landmarks are of two classes"
    many = replace(
        FACTS, labels=np.arange(N) % 30, class_names=tuple(f"sign {i}" for i in range(30)), landmark_idx=np.arange(N)
    )
    xy = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    notes = figures.feature_map(xy, state(), many, None, LIGHT, kind="PCA").layout.annotations
    assert [note.text for note in notes] == ["<b>sign 2</b> (suspected)"]


def test_pool_bars_and_running_total():
    figure = figures.poison_in_pool(numbers(), FACTS, LIGHT, truth_shown=True, current_epoch=37)
    bars, line = figure.data
    assert bars.x[0] == 9 and bars.y[-1] == 29 and line.y[-1] == 435 and line.yaxis == "y2"
    bands = [(s.x0, s.x1) for s in figure.layout.shapes if s.type == "rect"]
    assert bands == [(8.5, 16.5), (20.5, 32.5)]


def test_pool_size_stands_in_where_the_truth_is_unknown():
    for metrics, shown in ((numbers(), False), (numbers(known=False), True)):
        figure = figures.poison_in_pool(metrics, FACTS, LIGHT, truth_shown=shown)
        assert len(figure.data) == 1 and figure.data[0].y[-1] == 3700
    assert "truth unknown" in texts(figures.poison_in_pool(numbers(), FACTS, LIGHT, truth_shown=False))
    assert "first clean pool comes with epoch 9" in texts(figures.poison_in_pool({}, FACTS, LIGHT, truth_shown=True))


def test_accuracy_says_which_way_is_good():
    figure = figures.accuracy_curves(numbers(), FACTS, LIGHT, truth_shown=True)
    words = texts(figure)
    assert "attack success <b>1.5 %</b> (lower is better)" in words and "clean accuracy <b>78.5 %</b>" in words
    assert tuple(figure.layout.xaxis.range) == (0.5, 38.5)
    sealed = figures.accuracy_curves(numbers(), FACTS, LIGHT, truth_shown=False)
    assert "attack success unknown" in texts(sealed) and len(sealed.data) == 1
    assert figures.accuracy_curves({}, FACTS, LIGHT, truth_shown=True).layout.uirevision == "waiting"


@pytest.mark.parametrize(
    ("accuracy", "success", "lifts"), [(90.0, 1.0, [3, 3]), (50.0, 51.0, [3, 20]), (96.0, 100.0, [3, 20])]
)
def test_line_end_labels_keep_apart(accuracy, success, lifts):
    ends = {30: {"clean_accuracy": accuracy, "attack_success_rate": success}}
    figure = figures.accuracy_curves(ends, FACTS, LIGHT, truth_shown=True)
    assert sorted(a.yshift for a in figure.layout.annotations if "<b>" in a.text) == lifts
    assert figure.layout.yaxis.range[1] > 120, "room above 100"


def test_votes():
    figure = figures.vote_bars(state("altruistic_warmup"), FACTS, LIGHT)
    assert figure.layout.yaxis.ticktext[TARGET] == "<b>owl</b>" and "suspected: <b>owl</b>" in texts(figure)
    scores = np.linspace(0, 1, 43, dtype=np.float32)
    many = replace(FACTS, class_names=tuple(str(i) for i in range(43)))
    figure = figures.vote_bars(state("altruistic_warmup", vote_scores=scores, pseudo_target=42), many, LIGHT)
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
    strip = figures.stage_strip(CONFIG.schedule, epoch, DARK, progress=progress)
    assert f"width:{width}" in strip and f'aria-label="Stages: {stage}' in strip
    assert [strip.count(f"flex:{n} 1 0") for n in (8, 4, 12, 6)] == [2, 1, 1, 1]


def test_a_stage_without_epochs_is_left_out():
    schedule = replace(CONFIG.schedule, t2=12, t3=20)
    assert [stage for stage, _, _ in figures.stage_spans(schedule)] == [
        "altruistic_warmup",
        "oss_warmup",
        "initial_pools",
        "selective_drop",
    ]
    assert "no epoch yet" in figures.stage_strip(schedule, None, LIGHT)


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
    modules = Path(figures.__file__).parent.glob("*.py")
    imports = [
        line for module in modules for line in module.read_text().splitlines() if line.startswith(("import ", "from "))
    ]
    assert imports and not [line for line in imports if "streamlit" in line]
