"""The images that come with the program: a part of Fashion-MNIST in one compressed file."""

from __future__ import annotations

import lzma
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np

from bsd_engine.errors import DataError
from bsd_engine.files import bounded

PATH = Path(__file__).parents[2] / "assets/fashion_mnist.npz.xz"


_unpacking = threading.Lock()


def arrays(path: Path = PATH) -> dict[str, np.ndarray]:
    """train_images (10000, 28, 28) uint8, train_labels, test_images, test_labels and class_names; nobody may write to them.

    Unpacked once, which takes 0.4 s, and kept, 9 MB: runs and recordings read the same arrays.
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
