"""Histograms and the loss scatter, drawn from literal states: their counts and cuts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.figures.histograms import altruistic_loss_histogram, oss_distance_histogram
from app.figures.scatters import discrepancy_scatter
from app.style.theme import LIGHT, share
from bsd_engine.splits import als_clean_mask, exact_count
from tests.support.page.figure_states import CONFIG, FACTS, LABELS, TARGET, TRUTH, N, state, texts


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.29, 0.6, 1.0])
def test_the_loss_cut_is_the_kth_loss(alpha):
    s = state()
    figure = altruistic_loss_histogram(s, FACTS, TRUTH, LIGHT, alpha=alpha)
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
        altruistic_loss_histogram(state(altruistic_loss=loss), FACTS, None, LIGHT)
    )


def test_the_distance_cut_is_the_kth_distance_of_the_suspected_class():
    s = state("initial_pools")
    figure = oss_distance_histogram(s, FACTS, TRUTH, LIGHT, beta=0.2)
    line = next(shape for shape in figure.layout.shapes if shape.type == "line")
    assert line.x0 == pytest.approx(np.sort(s.oss_score[LABELS == TARGET])[::-1][2])  # 0.2 of 15
    assert "keeps 3 of 15" in texts(figure)


def test_distances_are_provisional_before_t1():
    note = "provisional: decided at T1 = 8"
    assert note in texts(oss_distance_histogram(state("oss_warmup"), FACTS, None, LIGHT))
    assert note not in texts(oss_distance_histogram(state("initial_pools"), FACTS, None, LIGHT))


def test_histograms_count_every_sample_and_keep_their_bins():
    loss = np.full(N, 3e-6, np.float32)
    loss[0], loss[1] = 90.0, np.nan
    figure = altruistic_loss_histogram(state(altruistic_loss=loss), FACTS, TRUTH, LIGHT)
    usual = altruistic_loss_histogram(state(), FACTS, TRUTH, LIGHT)
    total, clean, poison = (trace.y[:-1] for trace in figure.data[:3])
    assert total.sum() == N - 1 and total[0] == N - 2 and total[-1] == 1
    assert np.array_equal(clean + poison, total)
    assert np.array_equal(figure.data[0].x, usual.data[0].x)


def test_poison_has_a_row_in_its_own_scale_only_if_known():
    known, unknown = (altruistic_loss_histogram(state(), FACTS, truth, LIGHT) for truth in (TRUTH, None))
    assert known.layout.yaxis2.domain[1] < known.layout.yaxis.domain[0]
    assert known.data[3].y.max() <= known.layout.yaxis2.range[1] < known.layout.yaxis.range[1]
    assert len(unknown.data) == 1 and "poison" not in texts(unknown)


def test_the_discrepancy_curve_is_the_smallest_one_kept():
    s = state("class_completion", epoch=26)
    gap = np.sort(s.altruistic_loss - s.main_loss)[::-1]
    k = exact_count(s.clean_ratio, N)
    cut = next(t for t in discrepancy_scatter(s, FACTS, TRUTH, LIGHT).data if t.name == "cut")
    assert np.allclose(cut.y - cut.x, gap[k - 1], atol=1e-4)


def test_the_discrepancy_curve_of_balanced_completion_is_that_of_the_suspected_class():
    s = state("class_completion", epoch=26)
    facts = replace(FACTS, config=CONFIG.with_settings(completion="balanced"))
    of_class = np.sort((s.altruistic_loss - s.main_loss)[LABELS == TARGET])[::-1]
    figure = discrepancy_scatter(s, facts, TRUTH, LIGHT)
    cut = next(t for t in figure.data if t.name == "cut")
    assert np.allclose(cut.y - cut.x, of_class[exact_count(s.clean_ratio, len(of_class)) - 1], atol=1e-4)
    assert "of owl" in texts(figure)


def test_initial_pools_show_the_level_of_als_and_that_it_was_fixed():
    first, later = (discrepancy_scatter(state("initial_pools", epoch=e), FACTS, None, LIGHT) for e in (16, 18))
    level = np.unique(next(t for t in first.data if t.name == "cut").y)
    assert level == pytest.approx([np.sort(state().altruistic_loss)[::-1][35]])
    assert "pool fixed since T1 = 8" in texts(later) and "fixed" not in texts(first)
    assert not [t for t in discrepancy_scatter(state("oss_warmup"), FACTS, None, LIGHT).data if t.name == "cut"]
