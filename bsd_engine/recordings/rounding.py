"""Rounding of scores that changes no decision of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bsd_engine.errors import BSDError
from bsd_engine.events import EpochState
from bsd_engine.method import preview
from bsd_engine.method.pools import decide_pools, recorded_evidence
from bsd_engine.method.rules import PoolRules
from bsd_engine.recordings.arrays import Rounded
from bsd_engine.recordings.stacks import LOSSES, is_recorded, rows_an_epoch
from bsd_engine.runs.reader import RunReader


def round_scores(reader: RunReader, states: list[EpochState]) -> dict[str, Rounded]:
    """Return the losses and distances of all epochs, rounded unless rounding would move a sample across a cut.

    If a pool decided from rounded scores differs from the one decided from the scores themselves, the samples that
    changed sides are kept exactly, and the pools are decided again. Two samples that are kept exactly cannot change
    sides with each other, so the loop ends. If that does not help, the whole row is kept, for example for a random
    pool, which depends on a count alone.
    """
    scores = _stacked_scores(states)
    exact = {name: np.zeros(rows.shape, bool) for name, rows in scores.items()}
    wanted = _decided_pools(reader, states)
    while True:
        rounded = {name: Rounded.of(rows, exact[name]) for name, rows in scores.items()}
        pools = _decided_pools(reader, with_scores(states, {name: part.rows for name, part in rounded.items()}))
        moved = {epoch: pool ^ wanted[epoch] for epoch, pool in pools.items() if (pool != wanted[epoch]).any()}
        if not moved:
            return rounded
        for epoch, samples in moved.items():
            _keep_exactly(exact, states, _epochs_read_by(reader, epoch), samples)


def with_scores(states: list[EpochState], scores: Mapping[str, np.ndarray]) -> list[EpochState]:
    """Return the epochs with other losses and distances, stacked as in `round_scores`."""
    rows_of = {name: epoch_rows(states, name) for name in scores}
    result = []
    for state in states:
        new: dict[str, Any] = {}
        for name, rows in scores.items():
            if state.epoch in rows_of[name]:
                stack = rows[rows_of[name][state.epoch]]
                new[name] = stack if name == "oss_distances" else stack[0]
        if (kind := distance_kind(state)) is not None:
            new["oss_score"] = new["oss_distances"][kind]
        result.append(replace(state, **new))
    return result


def epoch_rows(states: list[EpochState], name: str) -> dict[int, slice]:
    """Return the rows of each epoch in the stack of a loss, the OSS score or its distances; epochs without it are left
    out.

    An OSS score that equals one of the distances has no row: the number of the distance is kept instead.
    """
    step = rows_an_epoch(name)
    epochs = [
        state.epoch
        for state in states
        if (_has_separate_score(state) if name == "oss_score" else getattr(state, name) is not None)
    ]
    return {epoch: slice(step * i, step * (i + 1)) for i, epoch in enumerate(epochs)}


def distance_kind(state: EpochState) -> int | None:
    """Return the number of the distance that equals the OSS score; None if none does."""
    score = state.oss_score
    if score is None or state.oss_distances is None:
        return None
    return next((i for i, row in enumerate(state.oss_distances) if np.array_equal(row, score)), None)


def _has_separate_score(state: EpochState) -> bool:
    """Return whether there is an OSS score that equals none of the distances."""
    return state.oss_score is not None and distance_kind(state) is None


def _stacked_scores(states: list[EpochState]) -> dict[str, np.ndarray]:
    """Return (R, N) float32 losses, distances and OSS scores of all epochs that have them."""
    scores = {name: _stack(states, name) for name in LOSSES if is_recorded(states, name)}
    if is_recorded(states, "oss_distances"):
        scores["oss_distances"] = np.concatenate([s.oss_distances for s in states if s.oss_distances is not None])
    if separate := [state for state in states if _has_separate_score(state)]:
        scores["oss_score"] = _stack(separate, "oss_score")
    return scores


def _stack(states: list[EpochState], name: str) -> np.ndarray:
    return np.stack([array for state in states if (array := getattr(state, name)) is not None])


def _keep_exactly(
    exact: dict[str, np.ndarray], states: list[EpochState], epochs: set[int], samples: np.ndarray
) -> None:
    """Keep samples exactly in all scores of some epochs; in rows that already keep them, keep all samples."""
    for name, kept in exact.items():
        rows_of = epoch_rows(states, name)
        for rows in (rows_of[epoch] for epoch in epochs if epoch in rows_of):
            kept[rows] |= samples | kept[rows][:, samples].all()


def _epochs_read_by(reader: RunReader, epoch: int) -> set[int]:
    """Return the epochs whose scores decided the pool of an epoch."""
    config, settings = reader.config, preview.Settings.of(reader.config)
    if epoch != preview.distance_epoch(config, settings):
        return {epoch}
    return {epoch, preview.loss_epoch(config, settings)}


def _decided_pools(reader: RunReader, states: list[EpochState]) -> dict[int, np.ndarray]:
    """Return (N,) bool by epoch: the first pool and all later ones, decided from the scores by the run's rules."""
    warmup = reader.config.schedule.altruistic_epochs
    verdict = next((s.verdict for s in states if s.verdict is not None), None)
    rules = PoolRules.of(reader.config, verdict)
    pools: dict[int, np.ndarray] = {}
    for state in states[warmup + rules.t1 :]:
        if rules.t1 < state.main_epoch < rules.t1 + rules.init_epochs:
            continue  # the pool of T1 stays
        evidence = replace(recorded_evidence(reader.labels, state), warmup_loss=states[warmup - 1].altruistic_loss)
        try:
            pools[state.epoch] = decide_pools(rules, state.main_epoch, evidence).clean_mask
        except (BSDError, ValueError, TypeError, IndexError):
            continue  # a record that lacks a score keeps its mask
    return pools
