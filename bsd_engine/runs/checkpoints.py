"""Checkpoint files: they are read without running code in them, and without more memory than they have bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bsd_engine.files import bounded
from bsd_engine.runs.origin import run_files

_MOST_LEVELS = 20


def read(path: Path) -> dict[str, Any]:
    """Return the checkpoint in a file, on the CPU.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, is a link, differs from its digest or from the checksums of the zip file, holds more than
        plain containers, numbers, texts and tensors, contains itself, is compressed, or has a tensor whose values are
        not all in the file: a kilobyte can claim a tensor of terabytes, which the first copy would allocate.
    """
    if path.parent.name == "checkpoints":
        run, name = path.parent.parent, f"checkpoints/{path.name}"
        run_files.check(run, name)
    else:  # an undefended network, which people copy from folder to folder; the checksums of the zip file are enough
        run, name = path.parent, path.name
    with run_files.opened(run, name) as (file, size):
        try:
            bounded.check_stored_zip(file, size)
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except ValueError as error:
            raise ValueError(f"it is not a checkpoint ({error})") from None
        except Exception as error:  # torch raises many kinds, among them RecursionError
            raise ValueError(f"it is not a checkpoint ({type(error).__name__})") from None
    if not isinstance(content, dict) or type(content.get("epoch")) is not int or content["epoch"] < 0:
        raise ValueError("it is not a checkpoint of a run")
    for tensor in _tensors(content, set(), set()):
        if (
            tensor.layout != torch.strided
            or tensor.device.type != "cpu"
            or tensor.untyped_storage().nbytes() < math.prod(tensor.shape) * tensor.element_size()
        ):
            raise ValueError("it holds a tensor whose values are not all in the file")
    return content


def pack(checkpoint: dict[str, Any]) -> bytes:
    """Return the content of a checkpoint's file."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def _tensors(value: Any, above: set[int], done: set[int]) -> Iterator[Tensor]:
    """Yield all tensors in nested containers.

    Parameters
    ----------
    above : the containers that this value is in, by their id
    done : the containers that need no second look, of which a file may refer to one a million times
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        if id(value) in above or len(above) > _MOST_LEVELS:
            raise ValueError("it contains itself or is nested too deeply")
        if id(value) in done:
            return
        above.add(id(value))
        for part in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
            yield from _tensors(part, above, done)
        above.remove(id(value))
        done.add(id(value))
    elif value is not None and not isinstance(value, (str, int, float)):
        raise ValueError(f"it holds a {type(value).__name__}, expected numbers, texts and tensors")
