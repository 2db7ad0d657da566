"""The main model's weights as a file that holds no code."""

from __future__ import annotations

import json
import struct

import torch
from torch import Tensor

from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels

_DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def safetensors(state: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Tensors in the safetensors format: eight bytes of length, a JSON header, the tensors' bytes one after the other.

    The format holds no code, so loading a file runs none. It is simple enough to write without the library, with which
    the tests read it.
    """
    header: dict[str, object] = {"__metadata__": metadata}
    parts, offset = [], 0
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        content = (
            tensor.view(torch.uint8).numpy().tobytes()
            if tensor.ndim
            else tensor.reshape(1).view(torch.uint8).numpy().tobytes()
        )
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(content)],
        }
        parts.append(content)
        offset += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def main_weights(run: RunReader) -> bytes:
    """The clean model f as a .safetensors file; its metadata say how to build the network and normalise its input."""
    run.check_images()  # the input's normalisation is made from them
    both = StoredModels.of(run)
    normalize = both.normalize
    metadata = {
        "model": run.config.model.model,
        "width": str(run.config.model.width),
        "classes": json.dumps(run.class_names),
        "image_shape": json.dumps(list(run.images.shape[1:])),
        "scale": json.dumps(normalize.scale.flatten().tolist()),
        "bias": json.dumps(normalize.bias.flatten().tolist()),
        "input": "pixel (0 to 255) times scale plus bias, channel by channel",
        "fingerprint": run.fingerprint,
        "epoch": str(both.epoch + 1),
        "format": "pt",
    }
    return safetensors(both.main.state_dict(), metadata)
