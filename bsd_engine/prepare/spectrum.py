"""The spectrum of a trigger: the frequencies that an attack adds to an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Magnitudes of a 2-D discrete Fourier transform, with frequency 0 in the middle."""

    log_magnitude: np.ndarray
    """(H, W) float32: log10(1 + |F|), F in grey levels summed over the pixels; averaged over the channels."""
    rows: np.ndarray
    """(H,) float64: vertical frequencies, cycles per pixel, ascending from -0.5."""
    columns: np.ndarray
    """(W,) float64: horizontal frequencies, cycles per pixel, ascending from -0.5."""

    @property
    def peak(self) -> tuple[float, float]:
        """Absolute horizontal and vertical frequency of the strongest component, cycles per pixel."""
        row, column = np.unravel_index(self.log_magnitude.argmax(), self.log_magnitude.shape)
        return abs(float(self.columns[column])), abs(float(self.rows[row]))


def spectrum(difference: np.ndarray) -> Spectrum:
    """The spectrum of an image or of the difference of two.

    Parameters
    ----------
    difference : (H, W, C) real
        Grey levels; F(u, v) = sum over y, x of difference[y, x] exp(-2 pi i (u y + v x)) for each channel, with u and v
        multiples of 1 / H and 1 / W.
    """
    height, width = difference.shape[:2]
    transform = np.fft.fftshift(np.fft.fft2(difference.astype(np.float64), axes=(0, 1)), axes=(0, 1))
    return Spectrum(
        log_magnitude=np.log10(1 + np.abs(transform)).mean(axis=2).astype(np.float32),
        rows=np.fft.fftshift(np.fft.fftfreq(height)),
        columns=np.fft.fftshift(np.fft.fftfreq(width)),
    )
