"""Imports torchvision, also where its build does not fit that of torch.

A CPU-only torch beside the torchvision of PyPI (seen with 2.13.0+cpu and 0.28.0) cannot load torchvision's compiled
part, and `import torchvision` fails with "operator torchvision::nms does not exist", though reading data sets needs
no compiled operator at all.
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

    Where it imports, nothing else is done, so CUDA builds stay as they are. Where only its compiled operators are
    missing, they are declared, without an implementation, and the import is repeated.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    RuntimeError
        If it fails for another reason.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _missing_operators()
        import torchvision
    return torchvision


@functools.cache  # torch forgets the operators when the library object goes away
def _missing_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _MISSING:
        library.define(f"{name}{_SCHEMA}")
    return library
