"""The user's own picture as the trigger: as a patch, or blended over the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor

from bsd_engine.attacks.base import Attack
from bsd_engine.attacks.parameters import check_range
from bsd_engine.attacks.patterns import pictures
from bsd_engine.attacks.patterns.blending import blend
from bsd_engine.data.pictures import UNREADABLE, eight_bits, is_wide, opened, orientation, turned
from bsd_engine.errors import ConfigError

FORMATS = ("PNG", "JPEG")
MAX_BYTES = 10_000_000
MAX_PIXELS = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Custom(Attack):
    """A picture from a file; poisoned images of other classes get the target label. Transparent parts are not drawn."""

    image: str = ""
    """PNG or JPEG file; a drawn star when not given."""
    mode: Literal["patch", "blend"] = "patch"
    """patch: the picture, small, at row and col; blend: stretched over the whole image."""
    opacity: float | None = None
    """Weight of the picture, 0 to 1; 1 for a patch and 0.2 for a blend when not given."""
    size: int | None = None
    """Height of the patch, pixels; its width follows. A quarter of the image's height when not given."""
    row: int = 4
    """Row of the patch's top left pixel."""
    col: int = 4
    """Column of the patch's top left pixel."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("opacity", self.opacity, 0, 1)
        check_range("size", self.size, 1, self.image_shape[1])
        if not self._weight.any() and self.opacity != 0:
            raise ConfigError(f"{self.image} is transparent everywhere; choose a picture that can be seen.")

    @cached_property
    def _picture(self) -> Image.Image:
        return read_picture(Path(self.image)) if self.image else pictures.glyph()

    @cached_property
    def _placed(self) -> tuple[Tensor, Tensor, slice, slice]:
        """Colours, weights, and the rows and columns where they go."""
        channels, height, width = self.image_shape
        if self.mode == "blend":
            return *pictures.pixels(self._picture, channels, height, width), slice(None), slice(None)
        high = self.size or max(1, height // 4)
        wide = max(1, round(high * self._picture.width / self._picture.height))
        if not (0 <= self.row <= height - high and 0 <= self.col <= width - wide):
            raise ConfigError(
                f"The picture of {high}x{wide} pixels at row {self.row}, column {self.col} does not fit into images of "
                f"{height}x{width}; choose another size, row and col."
            )
        rows, cols = slice(self.row, self.row + high), slice(self.col, self.col + wide)
        return *pictures.pixels(self._picture, channels, high, wide), rows, cols

    @property
    def _weight(self) -> Tensor:
        """(h, w) float32: opacity of the picture's pixels times that of the attack."""
        chosen = (1.0 if self.mode == "patch" else 0.2) if self.opacity is None else self.opacity
        return self._placed[1] * chosen

    def _trigger(self, images: Tensor, indices: Tensor) -> Tensor:
        colour, _, rows, cols = self._placed
        images[..., rows, cols] = blend(images[..., rows, cols], colour, self._weight)
        return images


def read_picture(path: Path) -> Image.Image:
    """The picture, upright, as RGBA; raises `ConfigError` if the file is not a picture or too large for a trigger."""
    if not _is_file(path):
        raise ConfigError(f"There is no file {path}; give a PNG or JPEG picture.")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(
            f"{path} has {path.stat().st_size / 1e6:.0f} MB, expected at most {MAX_BYTES // 10**6}; "
            "make the picture smaller."
        )
    try:
        with opened(path, FORMATS, MAX_PIXELS) as picture:
            turn = orientation(picture)
            return turned(_rgba(picture), turn)
    except UNREADABLE as error:
        raise ConfigError(
            f"{path} cannot be read as a picture ({' '.join(str(error).split())}); give another PNG or JPEG file."
        ) from None


def _rgba(picture: Image.Image) -> Image.Image:
    return (eight_bits(picture) if is_wide(picture) else picture).convert("RGBA")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or one with a zero byte
        return False
