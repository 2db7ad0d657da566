"""The run folder: written by the process that iterates the run, read by all others, crash-safe at any moment.

    config.json          format version, configuration, data fingerprint, class names, sizes, landmarks
    origin.json          this installation's signature, see `provenance`
    samples.npz          labels, landmark_idx
    images.npy           the training images as trained on (poison included), uint8 (N, C, H, W), for thumbnails
    files.json           path of each training image, relative to the data folder; absent if the data are not files
    truth.npz            is_poison, original_labels; absent if the ground truth is unknown
    epochs/00007.npz     one whole epoch: the arrays and numbers of its `EpochState`
    maps/00007.npz       2-D map of the landmarks, written by the map process
    checkpoints/00007.pt state after epoch 7, to resume or branch from; the last two and the end of each stage are kept
    digests.jsonl        digest of each file that the writer has written, see `digests`
    progress.json        the writer's position: epoch, iteration, state, last command obeyed
    commands.jsonl       pause, resume, stop, appended by viewers
    summary.json         written once, at the end

The folder itself appears by a rename, with everything that stays the same, and every file except commands.jsonl and
digests.jsonl by another, so a reader sees all of it or nothing. The one writer holds a lock on config.json (flock),
which is released when the writer dies; the file `lock` of older folders means nothing.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from bsd_engine.files import bounded

FORMAT_VERSION = 4
"""2: the OSS warm-up records all three distances and the nearest class. 3: epochs are packed (`epoch_file`). 4: files
have digests. Older folders can be read."""
WITH_DIGESTS = 4
"""From this format on, a file without a digest is damaged."""


_NUMBER = re.compile("[0-9]{5}|[1-9][0-9]{5,8}")
_SETTLED_NANOSECONDS = 2 * 10**9

Command = Literal["pause", "resume", "stop"]


Status = Literal["running", "paused", "finished", "stopped", "failed", "interrupted"]


def new_run_id() -> str:
    """Return a new folder name: local time and six random letters, never text from a user."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def epoch_name(epoch: int) -> str:
    return f"epochs/{epoch:05d}.npz"


def file_numbers(folder: Path, suffix: str) -> list[int]:
    """Return the numbers of the files in a folder whose names are five or more digits, ascending.

    A page asks many times for the same folder, which may hold 200,000 files, so the numbers are kept until it changes.
    """
    try:
        stamp = bounded.stamp_of(folder)
    except OSError:
        return []
    # The clock of a file system moves in steps, so a folder that has just changed may change again unseen.
    is_settled = abs(time.time_ns() - stamp[2]) > _SETTLED_NANOSECONDS
    return list((_kept_numbers if is_settled else _numbers)(str(folder), suffix, stamp))


def _numbers(folder: str, suffix: str, stamp: bounded.Stamp) -> tuple[int, ...]:
    try:
        stems = [name.removesuffix(suffix) for name in os.listdir(folder) if name.endswith(suffix)]
    except OSError:
        return ()
    return tuple(sorted(int(stem) for stem in stems if _NUMBER.fullmatch(stem)))


_kept_numbers = lru_cache(maxsize=32)(_numbers)


def checkpoint_paths(path: Path) -> list[Path]:
    """Return the checkpoints of a run folder, oldest first."""
    folder = Path(path) / "checkpoints"
    return [folder / f"{epoch:05d}.pt" for epoch in file_numbers(folder, ".pt")]


def list_runs(root: Path) -> list[Path]:
    """Return the run folders below `root`, newest first whatever their names; unreadable ones come last.

    Hidden folders are left out: a run that is being made has a hidden name until it is complete.
    """
    return [Path(root, name) for name in run_names(root)]


def run_names(root: Path) -> list[str]:
    """Return the names of the folders of `list_runs`; 2,000 paths would take longer to make than to find."""
    found: list[tuple[float, str]] = []
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            config = os.path.join(entry.path, "config.json")
            with contextlib.suppress(OSError):
                found.append((_created_at(config, bounded.stamp_of(config)), entry.name))
    return [name for _, name in sorted(found, reverse=True)]


@lru_cache(maxsize=16384)
def _created_at(path: str, stamp: bounded.Stamp) -> float:
    """Return the start time of a run, seconds since 1970."""
    try:
        return datetime.fromisoformat(bounded.read_object(Path(path), follow=False)["created"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return -math.inf


NO_BRANCH = (
    "This is a recording: it holds the models' weights but not the optimisers' state, so training cannot go on from "
    "it. Start a run with its settings on the page Run, or with its command."
)
"""The reason why a recording cannot be resumed or branched from."""
