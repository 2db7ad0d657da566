"""Malformed inputs for everything that reads what others wrote: each ends in one of the project's own errors or in a result.

    python -m tests.nightly.fuzzing [INPUTS] [SEED]      default 10000 0; a tenth of a second each at most, but for the slowest
    python -m tests.nightly.fuzzing TARGET SEED          one input again, with its traceback

Fails for an input that raises anything else, takes more than 2 s, or makes the process a gigabyte larger.
"""

from __future__ import annotations

import copy
import io
import json
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bsd_engine import splits
from bsd_engine.attacks import custom
from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.data import sources
from bsd_engine.data.decoding import decode
from bsd_engine.errors import BSDError
from bsd_engine.files.bounded import parse_object
from bsd_engine.runs import checkpoints
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.reader import RunReader

MOST_SECONDS = 2.0
MOST_BYTES = 1_000_000_000
Attempt = Callable[[random.Random], None]
"""Makes an input, and has it read."""

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    3,
    1.5,
    -0.0,
    1e308,
    10**400,
    2**63,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    "../..",
    "<script>",
    "=1+1",
    [],
    [[]],
    [1, "a"],
    {},
    {"a": {}},
    "é" * 40,
    "\ud800",
)


# -- making inputs ---------------------------------------------------------------------------------


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Bytes with a few changes: flipped bits, a part missing, doubled or overwritten."""
    result = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        kind, at = draw.randrange(6), draw.randrange(len(result) + 1)
        length = draw.choice((1, 2, 8, 64, 1000))
        if kind == 0 and at < len(result):
            result[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del result[at:]
        elif kind == 2:
            del result[at : at + length]
        elif kind == 3:
            result[at:at] = result[at : at + length]
        elif kind == 4:
            result[at : at + length] = draw.randbytes(min(length, 64))
        else:
            result[at : at + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"PK\3\4"))
    return bytes(result)


def odd_json(value: Any, draw: random.Random) -> bytes:
    """A JSON document with one value replaced, renamed or removed; now and then nested to the sky."""
    if draw.random() < 0.02:
        return draw.choice((b"[", b'{"a":')) * 100_000
    value = copy.deepcopy(value)
    place: Any = value
    for _ in range(draw.randrange(1, 4)):
        if not isinstance(place, dict) or not place:
            break
        key = draw.choice(sorted(place))
        if isinstance(place[key], dict) and place[key] and draw.random() < 0.7:
            place = place[key]
            continue
        if draw.random() < 0.15:
            place[str(draw.choice(ODD_VALUES))[:20]] = place.pop(key)
        elif draw.random() < 0.15:
            del place[key]
        else:
            place[key] = draw.choice(ODD_VALUES)
    return json.dumps(value).encode(errors="surrogatepass")


def odd_array(array: np.ndarray, draw: random.Random) -> np.ndarray:
    """An array of another kind, shape or range."""
    kind = draw.randrange(6)
    if kind == 0:
        return array.astype(draw.choice((np.float64, np.int8, np.bool_, np.complex64, "U3", "M8[s]", ">f4")))
    if kind == 1:
        return array[: draw.randrange(len(array) + 1)] if array.ndim else array
    if kind == 2:
        return array[None]
    if kind == 3:
        return np.asarray(draw.choice((0, -1, 2**31, 0.5)))
    if kind == 4 and array.dtype.kind in "iuf" and array.size:
        extremes = np.array([draw.choice((-1, 10**4, 100, 0))], array.dtype if array.dtype.kind != "u" else np.int64)
        return np.concatenate([np.ravel(array)[1:].astype(extremes.dtype), extremes]).reshape(array.shape)
    return np.full(array.shape, np.nan if array.dtype.kind == "f" else 1).astype(array.dtype)


def odd_npz(content: bytes, draw: random.Random) -> bytes:
    """An .npz file that is sound as a zip file, and odd inside: other arrays, forged headers, compression."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = draw.choice(sorted(members))
    kind = draw.randrange(6)
    if kind == 0:
        members[name] = _forged_header(members[name], draw)
    elif kind == 1:
        members[f"{draw.choice(('x', '../x', 'is_poison', '', 'scalars'))}.npy"] = members.pop(name)
    elif kind == 2:
        members[name] = damaged(members[name], draw)
    else:
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        if name == "scalars.npy":
            array = np.frombuffer(odd_json(json.loads(array.tobytes()), draw), np.uint8)
        else:
            array = (
                odd_array(array, draw)
                if array.dtype.kind in "biuf"
                else np.array(draw.choice(("x", ["", "é"], [["a"]], 3, [1.5])))
            )
        members[name] = _npy(array)
    result = io.BytesIO()
    with zipfile.ZipFile(
        result, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return result.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _forged_header(content: bytes, draw: random.Random) -> bytes:
    """An .npy file whose header says something else than its content."""
    descr = draw.choice(("<f4", "|O", "<f8", "|u1", "<U1000000000", "|V0", "(3,)f4", "nonsense", "[('a','<f4')]"))
    shape = draw.choice(
        (
            "(10**15,)",
            "(1000000000000000,)",
            "(-1,)",
            "(0,)",
            "()",
            "(2, 2)",
            "(4611686018427387904, 4)",
            "(1.5,)",
            "None",
            "(True,)",
        )
    )
    header = draw.choice(
        (
            f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}",
            "{" * 900,
            "(" * 3000,
            "",
            "[1]",
            "'\\",
            "{'descr': ",
        )
    ).encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[128:]


# -- targets ---------------------------------------------------------------------------------------


def settings_target(folder: Path) -> Attempt:
    """Stored settings."""
    whole = smoke().to_dict()

    def attempt(draw: random.Random) -> None:
        try:
            values = parse_object(odd_json(whole, draw))
        except ValueError as error:  # what a reader of config.json takes for a broken folder
            raise BSDError(str(error)) from None
        BSDConfig.from_dict(values)

    return attempt


def read_all(path: Path) -> None:
    """Everything that a viewer asks a run folder for; what cannot be read must not keep the rest from being read."""
    run = RunReader(path)
    wanted: list[Callable[[], Any]] = [
        lambda: run.labels,
        lambda: run.landmark_idx,
        lambda: run.truth,
        lambda: run.images.sum(),
        lambda: run.summary,
        lambda: run.progress,
        lambda: run.status,
        lambda: run.can_resume,
        lambda: run.version,
        lambda: [run.map(e) for e in run.map_epochs],
        *(lambda e=e: run.epoch(e) for e in run.epochs),
    ]
    errors = []
    for read in wanted:
        try:
            read()
        except BSDError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def make_run(folder: Path) -> Path:
    """A small run folder with every kind of file in it."""
    from tests.support.fake_run import fake_run

    path = fake_run(folder, epochs=10, samples=60, maps=True, run_id="run")
    (path / "progress.json").write_text(
        json.dumps({"state": "running", "epoch": 3, "iteration": 2, "iterations": 9, "time": 1.0, "commands_obeyed": 1})
    )
    (path / "commands.jsonl").write_text('\n{"command": "pause", "time": 1.0}\n')
    return path


def _spoil(path: Path, whole: dict[str, bytes], draw: random.Random) -> Path:
    """Damage one file of a run folder; returns it, to be mended afterwards."""
    name = draw.choice([n for n in sorted(whole) if n != "lock" and not n.startswith("checkpoints")])
    file, content = path / name, whole[name]
    kind = draw.randrange(8)
    if kind == 0:
        file.unlink()
    elif kind == 1:
        file.write_bytes(whole[draw.choice(sorted(whole))])
    elif kind < 5 and name.endswith(".npz"):
        file.write_bytes(odd_npz(content, draw))
    elif kind < 5 and name.endswith(".json"):
        file.write_bytes(odd_json(json.loads(content), draw))
    elif kind < 5 and name.endswith(".npy"):
        file.write_bytes(_forged_header(content, draw))
    else:
        file.write_bytes(damaged(content, draw))
    return file


def _run_folder(folder: Path, read: Callable[[Path, random.Random], Any]) -> Attempt:
    path = make_run(folder)
    whole = {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def attempt(draw: random.Random) -> None:
        file = _spoil(path, whole, draw)
        try:
            read(path, draw)
        finally:
            file.write_bytes(whole[str(file.relative_to(path))])

    return attempt


def run_folder_target(folder: Path) -> Attempt:
    """A run folder with one file damaged or forged, read as viewers read it."""
    return _run_folder(folder, lambda path, _: read_all(path))


def page_target(folder: Path) -> Attempt:
    """The same, as the page draws it: the state in words and every figure."""
    from app.run.panels import PANELS, View
    from app.run.status import look, sentence
    from app.server.registry import RunRegistry
    from app.style.theme import LIGHT

    registry = RunRegistry(folder)

    def read(path: Path, draw: random.Random) -> None:
        now = look(registry, path.name)
        sentence(now, registry, truth_shown=True)
        assert now.epoch_in_progress and now.run is not None
        if now.rows:
            PANELS[draw.choice(sorted(PANELS))](
                View(path=path, version=now.run.version, epoch=len(now.rows) - 1, palette=LIGHT, truth_shown=True)
            )

    return _run_folder(folder, read)


def npz_target(folder: Path) -> Attempt:
    """An .npz file of images."""
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    np.savez(
        stream,
        train_images=rng.integers(0, 256, (12, 8, 8, 3), np.uint8),
        train_labels=np.arange(12) % 3,
        test_images=rng.integers(0, 256, (6, 8, 8, 3), np.uint8),
        test_labels=np.arange(6) % 3,
        class_names=np.array(["a", "b", "c"]),
    )
    file = folder / "set.npz"

    def attempt(draw: random.Random) -> None:
        change = draw.choice((damaged, odd_npz))
        file.write_bytes(change(stream.getvalue(), draw))
        source = sources.npz(file)
        source.read(np.arange(min(3, len(source.train_labels))))

    return attempt


def image_target(folder: Path) -> Attempt:
    """An image file among a data set's, or as a trigger."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    whole = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        whole.append((f"x.{kind.lower()}", stream.getvalue()))

    def attempt(draw: random.Random) -> None:
        name, content = draw.choice(whole)
        file = folder / name
        file.write_bytes(damaged(content, draw))
        if draw.random() < 0.5:
            decode([file])
        else:
            custom.read_picture(file)

    return attempt


def checkpoint_target(folder: Path) -> Attempt:
    """A checkpoint."""
    stream, file = io.BytesIO(), folder / "00001.pt"
    torch.save(
        {
            "version": 2,
            "epoch": 1,
            "models": {"main": {"w": torch.arange(6.0)}},
            "clean_mask": torch.ones(4, dtype=torch.bool),
        },
        stream,
    )

    def attempt(draw: random.Random) -> None:
        file.write_bytes(damaged(stream.getvalue(), draw))
        try:
            checkpoints.read(file)
        except (OSError, ValueError) as error:  # what `load_checkpoint` takes for a damaged file
            raise BSDError(str(error)) from None

    return attempt


def commands_target(folder: Path) -> Attempt:
    """What viewers have written into commands.jsonl."""
    line = b'\n{"command": "pause", "time": 1.0}\n'

    def attempt(draw: random.Random) -> None:
        (folder / "commands.jsonl").write_bytes(damaged(line * 3, draw) + odd_json({"command": "stop"}, draw))
        assert set(read_commands(folder)) <= {"pause", "resume", "stop"}

    return attempt


def address_target(folder: Path) -> Attempt:
    """The name of a run in the page's address: nothing but a folder directly below the root is found."""
    from app.server.registry import RunRegistry
    from tests.support.fake_run import fake_run

    root, outside = folder / "runs", folder / "elsewhere"
    fake_run(outside, epochs=1, samples=60, run_id="secret")
    fake_run(root, epochs=1, samples=60, run_id="run")
    (root / "link").symlink_to(outside / "secret")
    registry = RunRegistry(root)
    pieces = (
        "run",
        "link",
        "secret",
        "elsewhere",
        "..",
        ".",
        "/",
        "\\",
        "\0",
        "%2e%2e",
        "~",
        "",
        " ",
        "\n",
        "\ud800",
        "a" * 300,
        str(outside),
    )

    def attempt(draw: random.Random) -> None:
        name = "".join(draw.choice(pieces) for _ in range(draw.randrange(1, 6)))
        assert registry.path(name) == root / "run"

    return attempt


def splits_target(folder: Path) -> Attempt:
    """Scores of any value, not-a-number among them: the counts of the equations hold."""

    def attempt(draw: random.Random) -> None:
        n, share = draw.randrange(1, 40), draw.choice((0.01, 0.2, 0.5, 0.99, 1.0, draw.random() or 0.5))
        values = (0.0, 1.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-45, 3e38)
        scores = np.array([draw.choice(values) for _ in range(n)], np.float32)
        labels = np.array([draw.randrange(4) for _ in range(n)])
        masks = [splits.als_clean_mask(scores, share), splits.oss_clean_mask(scores, labels, 1, share)]
        with np.errstate(invalid="ignore"):
            masks += [
                splits.discrepancy_clean_mask(scores, labels, share, how) for how in ("fewest", "balanced", "off")
            ]
        assert all(mask.shape == (n,) and mask.dtype == bool for mask in masks) and masks[0].sum() <= n * share + 1e-6

    return attempt


TARGETS: dict[str, Callable[[Path], Attempt]] = {
    "settings": settings_target,
    "run folder": run_folder_target,
    "page": page_target,
    "npz": npz_target,
    "image": image_target,
    "checkpoint": checkpoint_target,
    "commands": commands_target,
    "address": address_target,
    "splits": splits_target,
}
SHARES = {"page": 0.2}
"""Figures take a hundred times as long as the other targets, so fewer are drawn."""


# -- the nightly run -------------------------------------------------------------------------------


def _bytes_used() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _once(attempt: Attempt, seed: str) -> tuple[str, float]:
    """How an input ended, and in how many seconds."""
    begin, before = time.perf_counter(), _bytes_used()
    try:
        attempt(random.Random(seed))
        outcome = "read"
    except BSDError:
        outcome = "refused"
    except Exception as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - begin
    if seconds > MOST_SECONDS:
        outcome = f"took {seconds:.1f} s"
    if _bytes_used() - before > MOST_BYTES:
        outcome = f"took {(_bytes_used() - before) / 1e9:.1f} GB"
    return outcome, seconds


def _measure(name: str, count: int, seed: int) -> int:
    """Print one line about a target, and one about each input that was not taken well; returns how many those are."""
    folder = Path(tempfile.mkdtemp(prefix="fuzzing-"))
    try:
        attempt, bad, slowest, ends = TARGETS[name](folder), 0, 0.0, {"read": 0, "refused": 0}
        for i in range(count):
            outcome, seconds = _once(attempt, f"{seed}-{i}")
            slowest = max(slowest, seconds)
            if outcome in ends:
                ends[outcome] += 1
            else:
                bad += 1
                print(f"  {name} {seed}-{i}: {outcome}", flush=True)
    finally:
        shutil.rmtree(folder)
    print(
        f"{name:<12}{count:>7} inputs: {ends['refused']:>6} refused, {ends['read']:>6} read, {bad} failed; slowest {slowest:.2f} s",
        flush=True,
    )
    return bad


def main(count: int, seed: int) -> int:
    """All targets, that many inputs in all; returns how many inputs were not taken well."""
    weights = {name: SHARES.get(name, 1.0) for name in TARGETS}
    shares = {name: -(-int(count * weight) // int(sum(weights.values()))) for name, weight in weights.items()}
    bad = sum(_measure(name, shares[name], seed) for name in TARGETS)
    print(
        f"{sum(shares.values()) - bad} of {sum(shares.values())} inputs ended well; {_bytes_used() / 1e6:.0f} MB at most"
    )
    return bad


def again(name: str, seed: str) -> None:
    """One input, with its traceback."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            TARGETS[name](Path(folder))(random.Random(seed))
        except BSDError as error:
            print(f"refused: {error}")
        except Exception:
            traceback.print_exc()


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in TARGETS:
        again(sys.argv[1], sys.argv[2])
    else:
        given = [int(argument) for argument in sys.argv[1:]]
        sys.exit(bool(main(*given, *(10_000, 0)[len(given) :])))
