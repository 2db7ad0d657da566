"""Write the run folder of this version that later versions must open: tests/support/run_folders/format-N.zip.

    python -m tests.support.make_run_fixture

Run it once when `FORMAT_VERSION` increases, and commit the new file. Older files stay unchanged, because only the
version that wrote them could write them again. The run is a real training of every stage on 40 images of noise in four
classes, without checkpoints.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np

from bsd_engine.runs.layout import FORMAT_VERSION, checkpoint_paths
from bsd_engine.runs.record import record_run
from tests.support.short_runs import short

FOLDER = Path(__file__).parent / "run_folders"


def main() -> None:
    """Train, and pack the run folder."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        data, run = Path(place) / "noise.npz", Path(place) / "run"
        np.savez(
            data,
            train_images=rng.integers(0, 256, (40, 8, 8), np.uint8),
            train_labels=np.arange(40) % 4,
            test_images=rng.integers(0, 256, (8, 8, 8), np.uint8),
            test_labels=np.arange(8) % 4,
            class_names=np.array(["ant", "bee", "<b>", "=1+1"]),
        )
        record_run(short(data=f"npz:{data}", limit=None, model="small_resnet", width=8), run)
        np.savez(run / "maps/00002.npz", xy=rng.normal(size=(40, 2)).astype(np.float32))
        for checkpoint in checkpoint_paths(run):  # a third of a megabyte each; their version is checked separately
            checkpoint.unlink()
        FOLDER.mkdir(exist_ok=True)
        with zipfile.ZipFile(
            FOLDER / f"format-{FORMAT_VERSION}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as archive:
            for file in sorted(p for p in run.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(run))


if __name__ == "__main__":
    main()
