"""The run folder: written by whoever iterates a run, read by everyone else, crash-safe at any moment.

    config.json          format version, configuration, data fingerprint, class names, sizes, landmarks
    samples.npz          labels, landmark_idx
    images.npy           the training images as trained on (poison included), uint8 (N, C, H, W), for thumbnails
    files.json           file of each training image below the folder it came from; absent where there are no files
    truth.npz            is_poison, original_labels; absent where the truth is unknown
    epochs/00007.npz     one whole epoch: the arrays and numbers of its `EpochState`
    maps/00007.npz       2-D map of the landmarks, written by the map process
    checkpoints/00007.pt state after epoch 7, to resume or branch from; the last two and the end of each stage are kept
    progress.json        where the writer is now: epoch, iteration, state, last command obeyed
    commands.jsonl       pause, resume, stop, appended by viewers
    summary.json         written once, at the end
    lock                 held (flock) by the one writer; a dead writer does not keep it

Each file but commands.jsonl and lock appears by an atomic rename, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import math
import os
import secrets
import time
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, StorageError
from bsd_engine.events import EpochState
from bsd_engine.files import bounded
from bsd_engine.runs import validation
from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch

FORMAT_VERSION = 3
"""2: the OSS warm-up records all three distances and the nearest class. 3: epochs are packed (`epoch_file`). Older folders are read."""
_PART_BYTES = 4_000_000  # of a large file, written at a time
Command = Literal["pause", "resume", "stop"]
Status = Literal["running", "paused", "finished", "stopped", "failed", "interrupted"]

_IN_MEMORY_BELOW = 64_000_000  # bytes of images that are read instead of mapped


def new_run_id() -> str:
    """A fresh folder name: local time and six random letters, never a user's text."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def storage_errors(path: Path, advice: str = "Finished epochs are kept; resume the run afterwards.") -> Iterator[None]:
    """Turn a full disk or a folder without permission into one sentence, and say what to do afterwards."""
    try:
        yield
    except OSError as error:
        cause = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EACCES: "permission is missing; make the folder writable",
            errno.EROFS: "the file system is read-only; choose another folder",
            errno.ENOENT: "the folder is gone; it must not be moved or deleted while it is written to",
        }.get(error.errno, f"{error.strerror or error}")
        raise StorageError(f"Cannot write {path}: {cause}. {advice}") from error


def write_atomic(path: Path, content: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file so that readers see the old content or the new one, never a part; large content comes in parts.

    A durable one is on the disk before it gets its name: after a loss of power, too, it is whole or not there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(3)}.tmp")
    with storage_errors(path):
        try:
            with temporary.open("xb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def make_folder(path: Path) -> None:
    """Make a folder for a run; one with files in it raises `RunFolderError`."""
    with storage_errors(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path} is not an empty folder; give a new one, or resume the run in it with --resume {path}."
            )
        path.mkdir(parents=True, exist_ok=True)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: np.ndarray) -> Iterator[bytes]:
    """An .npy file in parts, for arrays in any order of memory that may be as large as the memory."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    )
    yield header.getvalue()
    rows = max(1, _PART_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        yield array[start : start + rows].tobytes()


def _refuse_linked_folders(path: Path) -> None:
    """A folder from elsewhere must not have this program write, or delete old checkpoints, outside of it."""
    for name in ("epochs", "maps", "checkpoints"):
        if (path / name).is_symlink():
            raise RunFolderError(f"{path / name} is a link to another folder; copy what it points to into its place.")


class RunWriter:
    """The one writer of a run folder. Use it as a context manager: leaving it gives the lock back."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._commands_read = 0
        self._last_progress = 0.0
        self._lock = self._take_lock()

    @classmethod
    def create(
        cls,
        path: Path,
        config: BSDConfig,
        *,
        fingerprint: str,
        class_names: tuple[str, ...],
        images: np.ndarray,
        labels: np.ndarray,
        landmark_idx: np.ndarray,
        is_poison: np.ndarray | None,
        original_labels: np.ndarray | None,
        branched_from: dict[str, Any] | None = None,
        files: tuple[str, ...] | None = None,
    ) -> RunWriter:
        """A new run folder, with everything that stays the same for the whole run.

        A branch says where it comes from: {"run": id, "epoch": last epoch taken over}.
        """
        path = Path(path)
        make_folder(path)
        with storage_errors(path):
            for name in ("epochs", "maps", "checkpoints"):
                (path / name).mkdir()
        writer = cls(path)
        try:
            writer._write("samples.npz", _npz(labels=labels.astype(np.int64), landmark_idx=landmark_idx))
            writer._write("images.npy", _npy(images))
            if files is not None:
                writer._write("files.json", _json({"files": files}))
            if is_poison is not None:
                writer._write("truth.npz", _npz(is_poison=is_poison, original_labels=original_labels))
            writer._write(
                "config.json",
                _json(
                    {
                        "format_version": FORMAT_VERSION,
                        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
                        "config": config.to_dict(),
                        "fingerprint": fingerprint,
                        "class_names": list(class_names),
                        "num_samples": len(labels),
                        "truth_known": is_poison is not None,
                        "branched_from": branched_from,
                    }
                ),
            )
        except BaseException:
            writer.close()
            raise
        return writer

    def _take_lock(self) -> int:
        with storage_errors(self.path):
            _refuse_linked_folders(self.path)
            lock = _without_following(str(self.path / "lock"), os.O_RDWR | os.O_CREAT)
        for _ in range(20):  # a viewer's probe (`is_locked`) holds the lock for some microseconds
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            time.sleep(0.02)
        os.close(lock)
        raise RunFolderError(f"{self.path} is being written by another process; stop that run first.")

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; the folder stays readable and, if unfinished, resumable."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        write_atomic(self.path / name, content)

    def epoch(self, state: EpochState) -> None:
        """Add one whole epoch, replacing a record of the same epoch that a resumed run repeats."""
        self._write(f"epochs/{state.epoch:05d}.npz", pack_epoch(state))

    def checkpoint(self, epoch: int, content: bytes, *, keep: Collection[int] = ()) -> None:
        """Add the state after an epoch; of those before it, only the last one and those of the epochs to keep stay.

        Those after it are of before a resume that could not read them, and go.
        """
        self._write(f"checkpoints/{epoch:05d}.pt", content)
        numbers = {int(path.stem): path for path in checkpoint_paths(self.path)}
        before = max((number for number in numbers if number < epoch), default=None)
        for number, old in numbers.items():
            if number > epoch or number not in (epoch, before, *keep):
                with contextlib.suppress(
                    OSError
                ):  # one too many does no harm; a folder that cannot be written has said so
                    old.unlink(missing_ok=True)

    def progress(self, *, min_interval: float = 0.0, **values: Any) -> None:
        """Publish where the run is, unless that was done less than `min_interval` seconds ago."""
        now = time.monotonic()
        if now - self._last_progress >= min_interval:
            self._last_progress = now
            content = _json({**values, "time": time.time(), "commands_obeyed": self._commands_read})
            write_atomic(self.path / "progress.json", content, durable=False)  # twice a second, and no loss

    def summary(self, summary: dict[str, Any]) -> None:
        """Write the last word on the run."""
        self._write("summary.json", _json(summary))

    def clear_summary(self) -> None:
        """Remove the summary of a stopped run that goes on."""
        with storage_errors(self.path):
            (self.path / "summary.json").unlink(missing_ok=True)

    def new_commands(self) -> list[Command]:
        """Commands given since the last call, oldest first."""
        commands = read_commands(self.path)
        fresh, self._commands_read = commands[self._commands_read :], len(commands)
        return fresh

    def ignore_commands(self, count: int) -> None:
        """Start after so many commands, which an earlier writer of this folder was given."""
        self._commands_read = count


def read_commands(path: Path) -> list[Command]:
    """Commands given so far, oldest first; none where they cannot be read."""
    try:
        lines = (
            bounded.read_bytes(path / "commands.jsonl", bounded.MOST_JSON_BYTES).decode(errors="replace").splitlines()
        )
    except (OSError, ValueError):
        return []
    return [command for command in map(_command_of, lines) if command]


def _command_of(line: str) -> Command | None:
    """The command in a line; None for a line that a viewer has not finished, or never will."""
    try:
        command = bounded.parse_object(line)["command"]
    except (ValueError, KeyError):
        return None
    return command if command in get_args(Command) else None


def send_command(path: Path, command: Command) -> None:
    """Ask the writer of a run folder to pause, resume or stop; it obeys within an iteration."""
    # The newline in front ends a line that a dying viewer left torn.
    line = "\n" + json.dumps({"command": command, "time": time.time()}) + "\n"
    with storage_errors(path), open(path / "commands.jsonl", "a", opener=_without_following) as file:
        file.write(line)


def _without_following(path: str, flags: int) -> int:
    """Open a file of a run folder, but not what a link in its place points to: the folder may come from elsewhere."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Which samples are poisoned, and what they were; only metrics and views read it."""

    is_poison: np.ndarray
    """(N,) bool."""
    original_labels: np.ndarray
    """(N,) int64."""


class RunReader:
    """A run folder as anyone may see it at any moment: live, finished, interrupted or bundled."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        info = self._read_json("config.json", checked=False)  # a newer version may hold other kinds of values
        if info is None:
            raise RunFolderError(
                f"{self.path} is not a run folder (no config.json); choose a folder that a run has written."
            )
        version = info.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise RunFolderError(
                f"{self.path} has format {version}, this program reads up to {FORMAT_VERSION}; update the program."
            )
        with self._naming("config.json"):
            validation.check_config(info)
        self.config = BSDConfig.from_dict(info["config"])
        self.class_names: tuple[str, ...] = tuple(info["class_names"])
        self.num_samples: int = info["num_samples"]
        self.fingerprint: str = info["fingerprint"]
        self.created: str = info["created"]
        self.truth_known: bool = info["truth_known"]
        self.branched_from: dict[str, Any] | None = info.get("branched_from")
        self._states: dict[int, tuple[bounded.Stamp, EpochState]] = {}

    @property
    def run_id(self) -> str:
        """Name of the folder."""
        return self.path.name

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Turn what is wrong with a file into one sentence."""
        try:
            yield
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.path / name} cannot be read: {error}. The folder is broken.") from None

    def _read_json(self, name: str, *, checked: bool = True) -> dict[str, Any] | None:
        with self._naming(name):
            try:
                content = bounded.read_object(self.path / name)
            except FileNotFoundError:
                return None
            if checked:
                validation.check_kinds(name, content)
        return content

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64: the given, possibly poisoned labels."""
        return self._samples["labels"]

    @property
    def landmark_idx(self) -> np.ndarray:
        """(L,) int64: the samples that the maps show, the same all run."""
        return self._samples["landmark_idx"]

    @property
    def _samples(self) -> dict[str, np.ndarray]:
        with self._naming("samples.npz"):
            arrays = _arrays_of(self.path / "samples.npz")
            validation.check_samples(arrays, self.num_samples, len(self.class_names))
        return arrays

    @property
    def truth(self) -> Truth | None:
        """The truth, or None where it is unknown."""
        if not self.truth_known:
            return None
        with self._naming("truth.npz"):
            arrays = _arrays_of(self.path / "truth.npz")
            validation.check_truth(arrays, self.num_samples, len(self.class_names))
        return Truth(**arrays)

    @property
    def files(self) -> tuple[str, ...] | None:
        """(N,) file of each sample below the folder that it was read from; None where there were no files."""
        content = self._read_json("files.json")
        return tuple(content["files"]) if content and len(content.get("files", ())) == self.num_samples else None

    @property
    def images(self) -> np.ndarray:
        """(N, C, H, W) uint8, not writable: the images as trained on; many of them are memory-mapped."""
        with self._naming("images.npy"):
            path = self.path / "images.npy"
            images = _images_at(str(path), bounded.stamp_of(path))
            validation.check_images(images, self.num_samples)
        return images

    @property
    def summary(self) -> dict[str, Any] | None:
        """Content of summary.json, or None while there is none."""
        summary = self._read_json("summary.json")
        if summary is not None:
            with self._naming("summary.json"):
                validation.check_summary(summary)
        return summary

    @property
    def progress(self) -> dict[str, Any] | None:
        """Where the writer said it was last; None before its first word."""
        return self._read_json("progress.json")

    @property
    def status(self) -> Status:
        """State of the run; `interrupted` where a writer died and the run can be resumed."""
        if is_locked(self.path):
            state = (self.progress or {}).get("state", "running")
            return "paused" if state == "paused" else "running"
        summary = self.summary
        return summary["status"] if summary else "interrupted"

    @property
    def can_resume(self) -> bool:
        """Whether nobody writes the folder, and there is a checkpoint to go on from or at most one epoch to train again."""
        return self.status in ("interrupted", "stopped", "failed") and (
            bool(checkpoint_paths(self.path)) or self.begins_again
        )

    @property
    def begins_again(self) -> bool:
        """Whether a resumed run has nothing to go on from and starts over; an epoch is recorded just before its checkpoint."""
        return not checkpoint_paths(self.path) and len(self.epochs) <= 1

    @property
    def epochs(self) -> list[int]:
        """Whole epochs recorded so far, from 0 without gaps."""
        found = set(_numbers(self.path / "epochs", ".npz"))
        return list(range(next(i for i in range(len(found) + 1) if i not in found)))

    @property
    def version(self) -> tuple[int, int, float]:
        """Changes when an epoch or a map is added or written anew, whatever the clock says: compare it before redrawing."""
        stamps = [stamp for name in ("epochs", "maps") for stamp in _stamps(self.path / name)]
        return len(self.epochs), len(self.map_epochs), float(zlib.crc32(repr(sorted(stamps)).encode()))

    def epoch(self, epoch: int) -> EpochState:
        """One recorded epoch, kept in memory."""
        path = self.path / _epoch_name(epoch)
        try:
            stamp = bounded.stamp_of(path)
        except OSError:
            return self.read_epoch(epoch)
        if self._states.get(epoch, (None, None))[0] != stamp:
            self._states[epoch] = (stamp, self.read_epoch(epoch))
        return self._states[epoch][1]

    def read_epoch(self, epoch: int) -> EpochState:
        """One recorded epoch, from the disk."""
        name = _epoch_name(epoch)
        with self._naming(name):
            try:
                state = unpack_epoch(bounded.read_bytes(self.path / name, bounded.MOST_NPZ_BYTES))
            except FileNotFoundError:
                raise RunFolderError(f"{self.path} has no epoch {epoch}; it holds {len(self.epochs)}.") from None
            validation.check_epoch(state, epoch, self.num_samples, len(self.class_names))
        return state

    @property
    def map_epochs(self) -> list[int]:
        """Epochs that have a UMAP map so far."""
        return _numbers(self.path / "maps", ".npz")

    def map(self, epoch: int) -> np.ndarray:
        """(L, 2) float32: the UMAP map of one of `map_epochs`."""
        name = f"maps/{epoch:05d}.npz"
        with self._naming(name):
            xy = bounded.read_arrays(self.path / name).get("xy")
            validation.check_map(xy, len(self.landmark_idx))
        return xy


def _epoch_name(epoch: int) -> str:
    return f"epochs/{epoch:05d}.npz"


def _numbers(folder: Path, suffix: str) -> list[int]:
    """Numbers of the files in a folder that are named by five digits or more, ascending."""
    stems = [p.stem for p in folder.glob(f"[0-9]*{suffix}")]
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and stem == f"{int(stem):05d}")


def _stamps(folder: Path) -> Iterator[tuple[str, bounded.Stamp]]:
    """Names and stamps of the .npz files of a folder; one that is deleted meanwhile is left out."""
    for path in folder.glob("*.npz"):
        with contextlib.suppress(OSError):
            yield path.name, bounded.stamp_of(path)


@lru_cache(maxsize=32)
def _arrays_at(path: str, stamp: bounded.Stamp) -> dict[str, np.ndarray]:
    return bounded.read_arrays(Path(path))


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    return _arrays_at(str(path), bounded.stamp_of(path))


@lru_cache(maxsize=2)
def _images_at(path: str, stamp: bounded.Stamp) -> np.ndarray:
    return bounded.open_array(Path(path), in_memory_below=_IN_MEMORY_BELOW)


def is_locked(path: Path) -> bool:
    """Whether a living writer holds the run folder."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def checkpoint_paths(path: Path) -> list[Path]:
    """Checkpoints of a run folder, oldest first."""
    folder = Path(path) / "checkpoints"
    return [folder / f"{epoch:05d}.pt" for epoch in _numbers(folder, ".pt")]


def list_runs(root: Path) -> list[Path]:
    """Run folders below `root`, newest first, whatever they are called now; those that cannot be read come last."""
    return sorted(
        (p.parent for p in Path(root).glob("*/config.json")), key=lambda p: (_created(p), p.name), reverse=True
    )


def _created(path: Path) -> float:
    """When a run was begun, seconds since 1970."""
    try:
        return _created_at(str(path / "config.json"), bounded.stamp_of(path / "config.json"))
    except OSError:
        return -math.inf


@lru_cache(maxsize=4096)
def _created_at(path: str, stamp: bounded.Stamp) -> float:
    try:
        return datetime.fromisoformat(bounded.read_object(Path(path))["created"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return -math.inf
