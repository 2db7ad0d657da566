"""The results of the bench: times of the parts, their share of the machine's peak, and the table."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Duration of one part."""

    name: str
    seconds: float
    """Duration of one unit of work: an iteration, a batch or a pass."""
    images: int
    """Images (or samples) in a unit of work."""
    flop: float | None = None
    """Floating-point operations of the network in a unit of work, a multiply-add counted as two; None if no network
    runs."""

    @property
    def images_per_second(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def share(self, peak: float) -> float | None:
        """Return the share of a peak, given in operations per second; None if no network runs."""
        return None if self.flop is None else self.flop / self.seconds / peak


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All results of one call of `measure`."""

    machine: str
    network: str
    peak: float
    """Operations per second in a large float32 matrix product."""
    parts: tuple[Timing, ...]
    ratios: tuple[float, ...]
    """Seconds of the plain loop divided by those of the engine, for each pair of iterations."""
    outside: float
    """Share of an iteration of the engine that is neither a forward nor a backward pass."""
    epoch_bytes: int
    """Size of one recorded epoch of class completion, with as many samples as the split was timed on."""
    presets: dict[str, float]
    """Seconds that whole runs would take on this machine, by preset name; empty unless requested."""

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    def table(self) -> str:
        """Return the report as text."""
        lines = [
            self.machine,
            f"{self.network}; matrix product {self.peak / 1e9:.0f} GFLOP/s",
            "",
            f"{'part':<44}{'ms':>10}{'images/s':>12}{'of peak':>9}",
        ]
        for part in self.parts:
            share = part.share(self.peak)
            of_peak = "" if share is None else f"{share:.0%}"
            lines.append(f"{part.name:<44}{1000 * part.seconds:>10.1f}{part.images_per_second:>12.0f}{of_peak:>9}")
        pairs = ", ".join(f"{r:.2f}" for r in self.ratios)
        lines += [
            "",
            f"engine against plain loop: {self.ratio:.2f} times as fast (median of {pairs})",
            f"of the engine's iteration {self.outside:.0%} are outside the networks' forward and backward passes",
            f"a recorded epoch: {self.epoch_bytes / 1e6:.2f} MB",
        ]
        return "\n".join(
            [*lines, *(f"{name}: {duration(seconds)}, extrapolated" for name, seconds in self.presets.items())]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        parts = [
            {**asdict(p), "images_per_second": p.images_per_second, "share_of_peak": p.share(self.peak)}
            for p in self.parts
        ]
        return {
            "machine": self.machine,
            "network": self.network,
            "peak_flop_per_second": self.peak,
            "parts": parts,
            "ratios": list(self.ratios),
            "ratio": self.ratio,
            "outside_networks": self.outside,
            "epoch_bytes": self.epoch_bytes,
            "preset_seconds": self.presets,
        }


def duration(seconds: float) -> str:
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes"), (0, "seconds"))
        if seconds >= 2 * size
    )
    return f"{seconds / (size or 1):.{0 if unit == 'seconds' else 1}f} {unit}"
