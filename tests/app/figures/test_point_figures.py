"""Samples as points: hue, fill, rings, and the labels of the feature map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.figures.feature_map import feature_map
from app.figures.scatters import discrepancy_scatter
from app.style.theme import LIGHT
from tests.support.page.figure_states import FACTS, LABELS, POISON, TRUTH, XY, N, points, state


def test_hue_is_truth_and_fill_is_membership():
    s = state()
    traces = points(feature_map(XY, s, FACTS, TRUTH, LIGHT, kind="PCA"))
    assert set(traces) == {"clean", "poison"}
    for name, of in (("clean", ~POISON), ("poison", POISON)):
        ids = traces[name].customdata
        assert of[ids].all() and np.array_equal(traces[name].marker.color, s.clean_mask[ids])
        assert traces[name].marker.line.color == getattr(LIGHT, name)
    ids = np.concatenate([t.customdata for t in traces.values()])
    assert np.array_equal(np.sort(ids), FACTS.landmark_idx)


def test_members_of_a_trace_stay_when_pools_change():
    """A selection is stored as point numbers."""
    for make in (
        lambda s: feature_map(XY, s, FACTS, TRUTH, LIGHT, kind="UMAP"),
        lambda s: discrepancy_scatter(s, FACTS, TRUTH, LIGHT),
    ):
        before, after = points(make(state())), points(make(state("selective_drop", clean_mask=np.arange(N) % 2 == 0)))
        assert all(np.array_equal(before[name].customdata, after[name].customdata) for name in before)


def test_mistakes_are_ringed():
    pool = POISON | (LABELS == 0)

    figure = discrepancy_scatter(state(), FACTS, TRUTH, LIGHT, clean_mask=pool)
    assert len(next(t for t in figure.data if t.name == "mistakes").x) == POISON.sum()
    assert not [
        t for t in discrepancy_scatter(state(), FACTS, None, LIGHT, clean_mask=pool).data if t.name == "mistakes"
    ]


def test_poison_with_another_label_than_the_suspected_is_in_front():
    traces = points(discrepancy_scatter(state(pseudo_target=1), FACTS, TRUTH, LIGHT))
    assert np.array_equal(traces["poison"].customdata, np.flatnonzero(POISON))


def test_maps_that_are_missing_or_broken_wait():
    for xy in (np.zeros((0, 2), np.float32), np.full((30, 2), np.nan, np.float32), XY[:3]):
        assert feature_map(xy, state(), FACTS, TRUTH, LIGHT, kind="UMAP").layout.uirevision == "waiting"


def test_map_labels_keep_apart_and_are_left_out_for_many_classes():
    crowded = np.tile(np.linspace(0, 1e-3, 30, dtype=np.float32)[:, None], 2)
    crowded[0] = 1.0
    notes = feature_map(crowded, state(), FACTS, None, LIGHT, kind="PCA").layout.annotations
    heights = np.sort([note.y for note in notes])
    assert len(notes) == 2 and np.diff(heights).min() >= 0.06, "landmarks are of two classes"
    many = replace(
        FACTS, labels=np.arange(N) % 30, class_names=tuple(f"sign {i}" for i in range(30)), landmark_idx=np.arange(N)
    )
    xy = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    notes = feature_map(xy, state(), many, None, LIGHT, kind="PCA").layout.annotations
    assert [note.text for note in notes] == ["<b>sign 2</b> (suspected)"]
