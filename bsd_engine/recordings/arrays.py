"""Compact arrays of a recording: values that pages draw are rounded, values that decided a pool are not.

Non-negative float32 values are rounded by their bits, taken as a whole number: 65,536 steps between the smallest and
the largest of a row. Within each power of two a step is a constant share of the value (0.02 % for a loss from 1e-5 to
10). The order of two values is never reversed, but near ones can become equal; samples that would change sides of a cut
are kept exactly, see `Rounded.exact`. R rows (an epoch or a distance each), N samples, K values that are kept exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

STEPS = 65_535


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """Rows of non-negative floats in two bytes each."""

    codes: np.ndarray
    """(R, N) uint16."""
    bounds: np.ndarray
    """(R, 2) uint32: bits of the smallest and the largest value of each row."""
    exact: np.ndarray
    """(R, N) bool: True if the exact value is kept."""
    values: np.ndarray
    """(K,) float32: the exact values, row by row."""

    @classmethod
    def of(cls, rows: np.ndarray, exact: np.ndarray | None = None) -> Rounded:
        """Return (R, N) float32 rows rounded, except where `exact` is True; a row that is not all finite and
        non-negative is kept whole."""
        is_odd = ~(np.isfinite(rows) & (rows >= 0) & ~np.signbit(rows)).all(1)
        exact = is_odd[:, None] | (np.zeros(rows.shape, bool) if exact is None else exact)
        bits = np.where(is_odd[:, None], np.float32(0), rows).view(np.uint32)
        bounds = np.stack([bits.min(1), bits.max(1)], 1) if rows.size else np.zeros((len(rows), 2), np.uint32)
        low, width = _low_and_width(bounds)
        codes = np.rint((bits - low) * (STEPS / np.where(width > 0, width, 1))).astype(np.uint16)
        return cls(codes=codes, bounds=bounds, exact=exact, values=rows[exact])

    @property
    def rows(self) -> np.ndarray:
        """(R, N) float32."""
        low, width = _low_and_width(self.bounds)
        values = np.rint(low + self.codes * (width / STEPS)).astype(np.uint32).view(np.float32)
        values[self.exact] = self.values
        return values

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the stored arrays: high bytes are separate from low ones, which do not compress."""
        planes = np.stack([self.codes >> 8, self.codes & 0xFF]).astype(np.uint8)
        return {
            f"{name}.planes": planes,
            f"{name}.bounds": self.bounds,
            f"{name}.exact": np.flatnonzero(self.exact).astype(np.uint32),
            f"{name}.values": self.values,
        }

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, np.ndarray], rows: int, samples: int) -> Rounded:
        """Return the rows from the arrays stored by `arrays`; raises `ValueError` if they do not fit the numbers of
        rows and samples."""
        planes = checked(arrays, f"{name}.planes", np.uint8, (2, rows, samples))
        bounds = checked(arrays, f"{name}.bounds", np.uint32, (rows, 2))
        positions = checked(arrays, f"{name}.exact", np.uint32, (None,))
        values = checked(arrays, f"{name}.values", np.float32, (len(positions),))
        if len(positions) and (positions[-1] >= rows * samples or (np.diff(positions.astype(np.int64)) <= 0).any()):
            raise ValueError(f"{name}.exact has positions beyond {rows} rows of {samples} samples")
        if (bounds[:, 0] > bounds[:, 1]).any():
            raise ValueError(f"{name}.bounds are not smallest and largest values")
        exact = np.zeros(rows * samples, bool)
        exact[positions] = True
        return cls(
            codes=planes[0].astype(np.uint16) << 8 | planes[1],
            bounds=bounds,
            exact=exact.reshape(rows, samples),
            values=values,
        )


def _low_and_width(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (R, 1) float64 each: the smallest bits of a row, and the distance of the largest from them."""
    ends = bounds.astype(np.float64)
    return ends[:, :1], np.ptp(ends, axis=1, keepdims=True)


def pack_labels(rows: np.ndarray) -> np.ndarray:
    """Return (R, N) class numbers as bytes, each row as its change from the previous one: most predictions stay."""
    narrow: np.ndarray = rows.astype(np.uint8 if rows.size == 0 or rows.max() < 256 else np.uint16)
    return np.concatenate([narrow[:1], narrow[1:] - narrow[:-1]])


def unpack_labels(name: str, arrays: Mapping[str, np.ndarray], rows: int, samples: int) -> np.ndarray:
    """Return the (R, N) int16 labels that `pack_labels` stored."""
    kind = np.uint16 if arrays.get(name, np.zeros(0)).dtype == np.uint16 else np.uint8
    return np.cumsum(checked(arrays, name, kind, (rows, samples)), 0, dtype=kind).astype(np.int16)


def pack_masks(rows: np.ndarray) -> np.ndarray:
    """Return (R, N) bool as bits, each row as its change from the previous one."""
    return np.packbits(np.concatenate([rows[:1], rows[1:] ^ rows[:-1]]), axis=1)


def unpack_masks(name: str, arrays: Mapping[str, np.ndarray], rows: int, samples: int) -> np.ndarray:
    """Return the (R, N) bool masks that `pack_masks` stored."""
    bits = np.unpackbits(checked(arrays, name, np.uint8, (rows, (samples + 7) // 8)), axis=1, count=samples)
    return np.bitwise_xor.accumulate(bits, 0).astype(bool)


def checked(arrays: Mapping[str, np.ndarray], name: str, kind: type, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return a named array; raises `ValueError` if it is missing or of another dtype or shape; None is any length."""
    array = arrays.get(name)
    if array is None:
        raise ValueError(f"it lacks the array {name!r}")
    fits = (
        array.dtype == kind
        and array.ndim == len(shape)
        and all(want in (None, there) for want, there in zip(shape, array.shape))
    )
    if not fits:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected {np.dtype(kind)} {shape}")
    return array
