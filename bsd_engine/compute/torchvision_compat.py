"""Import of torchvision, even if its build does not match that of torch.

A CPU-only torch with the torchvision of PyPI (seen with 2.13.0+cpu and 0.28.0) cannot load torchvision's compiled part.
`import torchvision` then fails with "operator torchvision::nms does not exist", although data sets and networks need no
compiled operator.
"""

from __future__ import annotations

import functools
from types import ModuleType

import torch

_MISSING = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@functools.cache
def import_torchvision() -> ModuleType:
    """The torchvision module.

    If the plain import works, nothing else is done, so CUDA builds are not affected. If only the compiled operators are
    missing, they are declared without an implementation, and the import is repeated.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    RuntimeError
        If it fails for another reason.
    """
    try:
        import torchvision  # type: ignore[import-untyped]  # torchvision is not marked as typed
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _missing_operators()
        import torchvision
    return torchvision


@functools.cache  # keeps the library object: torch forgets the operators when it is deleted
def _missing_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _MISSING:
        library.define(f"{name}{_SCHEMA}")
    return library
