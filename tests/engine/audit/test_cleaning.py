"""Which samples a cleaned set keeps, and what is said about it."""

from dataclasses import replace

import numpy as np
import pytest

from bsd_engine.audit.findings.apart import poison_probability, stands_apart
from bsd_engine.audit.findings.cleaning import FEWEST, RULES, clean
from bsd_engine.audit.findings.doubtful import doubtful_labels
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects

TARGET = 3
FOUND = {"kind": "target", "classes": [TARGET], "z": 12.0, "needed": 6.0, "why": "evidence 12.0", "clue": "mark"}
NOTHING = {**FOUND, "kind": "no_attack", "z": 1.0}


def known(history: RunHistory, probability: np.ndarray, verdict: dict = FOUND) -> RunHistory:
    """The history with a verdict and with these probabilities for the samples of the target, in order."""
    recorded = np.zeros(history.num_samples, np.float32)
    recorded[history.labels == TARGET] = probability
    return replace(history, verdict=verdict, poison_probability=recorded, _derived={})


@pytest.fixture
def graded(history: RunHistory) -> RunHistory:
    """Probabilities of 0 to 1 in equal steps."""
    return known(history, np.linspace(0, 1, int((history.labels == TARGET).sum()), dtype=np.float32))


def test_each_rule_removes_what_is_likelier_than_its_bound(graded: RunHistory) -> None:
    found, p = suspects(graded), graded.poison_probability
    balanced, generous = (clean(graded, found, {}, rule) for rule in ("balanced", "generous"))
    assert not balanced.keep[p > 0.21].any() and balanced.keep[p < 0.19].all()
    assert not generous.keep[p > 0.51].any() and generous.keep[p < 0.49].all()
    strict = clean(graded, found, {}, "strict")
    assert (strict.keep <= balanced.keep).all() and (balanced.keep <= generous.keep).all()
    outside = graded.labels != TARGET
    assert balanced.keep[outside].all() and not strict.keep[doubtful_labels(graded) & outside & (p < 0.05)].all()


def test_the_estimates_are_sums_of_the_probabilities(graded: RunHistory) -> None:
    for rule in RULES:
        chosen = clean(graded, suspects(graded), {}, rule)
        p = graded.poison_probability
        assert chosen.poison_left == pytest.approx(p[chosen.keep].sum(), rel=1e-5)
        assert chosen.clean_lost == pytest.approx((1 - p[~chosen.keep]).sum(), rel=1e-5)
        said = chosen.sentence(graded.class_names)
        assert said.startswith(f"{chosen.removed:,} of {graded.num_samples:,} images are removed. About ")


def test_the_tools_own_top_suspects_are_not_kept(graded: RunHistory) -> None:
    found, p = suspects(graded), graded.poison_probability
    top = found.order[: int((p > 0.9).sum())]
    assert (graded.labels[top] == TARGET).mean() > 0.9 and not clean(graded, found, {}).keep[p > 0.9].any()


def test_a_class_that_is_all_poison_keeps_a_few_samples_and_is_named(history: RunHistory) -> None:
    size = int((history.labels == TARGET).sum())
    lost = known(history, np.linspace(0.9, 1, size, dtype=np.float32))
    chosen = clean(lost, suspects(lost), {})
    kept = chosen.keep & (lost.labels == TARGET)
    assert kept.sum() == FEWEST and chosen.starving == (TARGET,)
    assert lost.poison_probability[kept].max() < 0.95  # the least suspect ones
    assert f"Few are left of: {lost.class_names[TARGET]}." in chosen.sentence(lost.class_names)


def test_without_an_attack_found_nothing_is_called_poison(history: RunHistory) -> None:
    calm = replace(history, verdict=NOTHING, poison_probability=None, _derived={})
    found = suspects(calm)
    assert not stands_apart(calm, found).any() and not poison_probability(calm, found).any()
    chosen = clean(calm, found, {})
    assert chosen.keep.all() and "No attack was found for certain, so poison cannot be estimated." in chosen.sentence(
        ()
    )
    strict = clean(calm, found, {}, "strict").keep
    assert 0 < strict.sum() < len(strict)


def test_a_later_verdict_withdraws_earlier_probabilities(graded: RunHistory) -> None:
    withdrawn = replace(graded, verdict=NOTHING, poison_probability=None, _derived={})
    assert clean(withdrawn, suspects(withdrawn), {}).keep.all()


def test_a_label_that_both_models_contradict_alike_is_doubtful_and_not_the_safest(history: RunHistory) -> None:
    wrong = int(np.flatnonzero(history.labels == 0)[0])
    g, f = history.altruistic_prediction.copy(), history.main_prediction.copy()
    loss, main = history.altruistic_loss.copy(), history.main_loss.copy()
    g[: history.first_main, wrong], f[:, wrong] = 7, 7
    loss[:, wrong], main[:, wrong] = 9.2, 0.1  # f has learned the wrong label by heart
    noisy = replace(
        history, altruistic_prediction=g, main_prediction=f, altruistic_loss=loss, main_loss=main, _derived={}
    )
    relabelled = replace(noisy, labels=np.full_like(noisy.labels, 7))
    assert doubtful_labels(noisy)[wrong] and not doubtful_labels(relabelled)[wrong]
    assert suspects(noisy).rank[wrong] < 0.75 * noisy.num_samples
    assert not clean(noisy, suspects(noisy), {}, "strict").keep[wrong]
