"""The summary of a run, as `summary.json` holds it."""

from __future__ import annotations

from typing import Any

from bsd_engine.compute.runtime import Runtime
from bsd_engine.config.settings import BSDConfig
from bsd_engine.prepare.prepare import true_target
from bsd_engine.target.words import sentence
from bsd_engine.training.target_search import TargetSearch


def run_summary(
    config: BSDConfig,
    used: Runtime,
    search: TargetSearch,
    class_names: tuple[str, ...],
    epochs: int,
    last: dict[str, float | int | None],
) -> dict[str, Any]:
    """The run in a dozen numbers.

    Parameters
    ----------
    used : device, precision and threads of the run
    epochs : how many are finished
    last : the metrics of the last finished epoch, empty before the first
    """
    return {
        "status": "finished",
        "preset": config.preset,
        "data": config.data.data,
        "attack": config.attack.attack,
        "device": used.description,
        "epochs": epochs,
        "clean_accuracy": last.get("clean_accuracy"),
        "attack_success_rate": last.get("attack_success_rate"),
        "pseudo_target": search.pseudo_target,
        "target_estimator": config.split.target_estimator,
        "target_verdict": (search.verdict or {}).get("kind"),
        "verdict": sentence(search.verdict, class_names),
        "true_target": true_target(config),
        "clean_pool_size": last.get("clean_pool_size"),
        "poison_in_clean_pool": last.get("poison_in_clean_pool"),
    }
