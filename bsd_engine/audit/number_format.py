"""Numbers as the audit's sentences write them."""

from __future__ import annotations

import math


def measure(value: float) -> str:
    """A loss or a distance, never as a power of ten: 3.9 -> "3.90", 0.00004 -> "0.000040", -0.5 -> "−0.50"."""
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    digits = 0 if size >= 100 else 2 if size >= 0.1 or size < 1e-7 else 1 - math.floor(math.log10(size))
    return f"{'−' if value < 0 and round(size, digits) else ''}{size:.{digits}f}"
