"""Small sets of images for tests: arrays of an .npz file, and image files."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def arrays(**changes: Any) -> dict[str, Any]:
    """Return the arrays of a small valid .npz: 3 classes, 12 training and 6 test images; None leaves an array out."""
    rng = np.random.default_rng(0)
    sound = {
        "train_images": rng.integers(0, 256, (12, 10, 9, 3), np.uint8),
        "train_labels": np.arange(12) % 3,
        "test_images": rng.integers(0, 256, (6, 10, 9, 3), np.uint8),
        "test_labels": np.arange(6) % 3,
        "class_names": np.array(["cat", "dog", "eel"]),
    } | changes
    return {name: array for name, array in sound.items() if array is not None}


def npz_spec(folder: Path, **changes: Any) -> str:
    np.savez(folder / "set.npz", **arrays(**changes))
    return f"npz:{folder / 'set.npz'}"


def write_image(path: Path, value: int = 0, size: tuple[int, int] = (12, 12), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).convert(mode).save(path)
