"""Reading of checkpoint files without running code in them, and without using more memory than the file has bytes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def read(path: Path) -> dict[str, Any]:
    """Return the checkpoint in a file, on the CPU.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, holds more than plain containers and tensors, is compressed, or has a tensor whose values
        are not all in the file: a kilobyte can claim a tensor of terabytes, which the first copy would allocate.
    """
    _refuse_compressed(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"it is not a checkpoint ({type(error).__name__})") from None
    if not isinstance(content, dict) or type(content.get("epoch")) is not int or content["epoch"] < 0:
        raise ValueError("it is not a checkpoint of a run")
    for tensor in _tensors(content):
        if (
            tensor.layout != torch.strided
            or tensor.untyped_storage().nbytes() < math.prod(tensor.shape) * tensor.element_size()
        ):
            raise ValueError("it holds a tensor whose values are not all in the file")
    return content


def _refuse_compressed(path: Path) -> None:
    if not path.is_file():
        raise ValueError("it is not a regular file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
        raise ValueError(f"it is not a checkpoint ({error})") from None
    if (
        any(m.compress_type != zipfile.ZIP_STORED for m in members)
        or sum(m.file_size for m in members) > path.stat().st_size
    ):
        raise ValueError("it is compressed, which checkpoints are not")


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested containers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
