"""Literal epochs of 60 samples, their metrics, and every figure drawn from them."""

from __future__ import annotations

import numpy as np

from app.figures.accuracy import accuracy_curves
from app.figures.facts import Facts
from app.figures.feature_map import feature_map
from app.figures.histograms import altruistic_loss_histogram, oss_distance_histogram
from app.figures.pool import poison_in_pool
from app.figures.scatters import discrepancy_scatter
from app.figures.timeline import Metrics
from app.figures.votes import vote_bars
from app.style.theme import LIGHT, Palette
from bsd_engine.config.method_settings import Stage
from bsd_engine.config.presets import demo
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import Truth
from bsd_engine.splits import clean_ratio

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


def numbers(known: bool = True, epochs: range = range(38)) -> Metrics:
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
    s: EpochState, truth: Truth | None, palette: Palette = LIGHT, facts: Facts = FACTS, metrics: Metrics | None = None
):
    """Every figure of one state."""
    metrics = numbers() if metrics is None else metrics
    shown = truth is not None
    return {
        "loss": altruistic_loss_histogram(s, facts, truth, palette),
        "oss": oss_distance_histogram(s, facts, truth, palette),
        "map": feature_map(XY, s, facts, truth, palette, kind="PCA"),
        "discrepancy": discrepancy_scatter(s, facts, truth, palette),
        "pool": poison_in_pool(metrics, facts, palette, truth_shown=shown, current_epoch=s.epoch),
        "accuracy": accuracy_curves(metrics, facts, palette, truth_shown=shown, current_epoch=s.epoch),
        "vote": vote_bars(s, facts, palette),
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


def points(figure) -> dict[str, object]:
    """WebGL traces by name."""
    return {trace.name: trace for trace in figure.data if trace.type == "scattergl"}
