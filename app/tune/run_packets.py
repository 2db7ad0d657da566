"""The constant part of a packet for a run: names, settings, labels and ground truth; no streamlit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from app.figures.stages import stage_spans
from app.paper.settings import TABLE_7
from app.style import words
from app.style.theme import DARK, LIGHT, STAGE_NAMES
from app.tune.asks import bitmap
from app.tune.columns import Columns, bits
from app.tune.request import ViewRequest
from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.preview import Settings
from bsd_engine.method.ranking import descending_ranks
from bsd_engine.method.worth import worth


def geometry(request: ViewRequest) -> Columns:
    """Labels and landmarks; the ground truth if it is shown; the random order if the first pool is drawn at random."""
    run = request.run
    narrow = np.uint8 if len(run.class_names) <= 256 else np.uint16
    arrays: Columns = {"labels": run.labels.astype(narrow), "landmarks": run.landmark_idx.astype(np.uint32)}
    if request.is_poison is not None:
        assert run.truth is not None
        arrays |= {"poison": bits(request.is_poison), "original": run.truth.original_labels.astype(narrow)}
    if run.config.split.init_combine == "random":
        arrays["draw"] = _draw_ranks(run.num_samples, run.config.seed)
    return arrays


@lru_cache(maxsize=4)
def _draw_ranks(n: int, seed: int) -> np.ndarray:
    """(N,) uint32: rank of each sample in the random order that "random" first pools are drawn from."""
    import torch

    from bsd_engine.compute.plans import generator_for

    return descending_ranks(torch.rand(n, generator=generator_for(seed, "pools", 0)).numpy()).astype(np.uint32)


def static(request: ViewRequest) -> dict[str, Any]:
    """The constant data of the run, and the state in which the views begin."""
    config, run = request.run.config, request.run
    return {
        "names": [words.short(name) for name in run.class_names],
        "own": own_settings(config),
        "total": config.schedule.total_epochs,
        "stage_names": list(STAGE_NAMES),
        "stages": [[STAGE_NAMES[s], a, b] for s, a, b in stage_spans(config.schedule)],
        "table7": [{"alpha": r.alpha, "beta": r.beta, "text": r.text} for r in TABLE_7],
        "palettes": {"light": asdict(LIGHT), "dark": asdict(DARK)},
        "worth": _worths(config),
        "state": {
            "epoch": request.view.epoch,
            "pin": request.view.pinned,
            "selected": bitmap(request.view.selected, run.num_samples),
        },
        "settings": asdict(request.settings),
    }


def own_settings(config: BSDConfig) -> dict[str, Any]:
    """The run's settings, named as in the browser's twin of the cuts."""
    split, schedule = config.split, config.schedule
    return {
        **asdict(Settings.of(config)),
        "init_epochs": schedule.init_epochs,
        "t2": schedule.t2,
        "als_init_ratio": split.als_init_ratio,
        "alpha_start": split.alpha_start,
        "combine": split.init_combine,
        "completion": split.completion,
        "count_by": split.count_by,
        "selective_drop": split.selective_drop,
        "drop_start": config.drop_start,
        "als_current": split.als_snapshot == "current",
    }


@dataclass(frozen=True)
class _Stage:
    """The fields of an epoch that `worth` reads."""

    stage: str
    pseudo_target: int | None = None


def _worths(config: BSDConfig) -> dict[str, list[list[str]]]:
    """How far a preview can be trusted in each stage, with the run's settings and with another alpha or beta."""
    own = Settings.of(config)
    other = replace(own, alpha=own.alpha / 2 + 0.123)
    worths = {stage: [worth(config, s, _Stage(stage)) for s in (own, other)] for stage in STAGE_NAMES}
    return {stage: [[w.honesty, w.sentence] for w in pair] for stage, pair in worths.items()}
