"""Training on small and odd data sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import TrainingError
from bsd_engine.prepare.prepare import PreparedData
from tests.support.short_runs import run, short
from tests.support.training_runs import training_threads

pytestmark = pytest.mark.usefixtures("one_thread")


def last_metrics(config: BSDConfig, prepared: PreparedData) -> dict[str, Any]:
    return run(config, prepared)[-1].metrics


def test_without_an_attack_success_rate_and_poison_are_unknown(few_images: Callable) -> None:
    config = short(attack="none")
    prepared = few_images(config, [0, 1, 2, 0])
    metrics = last_metrics(config, prepared)
    assert prepared.is_poison is None and metrics["clean_accuracy"] is not None
    assert {metrics[k] for k in ("attack_success_rate", "poison_in_clean_pool", "poison_in_clean_pool_cumulative")} == {
        None
    }


def test_without_a_test_part_the_rates_are_unknown(few_images: Callable) -> None:
    config = short(target_label=2)
    metrics = last_metrics(config, few_images(config, None))
    assert (
        metrics["clean_accuracy"] is None
        and metrics["attack_success_rate"] is None
        and metrics["poison_in_clean_pool"] is not None
    )


def test_a_test_part_with_only_the_target_class_has_no_success_rate(few_images: Callable) -> None:
    config = short(target_label=2)
    metrics = last_metrics(config, few_images(config, [2, 2]))
    assert metrics["clean_accuracy"] is not None and metrics["attack_success_rate"] is None


def test_the_papers_network_passes_through_every_stage(few_images: Callable) -> None:
    config = short(model="resnet18", target_label=2)
    assert len({s.stage for s in run(config, few_images(config, None))}) == 5


def test_a_pool_smaller_than_a_batch_is_trained_on(few_images: Callable) -> None:
    config = short(target_label=2, alpha=0.1, beta=0.05, completion="off", selective_drop=False)
    states = run(config, few_images(config, None))
    assert [s.metrics["clean_pool_size"] for s in states if s.stage == "selective_drop"] == [6, 6]


def test_a_pool_of_all_samples_leaves_none_unlabelled(few_images: Callable) -> None:
    config = short(target_label=2, alpha=1.0, beta=1.0, selective_drop=False)
    assert last_metrics(config, few_images(config, None))["clean_pool_size"] == 60


def test_an_empty_pool_ends_the_run_with_a_sentence(few_images: Callable) -> None:
    config = short(target_label=2, alpha=0.01, beta=0.01)
    with pytest.raises(
        TrainingError,
        match="clean pool is empty at main epoch 1; alpha and beta are too small for this data. Raise them",
    ):
        run(config, few_images(config, None))
    assert training_threads() == []
