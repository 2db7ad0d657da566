"""A coverage-guided search for inputs that break the readers of run folders and .npz files.

    python -m tests.nightly.fuzz_coverage SECONDS [FOLDER]

FOLDER keeps the inputs that reached new code; without it, a temporary folder is used. Needs atheris, which is installed
only for the nightly run. Stops at the first failure with a traceback and the input.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["bsd_engine", "numpy.lib", "zipfile"]):
    from bsd_engine.config.settings import BSDConfig
    from bsd_engine.data import sources
    from bsd_engine.errors import BSDError
    from bsd_engine.files import bounded
    from bsd_engine.runs import validation
    from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch
from tests.support.fake_run import CONFIG, FakeRun

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-coverage-"))


def read(content: bytes) -> None:
    """Read one input; its first byte selects the reader of the rest."""
    kind, rest = content[:1], content[1:]
    try:
        if kind == b"e":
            validation.check_epoch(unpack_epoch(rest), 9, 60, 10, 60, CONFIG.schedule)
        elif kind == b"j":
            validation.check_config(bounded.parse_object(rest))
        elif kind == b"s":
            BSDConfig.from_dict(bounded.parse_object(rest))
        elif kind == b"n":
            (FOLDER / "set.npz").write_bytes(rest)
            sources.npz(FOLDER / "set.npz").read(np.arange(1))
        else:
            bounded.unpack_arrays(rest)
    except (BSDError, ValueError):
        pass


def seeds(folder: Path) -> None:
    """Write valid inputs to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    run = FakeRun(samples=60)
    (folder / "epoch").write_bytes(b"e" + pack_epoch(run.state(9)))
    stream = io.BytesIO()
    np.savez(stream, images=np.zeros((4, 8, 8), np.uint8), labels=np.arange(4) % 2)
    (folder / "npz").write_bytes(b"n" + stream.getvalue())
    (folder / "arrays").write_bytes(b"a" + stream.getvalue())
    (folder / "settings").write_bytes(b's{"data": {"data": "bundled"}, "split": {"alpha": 0.5}}')
    (folder / "config").write_bytes(b'j{"format_version": 1, "config": {}, "class_names": ["a"], "num_samples": 1}')


def main(seconds: int, folder: Path) -> None:
    """Search for `seconds` seconds."""
    seeds(folder)
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-timeout=2", "-rss_limit_mb=2048", "-max_len=20000", str(folder)],
        read,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER / "inputs")
