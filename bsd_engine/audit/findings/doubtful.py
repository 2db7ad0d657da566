"""Samples whose label may be wrong by mistake, which is something else than poison."""

from __future__ import annotations

import numpy as np

from bsd_engine.audit.history import RunHistory

_LATEST = 3


def doubtful_labels(history: RunHistory) -> np.ndarray:
    """(N,) bool: samples that both models call by the same other class, each most of the time.

    g is asked in the second half of its warm-up, before it knows single samples by heart, f in its last three epochs.
    No trigger is known to g there, or it would call the sample by its label. On sets with 10 % of wrong labels this
    finds 60 % of them on CIFAR-10 and 90 % on GTSRB, and 3 of 10 and 8 of 10 of those that it finds are wrong; the
    others are hard to tell. None before there is a main model.
    """
    warmup = history.first_main
    if not len(history.main_prediction):
        return np.zeros(history.num_samples, bool)
    altruistic = _usual(history.altruistic_prediction[warmup // 2 : warmup])
    main = _usual(history.main_prediction[-_LATEST:])
    return (altruistic == main) & (altruistic != history.labels)


def _usual(predictions: np.ndarray) -> np.ndarray:
    """(N,) the most frequent of (E, N) predictions; of equally frequent ones the lower class."""
    counts = np.zeros((predictions.max(initial=0) + 1, predictions.shape[1]), np.int16)
    for row in predictions:
        counts[row, np.arange(len(row))] += 1
    return counts.argmax(0)
