"""The packets that the linked views get: geometry once, then the columns of the epochs that they lack; no streamlit."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.components import packet
from app.figures.stages import stage_spans
from app.paper.settings import TABLE_7
from app.server import run_cache
from app.state.linked import Linked
from app.style.theme import DARK, LIGHT, STAGE_NAMES
from app.tune import preview
from app.tune.asks import Want, bitmap
from app.tune.columns import Columns, bits, distance_columns, epoch_columns, map_columns
from app.tune.preview import Preview
from bsd_engine.config.settings import BSDConfig
from bsd_engine.files.bounded import Stamp
from bsd_engine.method.preview import Settings
from bsd_engine.method.ranking import descending_ranks
from bsd_engine.method.worth import worth
from bsd_engine.runs.reader import RunReader

BYTES_AT_ONCE = 1_500_000
THUMB_SIDE = 48


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """One look at a run on the way to the browser."""

    run: RunReader
    truth_shown: bool
    live: bool
    busy: str
    """Why no branch can be started now; "" where one can."""
    looked: Linked
    settings: Settings

    @property
    def is_poison(self) -> np.ndarray | None:
        """The truth where it is known and shown."""
        truth = self.run.truth if self.truth_shown else None
        return None if truth is None else truth.is_poison


def build(look: ViewRequest, want: Want, answer: Preview | None, more: Mapping[str, Any] | None = None) -> bytes:
    """The packet that a message asks for; `more` is added to its header."""
    arrays: Columns = {}
    header = _header(look, answer) | _rows(look, want.rows) | dict(more or {})
    epochs = len(run_cache.rows(look.run.path))
    shown = look.looked.shown_epoch(epochs)
    if want.geometry:
        arrays |= _geometry(look)
    if want.geometry or want.static:
        header |= _static(look)
    header["sent"] = [[epoch, _stamp(look, epoch)] for epoch in _add_columns(look, arrays, _urgent(look, want, shown))]
    header["maps"] = _add_maps(look, arrays, want.maps)
    for epoch in want.distances:
        arrays |= {f"{epoch}/{name}": a for name, a in distance_columns(run_cache.state(look.run.path, epoch)).items()}
        header["sent"] += [[epoch, _stamp(look, epoch)]]
    if want.thumbs:
        header["thumbs"], arrays["thumbs"] = _thumbs(look.run, want.thumbs)
    if shown is not None:
        header |= _grid(look, want, shown)
    return packet.pack(header, arrays)


def _urgent(look: ViewRequest, want: Want, shown: int | None) -> tuple[int, ...]:
    """What was asked for; the shown epoch comes first, and unasked where the views follow the run or have nothing yet."""
    if shown is None:
        return ()
    unasked = (shown,) if want.geometry or (look.live and look.looked.epoch is None and shown > want.last) else ()
    return tuple(dict.fromkeys(unasked + want.columns))


def _header(look: ViewRequest, answer: Preview | None) -> dict[str, Any]:
    """What may change from one message to the next."""
    return {
        "run": look.run.run_id,
        "samples": look.run.num_samples,
        "truth": look.is_poison is not None,
        "live": look.live,
        "busy": look.busy,
        "answer": _answer(look, answer),
    }


def _rows(look: ViewRequest, known: str) -> dict[str, Any]:
    """The rows of the epochs, from the first on that the browser lacks; all of them where those that it knows have changed.

    `known` is the "rows" of an earlier header: their number and a digest. All rows of 120 epochs are 9 kB, at every tick.
    """
    rows = [_epoch_row(look, row) for row in run_cache.rows(look.run.path)]
    count = int(known.split(":")[0]) if re.fullmatch(r"\d{1,6}:\d+", known) else 0
    begin = count if known == _named(rows[:count]) else 0
    return {"from": begin, "epochs": rows[begin:], "rows": _named(rows)}


def _named(rows: list[list[Any]]) -> str:
    return f"{len(rows)}:{zlib.crc32(repr(rows).encode())}"


def _epoch_row(look: ViewRequest, row: run_cache.EpochRow) -> list[Any]:
    """Stage number, T, target, CA, ASR, pool, poison, stamp, map and whether it has all distances."""
    m, truth = row.metrics, look.is_poison is not None

    def known(name: str, digits: int, shown: bool = True) -> float | None:
        value = m.get(name) if shown else None
        return None if value is None else round(value, digits)

    kind, key = _map_of(look, row.epoch)
    return [
        list(STAGE_NAMES).index(row.stage),
        row.main_epoch,
        row.pseudo_target,
        known("clean_accuracy", 2),
        known("attack_success_rate", 2, truth),
        m.get("clean_pool_size"),
        known("poison_in_clean_pool", 0, truth),
        _stamp(look, row.epoch),
        kind,
        key,
        row.all_distances,
    ]


def _stamp(look: ViewRequest, epoch: int) -> int:
    return hash(run_cache.stamps(look.run.path, (epoch,))[0]) % 2**31


def _answer(look: ViewRequest, found: Preview | None) -> dict[str, Any] | None:
    """The engine's count of what the views show, to be compared with theirs."""
    if found is None:
        return None
    poison, difference = look.is_poison, found.difference
    return {
        "settings": asdict(found.settings),
        "epoch": found.epoch,
        "honesty": found.worth.honesty,
        "sentence": found.worth.sentence,
        "size": int(found.pool.sum()),
        "poison": None if poison is None else int((found.pool & poison).sum()),
        "difference": None if difference is None else asdict(difference),
        "begin": branch_text(found),
    }


def branch_text(found: Preview) -> str:
    """Where "run this" would begin."""
    at = found.worth.branch_epoch
    return (
        "Trains a new run from the start: the altruistic warm-up changes."
        if at is None
        else f"Trains on from the end of epoch {at + 1}, the last that these settings leave as it was."
    )


def _geometry(look: ViewRequest) -> Columns:
    run = look.run
    narrow = np.uint8 if len(run.class_names) <= 256 else np.uint16
    arrays: Columns = {"labels": run.labels.astype(narrow), "landmarks": run.landmark_idx.astype(np.uint32)}
    if look.is_poison is not None:
        assert run.truth is not None
        arrays |= {"poison": bits(look.is_poison), "original": run.truth.original_labels.astype(narrow)}
    if run.config.split.init_combine == "random":
        arrays["draw"] = _draw_ranks(run.num_samples, run.config.seed)
    return arrays


@lru_cache(maxsize=4)
def _draw_ranks(n: int, seed: int) -> np.ndarray:
    """(N,) uint32: place of each sample in the random order that "random" first pools are drawn in."""
    import torch

    from bsd_engine.compute.plans import generator_for

    return descending_ranks(torch.rand(n, generator=generator_for(seed, "pools", 0)).numpy()).astype(np.uint32)


def _static(look: ViewRequest) -> dict[str, Any]:
    """What stays the same all run, and where the views begin."""
    config, run = look.run.config, look.run
    return {
        "names": [str(name) for name in run.class_names],
        "own": own_settings(config),
        "total": config.schedule.total_epochs,
        "stage_names": list(STAGE_NAMES),
        "stages": [[STAGE_NAMES[s], a, b] for s, a, b in stage_spans(config.schedule)],
        "table7": [{"alpha": r.alpha, "beta": r.beta, "text": r.text} for r in TABLE_7],
        "palettes": {"light": asdict(LIGHT), "dark": asdict(DARK)},
        "worth": _worths(config),
        "state": {
            "epoch": look.looked.epoch,
            "pin": look.looked.pinned,
            "selected": bitmap(look.looked.selected, run.num_samples),
        },
        "settings": asdict(look.settings),
    }


def own_settings(config: BSDConfig) -> dict[str, Any]:
    """The run's settings as the browser's twin of the cuts names them."""
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
    stage: str
    pseudo_target: int | None = None


def _worths(config: BSDConfig) -> dict[str, list[list[str]]]:
    """For each stage: what a preview says with the run's settings, and with another alpha or beta."""
    own = Settings.of(config)
    other = replace(own, alpha=own.alpha / 2 + 0.123)
    found = {stage: [worth(config, s, _Stage(stage)) for s in (own, other)] for stage in STAGE_NAMES}
    return {stage: [[w.honesty, w.sentence] for w in pair] for stage, pair in found.items()}


def _add_columns(look: ViewRequest, arrays: Columns, epochs: tuple[int, ...]) -> list[int]:
    """Columns of as many of the epochs as a message holds; the first in any case."""
    sent: list[int] = []
    total = sum(a.nbytes for a in arrays.values())
    for epoch in epochs:
        columns = _columns(str(look.run.path), epoch, *run_cache.stamps(look.run.path, (epoch,)))
        places = _map_columns(look, epoch)
        size = sum(a.nbytes for a in (*columns.values(), *places.values()))
        if sent and total + size > BYTES_AT_ONCE:
            break
        total += size
        sent.append(epoch)
        arrays |= {f"{epoch}/{name}": a for name, a in (columns | places).items()}
    return sent


@lru_cache(maxsize=48)
def _columns(path: str, epoch: int, stamp: Stamp) -> Columns:
    run = run_cache.reader(Path(path))
    state = run_cache.state(run.path, epoch)
    split = run.config.split
    columns = epoch_columns(
        state, state.pseudo_target, predictions=split.completion == "fewest" and split.count_by == "pool_pred"
    )
    if split.completion == "fewest" and split.count_by == "all_pred" and state.main_prediction is not None:
        columns["predictions"] = np.bincount(state.main_prediction, minlength=len(run.class_names)).astype(np.uint32)
    return columns


def _map_of(look: ViewRequest, epoch: int) -> tuple[str, int]:
    """Kind of the map to show at an epoch, and the epoch that it is of: the newest UMAP map of the same model, else PCA."""
    history = run_cache.rows(look.run.path)
    if history[epoch].pca is None:
        return "", -1
    warm = history[epoch].main_epoch < 0
    mapped = [e for e in look.run.map_epochs if e <= epoch and (history[e].main_epoch < 0) == warm]
    return ("UMAP", mapped[-1]) if mapped else ("PCA", -1)


def _map_columns(look: ViewRequest, epoch: int) -> Columns:
    kind, at = _map_of(look, epoch)
    if not kind:
        return {}
    xy = look.run.map(at) if kind == "UMAP" else run_cache.pca_map(look.run.path, epoch)
    if xy is None or len(xy) != len(look.run.landmark_idx):
        return {}
    columns = map_columns(xy, run_cache.state(look.run.path, epoch), look.run.landmark_idx)
    return columns | {"map_key": np.array([at + 1], np.uint32)}


def _add_maps(look: ViewRequest, arrays: Columns, epochs: tuple[int, ...]) -> list[list[int]]:
    for epoch in epochs:
        arrays |= {f"{epoch}/{name}": a for name, a in _map_columns(look, epoch).items()}
    return [[epoch, _stamp(look, epoch)] for epoch in epochs]


def _thumbs(run: RunReader, ids: tuple[int, ...]) -> tuple[dict[str, Any], np.ndarray]:
    """Small images, (K, H, W, C) uint8; of large ones every n-th pixel."""
    images = run.images
    step = -(-max(images.shape[2:]) // THUMB_SIDE)
    pixels = np.stack([images[i, :3, ::step, ::step].transpose(1, 2, 0) for i in ids])
    _, height, width, channels = pixels.shape
    return {"ids": list(ids), "height": height, "width": width, "channels": channels}, pixels


def _grid(look: ViewRequest, want: Want, shown: int) -> dict[str, Any]:
    """The map over alpha and beta, if the browser has another one."""
    key, grid = preview.pool_map(look.run, look.settings, shown, truth_shown=look.is_poison is not None)
    if grid is None:
        first = look.run.config.schedule.altruistic_epochs + 1
        return {"grid": None, "grid_empty": f"The first split needs distances, which come with epoch {first}."}
    if key == want.grid:
        return {}

    def flat(values: np.ndarray | None) -> list[int] | None:
        return None if values is None else values.ravel().tolist()

    return {
        "grid": {
            "key": key,
            "alphas": list(grid.alphas),
            "betas": list(grid.betas),
            "size": flat(grid.size),
            "poison": flat(grid.poison),
            "clean": flat(grid.clean),
            "smallest": flat(grid.smallest_class),
        },
        "grid_empty": None,
    }
