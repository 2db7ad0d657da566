"""From a run folder to a recording: what is kept, what is rounded, and that no decision of the run changes by it."""

from __future__ import annotations

import contextlib
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.files import bounded
from bsd_engine.files.atomic import write_atomic
from bsd_engine.recordings.arrays import Rounded, pack_labels, pack_masks
from bsd_engine.recordings.card import RecordingCard, facts_of, sentence_of
from bsd_engine.recordings.file import FORMAT_VERSION, HEAD, write_members
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader

LOSSES = ("altruistic_loss", "main_loss")
LABELS = ("altruistic_prediction", "main_prediction", "nearest_class")
STACKED = (*LOSSES, *LABELS, "oss_score", "oss_distances", "clean_mask", "landmark_features")
"""Arrays of an epoch that are stacked over all epochs; the rest of it stays as it is in its file."""
SHOWN_COMPONENTS = 2
"""Of the landmarks' features: the PCA map shows two, and the UMAP maps are made."""
WEIGHTS_EPOCHS = 6
"""Checkpoints at most: the ends of the stages, and the last epoch."""


def pack(run: Path, out: Path, card: RecordingCard, *, undefended: Path | None = None) -> Path:
    """Write a finished run folder as one file.

    Parameters
    ----------
    run : a run folder that has ended
    out : the file to write
    card : what the recording is called, and what there is to see
    undefended : the folder of plain training on the same poisoned set

    Raises
    ------
    RunFolderError
        If the run has not ended, has no whole epoch, or plain training was on other data.
    ValueError
        If the card's sentence names a number that is not known.
    """
    reader = RunReader(run)
    if reader.summary is None or not reader.epochs:
        raise RunFolderError(f"{run} has not ended; a recording is made of a run that has.")
    states = [reader.epoch(epoch) for epoch in reader.epochs]
    rounded = round_losses(reader, states)
    rows: dict[str, list[int]] = {}
    arrays = {**_losses(rounded, rows, states), **_others(states, rows), **_maps(reader, rows), **_images(reader)}
    numbers = {**reader.summary, **facts_of(reader), **_plain_numbers(undefended)}
    sentence_of(card.template, numbers)
    head = {
        "format_version": FORMAT_VERSION,
        "card": asdict(card),
        "numbers": numbers,
        "rows": rows,
        "images_crc": zlib.crc32(np.ascontiguousarray(reader.images)),
    }
    members = {
        HEAD: (json.dumps(head, indent=1, allow_nan=False) + "\n").encode(),
        **{
            name: (run / name).read_bytes()
            for name in ("config.json", "summary.json", "samples.npz", "truth.npz", "files.json")
            if (run / name).exists()
        },
        "arrays.npz": _npz(arrays),
        **{f"epochs/{state.epoch:05d}.npz": pack_epoch(_without_stacked(state)) for state in states},
        **_weights(reader, undefended),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, write_members(members))
    return out


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _without_stacked(state: EpochState) -> EpochState:
    return replace(state, **dict.fromkeys(STACKED))


# -- rounding that keeps the decisions -------------------------------------------------------------


def round_losses(reader: RunReader, states: list[EpochState]) -> dict[str, Rounded]:
    """Losses and distances of all epochs, rounded, with the samples kept exactly that a cut of the run would else move.

    Where a pool decided from rounded scores differs from the one decided from the scores themselves, the samples that
    changed sides are kept exactly, and it is decided again. Two samples that are kept exactly cannot change sides with each
    other, so that this ends; a row that it does not help (a random pool depends on a count alone) is kept whole.
    """
    scores = {
        name: np.stack([getattr(s, name) for s in states if getattr(s, name) is not None])
        for name in LOSSES
        if _has(states, name)
    }
    if _has(states, "oss_distances"):
        scores["oss_distances"] = np.concatenate([s.oss_distances for s in states if s.oss_distances is not None])
    if any(_own_score(s) for s in states):
        scores["oss_score"] = np.stack([s.oss_score for s in states if _own_score(s)])
    exact = {name: np.zeros(rows.shape, bool) for name, rows in scores.items()}
    wanted = _decisions(reader, states)
    while True:
        rounded = {name: Rounded.of(rows, exact[name]) for name, rows in scores.items()}
        found = _decisions(reader, with_scores(states, {name: part.rows for name, part in rounded.items()}))
        moved = {epoch: pool ^ wanted[epoch] for epoch, pool in found.items() if (pool != wanted[epoch]).any()}
        if not moved:
            return rounded
        for epoch, samples in moved.items():
            _keep(exact, states, _read_by(reader, epoch), samples)


def _has(states: list[EpochState], name: str) -> bool:
    return any(getattr(s, name) is not None for s in states)


def _own_score(state: EpochState) -> bool:
    """Whether the OSS score is not one of the three distances."""
    return state.oss_score is not None and (state.oss_distances is None or _which_distance(state) is None)


def _which_distance(state: EpochState) -> int | None:
    if state.oss_score is None or state.oss_distances is None:
        return None
    return next((i for i, row in enumerate(state.oss_distances) if np.array_equal(row, state.oss_score)), None)


def _places(states: list[EpochState], name: str) -> dict[int, slice]:
    """Rows of each epoch in the stack of an array."""
    step = 3 if name == "oss_distances" else 1
    there = [s.epoch for s in states if (_own_score(s) if name == "oss_score" else getattr(s, name) is not None)]
    return {epoch: slice(step * i, step * (i + 1)) for i, epoch in enumerate(there)}


def _read_by(reader: RunReader, epoch: int) -> set[int]:
    """The epochs whose scores the pool of an epoch was decided from."""
    from bsd_engine.method import preview

    config, own = reader.config, preview.Settings.of(reader.config)
    return {epoch, preview.loss_epoch(config, own)} if epoch == preview.distance_epoch(config, own) else {epoch}


def _keep(exact: dict[str, np.ndarray], states: list[EpochState], epochs: set[int], samples: np.ndarray) -> None:
    """Keep samples exactly in all scores of some epochs; where they are kept already, all samples."""
    for name, kept in exact.items():
        places = _places(states, name)
        for place in (places[epoch] for epoch in epochs if epoch in places):
            kept[place] |= samples | kept[place][:, samples].all()


def with_scores(states: list[EpochState], scores: Mapping[str, np.ndarray]) -> list[EpochState]:
    """The epochs with other losses and distances, as stacked by `round_losses`."""
    places = {name: _places(states, name) for name in scores}
    result = []
    for state in states:
        new = {name: rows[places[name][state.epoch]] for name, rows in scores.items() if state.epoch in places[name]}
        new = {name: rows if name == "oss_distances" else rows[0] for name, rows in new.items()}
        if (kind := _which_distance(state)) is not None:
            new["oss_score"] = new["oss_distances"][kind]
        result.append(replace(state, **new))
    return result


def _decisions(reader: RunReader, states: list[EpochState]) -> dict[int, np.ndarray]:
    """(N,) bool by epoch: the first pool and all later ones, decided from the scores by the run's settings."""
    from bsd_engine.method.pools import decide_pools, recorded_evidence  # loads torch, which a reader does not need
    from bsd_engine.method.rules import PoolRules

    warmup = reader.config.schedule.altruistic_epochs
    verdict = next((s.verdict for s in states if s.verdict is not None), None)
    rules = PoolRules.of(reader.config, verdict)
    pools: dict[int, np.ndarray] = {}
    for state in states[warmup + rules.t1 :]:
        if rules.t1 < state.main_epoch < rules.t1 + rules.init_epochs:
            continue  # the pool of T1 stays
        evidence = recorded_evidence(reader.labels, state)
        evidence = replace(evidence, warmup_loss=states[warmup - 1].altruistic_loss)
        with contextlib.suppress(
            BSDError, ValueError, TypeError, IndexError
        ):  # a record that lacks a score keeps its mask
            pools[state.epoch] = decide_pools(rules, state.main_epoch, evidence).clean_mask
    return pools


# -- the arrays ------------------------------------------------------------------------------------


def _losses(
    rounded: Mapping[str, Rounded], rows: dict[str, list[int]], states: list[EpochState]
) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for name, part in rounded.items():
        rows[name] = list(_places(states, name))
        arrays |= part.arrays(name)
    kinds = {s.epoch: _which_distance(s) for s in states}
    rows["oss_kind"] = [-1 if kinds[epoch] is None else kinds[epoch] for epoch in rows.get("oss_distances", [])]
    return arrays


def _others(states: list[EpochState], rows: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Predictions, masks and the landmarks' first components."""
    arrays: dict[str, np.ndarray] = {}
    packers = {**dict.fromkeys(LABELS, pack_labels), "clean_mask": pack_masks, "landmark_features": lambda stack: stack}
    for name, packed in packers.items():
        there = [s for s in states if getattr(s, name) is not None]
        if there:
            rows[name] = [s.epoch for s in there]
            values = [getattr(s, name) for s in there]
            arrays[name] = packed(
                np.stack(
                    [v[:, :SHOWN_COMPONENTS].astype(np.float16) if name == "landmark_features" else v for v in values]
                )
            )
    return arrays


def _maps(reader: RunReader, rows: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The UMAP maps in half precision: a thousandth of their extent."""
    rows["maps"] = [epoch for epoch in reader.map_epochs if epoch in reader.epochs]
    return {"maps": np.stack([reader.map(epoch) for epoch in rows["maps"]]).astype(np.float16)} if rows["maps"] else {}


def _images(reader: RunReader) -> dict[str, np.ndarray]:
    """The images as they differ from the bundled ones, or whole where they are others."""
    images = np.asarray(reader.images)
    base = _bundled_base(reader)
    if base is None or base[1].shape != images.shape:
        return {"images": images}
    idx, clean = base
    changed = np.flatnonzero((images != clean).any(axis=(1, 2, 3)))
    return {
        "source_idx": idx.astype(np.uint32),
        "changed_idx": changed.astype(np.uint32),
        "changes": images[changed] - clean[changed],
    }


def _bundled_base(reader: RunReader) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions in the bundled set (N,), and the images there (N, C, H, W); None for other data."""
    from bsd_engine.data import dataset

    chosen = reader.config.data
    if chosen.data != "bundled":
        return None
    source = dataset.load("bundled", chosen.limit, reader.config.seed, chosen.image_size)
    return source.source_idx.numpy(), source.train_images.numpy()


# -- weights ---------------------------------------------------------------------------------------


def _weights(reader: RunReader, undefended: Path | None) -> dict[str, bytes]:
    """Both models at the ends of the stages, without what only training needs, and the plainly trained one."""
    from bsd_engine.runs import checkpoints
    from bsd_engine.training.undefended import WEIGHTS_FILE

    ends = [
        path
        for path in checkpoint_paths(reader.path)
        if int(path.stem) in (*reader.config.schedule.stage_ends, reader.epochs[-1])
    ]
    members = {}
    for path in ends[-WEIGHTS_EPOCHS:]:
        content = checkpoints.read(path)
        kept = {
            "version": content["version"],
            "epoch": content["epoch"],
            "fingerprint": content["fingerprint"],
            "weights_only": True,
            "models": {name: _halved(content["models"][name]) for name in ("averaged", "altruistic")},
        }
        members[f"checkpoints/{path.name}"] = _saved(kept)
    if undefended is not None:
        content = checkpoints.read(undefended / WEIGHTS_FILE)
        if content["fingerprint"] != reader.fingerprint:
            raise RunFolderError(
                f"{undefended} was trained on other data than {reader.path} (fingerprints differ); train it on the same."
            )
        members[WEIGHTS_FILE] = _saved(
            {**content, "models": {name: _halved(weights) for name, weights in content["models"].items()}}
        )
    return members


def _halved(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights in half precision; vectors, among them variances that may not become 0, take little room and stay as they are."""
    return {name: t.half() if t.is_floating_point() and t.ndim > 1 else t.clone() for name, t in weights.items()}


def _saved(content: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _plain_numbers(undefended: Path | None) -> dict[str, Any]:
    """What plain training on the same set reached."""
    if undefended is None:
        return {}
    found = bounded.read_object(undefended / "summary.json")
    return {f"plain_{name}": found.get(name) for name in ("clean_accuracy", "attack_success_rate", "epochs")}
