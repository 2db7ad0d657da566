"""A cache of run folders for the pages: kept up to date with the disk, bounded in memory, shared by all tabs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.server.eta import Durations, stage_seconds
from bsd_engine.config.method_settings import STAGES, Stage
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.layout import Command, list_runs
from bsd_engine.runs.reader import RunReader


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """The numbers of one epoch, without its arrays over all samples."""

    epoch: int
    stage: Stage
    main_epoch: int
    clean_ratio: float | None
    pseudo_target: int | None
    vote_counts: np.ndarray | None
    vote_scores: np.ndarray | None
    estimators: list[str] | None
    estimator_scores: np.ndarray | None
    verdict: dict[str, Any] | None
    metrics: dict[str, Any]
    pca: np.ndarray | None
    """(L, 2) float32: the landmarks on the first two principal components, with the recorded signs."""
    all_distances: bool = False
    """Whether all three OSS distances are recorded."""


@lru_cache(maxsize=32)
def _reader(path: str, stamp: Stamp | None) -> RunReader:
    return RunReader(path)


def reader(path: Path) -> RunReader:
    """The reader of a run folder; raises `RunFolderError` for any other folder."""
    try:
        stamp = stamp_of(path / "config.json")
    except OSError:
        stamp = None
    return _reader(str(path), stamp)


def _epoch_at(path: Path, epoch: int) -> tuple[str, int, Stamp]:
    try:
        return str(path), epoch, stamp_of(path / f"epochs/{epoch:05d}.npz")
    except OSError:
        raise RunFolderError(f"{path} has no epoch {epoch}; the folder was changed while it was shown.") from None


@lru_cache(maxsize=12)
def _state(path: str, epoch: int, stamp: Stamp) -> EpochState:
    return reader(Path(path)).read_epoch(epoch)


@lru_cache(maxsize=1024)
def _row(path: str, epoch: int, stamp: Stamp) -> EpochRow:
    s = reader(Path(path)).read_epoch(epoch)
    return EpochRow(
        epoch=s.epoch,
        stage=s.stage,
        main_epoch=s.main_epoch,
        clean_ratio=s.clean_ratio,
        pseudo_target=s.pseudo_target,
        vote_counts=s.vote_counts,
        vote_scores=s.vote_scores,
        estimators=s.estimators,
        estimator_scores=s.estimator_scores,
        verdict=s.verdict,
        metrics=s.metrics,
        pca=None if s.landmark_features is None else s.landmark_features[:, :2].astype(np.float32),
        all_distances=s.oss_distances is not None,
    )


def state(path: Path, epoch: int) -> EpochState:
    """One recorded epoch with its arrays; the last dozen asked for stay in memory."""
    return _state(*_epoch_at(path, epoch))


def stamps(path: Path, epochs: Iterable[int]) -> tuple[Stamp, ...]:
    """A stamp for each of the given epochs, which changes when the epoch is rewritten."""
    return tuple(_epoch_at(path, epoch)[2] for epoch in epochs)


def rows(path: Path) -> tuple[EpochRow, ...]:
    """The numbers of all complete epochs, up to the first that cannot be read."""
    return _rows(path)[0]


def damage(path: Path) -> str | None:
    """The fault of the first epoch that cannot be read, as one sentence."""
    return _rows(path)[1]


def _rows(path: Path) -> tuple[tuple[EpochRow, ...], str | None]:
    """The rows, and the fault of the epoch after them, if there is one."""
    result: list[EpochRow] = []
    for epoch in reader(path).epochs:
        try:
            result.append(_row(*_epoch_at(path, epoch)))
        except RunFolderError as error:
            return tuple(result), str(error)
    return tuple(result), None


def pca_map(path: Path, epoch: int) -> np.ndarray | None:
    """(L, 2) float32 PCA map of an epoch, each axis with the sign that fits earlier epochs; None without features.

    The sign of an eigenvector is arbitrary; without this, the map would be mirrored now and then.
    """
    signs, before = np.ones(2, np.float32), None
    for row in rows(path)[: epoch + 1]:
        if row.pca is None:
            return None
        if before is not None and len(before) == len(row.pca):
            signs = np.where((before * row.pca).sum(0) < 0, -1, 1).astype(np.float32)
        before = row.pca * signs
    return before


def durations(history: tuple[EpochRow, ...]) -> Durations:
    """Stage and seconds of each epoch."""
    return [(row.stage, row.metrics.get("seconds") or 0.0) for row in history]


def waiting_command(path: Path, obeyed: int) -> Command | None:
    """The command that a run's writer has not carried out yet: stop if that is among them, otherwise the last one."""
    fresh = read_commands(path)[obeyed:]
    return None if not fresh else "stop" if "stop" in fresh else fresh[-1]


def _cost_key(config: BSDConfig) -> tuple[Any, ...]:
    """The settings that determine the seconds of an epoch."""
    return (
        config.data.data,
        config.data.limit,
        config.model,
        config.schedule.iterations,
        config.mixmatch.labeled_batch,
        config.mixmatch.unlabeled_batch,
        config.altruistic.altruistic_batch,
        config.device,
    )


@lru_cache(maxsize=16)
def _prior(root: str, ended: tuple[tuple[str, Stamp], ...], key: tuple[Any, ...]) -> dict[Stage, float]:
    known: dict[Stage, float] = {}
    for name, _ in ended:
        path = Path(root) / name
        try:
            if _cost_key(reader(path).config) == key and reader(path).summary:
                known = {**stage_seconds(durations(rows(path))), **known}
        except BSDError:
            continue
        if len(known) == len(STAGES):
            break
    return known


def prior_seconds(root: Path, config: BSDConfig) -> dict[Stage, float]:
    """Seconds of an epoch by stage in the newest ended runs of the same cost; stages that none reached are missing."""
    ended: list[tuple[str, Stamp]] = []
    for path in list_runs(root)[:20]:
        with contextlib.suppress(OSError):
            # A run that was resumed and has ended again has another stamp.
            ended.append((path.name, stamp_of(path / "summary.json")))
    return _prior(str(root), tuple(ended), _cost_key(config))
