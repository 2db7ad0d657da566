"""Images as the page shows them: enlarged without blur, differences around mid grey; pure functions, no streamlit."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

GAIN = 10
MID_GREY = 128
LARGEST_THUMBNAIL = 64


def difference_picture(difference: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """(H, W, C) uint8: a difference of grey levels times a gain, mid grey where nothing changed, clipped."""
    return np.clip(np.rint(MID_GREY + gain * difference.astype(np.float32)), 0, 255).astype(np.uint8)


def fitting_gain(difference: np.ndarray) -> float:
    """The gain that lets the largest change just reach black or white, at least 1."""
    largest = int(np.abs(difference).max(initial=0))
    return max(1.0, (255 - MID_GREY) / largest) if largest else 1.0


def enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    """Every pixel as a square of whole pixels, so that the longer side has about `side`; large images stay as they are."""
    factor = max(1, round(side / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def data_uri(pixels: np.ndarray) -> str:
    """An (H, W, C) uint8 image as a PNG in an address."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The image, of a large one every n-th pixel: a page of thumbnails must not weigh megabytes."""
    step = -(-max(pixels.shape[:2]) // LARGEST_THUMBNAIL)
    return pixels[::step, ::step]
