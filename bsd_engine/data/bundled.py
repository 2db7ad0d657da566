"""The bundled images: a part of Fashion-MNIST in one compressed file."""

from __future__ import annotations

import lzma
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np

from bsd_engine.errors import DataError
from bsd_engine.files import bounded
from bsd_engine.files.locations import assets_folder

PATH = assets_folder() / "fashion_mnist.npz.xz"
_unpacking = threading.Lock()


def arrays(path: Path = PATH) -> dict[str, np.ndarray]:
    """train_images (10000, 28, 28) uint8, train_labels, test_images, test_labels and class_names.

    Callers must not write to them: they are unpacked once (0.4 s) and kept (9 MB) for all runs and recordings.
    """
    with _unpacking:
        return _arrays(path)


@lru_cache(maxsize=1)
def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return bounded.unpack_arrays(lzma.decompress(path.read_bytes()))
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise DataError(
            f"The bundled images in {path} cannot be read: {error}. Run python -m assets.build_fashion_mnist."
        ) from None
