"""Rebuild assets/fashion_mnist.npz.xz, the bundled demo set, byte for byte.

    python -m assets.build_fashion_mnist [FOLDER]

FOLDER holds the four original .gz files of Fashion-MNIST (MIT licence, Zalando SE); without it they are downloaded.
The file is an .npz (uncompressed, dates fixed by numpy) inside xz. Of the formats tried, xz was the smallest: 372 bytes
an image, against 398 for bz2 and 440 for gzip; delta and PNG-like filters in front made it larger.
"""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import tempfile
from pathlib import Path

import numpy as np

ASSET = Path(__file__).parent / "fashion_mnist.npz.xz"
CLASS_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
PER_CLASS = {"train": 1000, "t10k": 200}


def read_idx(path: Path) -> np.ndarray:
    """uint8 array of one gzipped IDX file."""
    content = gzip.decompress(path.read_bytes())
    ndim = content[3]
    shape = np.frombuffer(content, ">u4", ndim, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(shape)


def first_of_each_class(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The first images of each class, in the order of the original, and their labels.

    The original is shuffled, so the first ones are as good as any, and no random generator has to stay the same.
    """
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    kept = np.sort(np.concatenate([np.flatnonzero(labels == c)[: PER_CLASS[part]] for c in range(len(CLASS_NAMES))]))
    return images[kept], labels[kept]


def build(folder: Path) -> bytes:
    """Content of the asset, from a folder with the four original files."""
    train_images, train_labels = first_of_each_class(folder, "train")
    test_images, test_labels = first_of_each_class(folder, "t10k")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=np.array(CLASS_NAMES),
    )
    return lzma.compress(buffer.getvalue(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=9)


def download(folder: Path) -> Path:
    """Folder with the four files, fetched by torchvision."""
    from bsd_engine.compute.torchvision_compat import import_torchvision

    import_torchvision().datasets.FashionMNIST(folder, download=True)
    return folder / "FashionMNIST/raw"


def main() -> None:
    """Write the asset next to this script."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(temporary))
        ASSET.write_bytes(build(folder))


if __name__ == "__main__":
    main()
