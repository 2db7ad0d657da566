"""Images as pages show them: enlarged without blur, differences around mid grey; pure functions, no streamlit."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

GAIN = 10
MID_GREY = 128
LARGEST_THUMBNAIL = 64


def difference_picture(difference: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """(H, W, C) uint8: a difference in grey levels times a gain, clipped; mid grey where nothing changed."""
    return np.clip(np.rint(MID_GREY + gain * difference.astype(np.float32)), 0, 255).astype(np.uint8)


def fitting_gain(difference: np.ndarray) -> float:
    """The gain at which the largest change just reaches black or white, at least 1."""
    largest = int(np.abs(difference).max(initial=0))
    return max(1.0, (255 - MID_GREY) / largest) if largest else 1.0


def enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    """The image with every pixel repeated, so that the longer side is about `side`; large images are unchanged."""
    factor = max(1, round(side / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def data_uri(pixels: np.ndarray) -> str:
    """An (H, W, C) uint8 image as a PNG in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Every n-th pixel of a large image, so that a page of thumbnails stays small; small images are unchanged."""
    step = -(-max(pixels.shape[:2]) // LARGEST_THUMBNAIL)
    return pixels[::step, ::step]
