"""What the paper reports for other alphas and betas: Table 7, CIFAR-10, in percent."""

from __future__ import annotations

from dataclasses import dataclass

Cell = tuple[float | None, float, float]
"""CA, ASR, DER; None where the printed table is ambiguous."""


@dataclass(frozen=True)
class PaperSetting:
    """One row of Table 7."""

    alpha: float
    beta: float
    badnets: Cell
    blended: Cell
    wanet: Cell

    @property
    def text(self) -> str:
        """The row in words: "BadNets CA 95.1, ASR 0.9; ..."."""
        cells = (("BadNets", self.badnets), ("Blended", self.blended), ("WaNet", self.wanet))
        return "; ".join(f"{name} CA {'–' if ca is None else ca}, ASR {asr}, DER {der}" for name, (ca, asr, der) in cells)


TABLE_7 = (
    PaperSetting(0.6, 0.2, (95.1, 0.9, 99.6), (94.9, 0.8, 98.8), (94.5, 0.8, 99.6)),
    PaperSetting(0.3, 0.2, (None, 1.2, 99.4), (94.8, 0.6, 98.9), (94.2, 1.8, 99.1)),
    PaperSetting(0.4, 0.2, (None, 1.2, 99.4), (94.7, 0.9, 98.7), (94.4, 1.4, 99.3)),
    PaperSetting(0.5, 0.2, (None, 1.7, 99.2), (94.2, 0.8, 98.7), (94.7, 1.4, 99.2)),
    PaperSetting(0.7, 0.2, (None, 0.8, 99.6), (95.1, 0.5, 98.9), (93.0, 0.1, 99.6)),
    PaperSetting(0.8, 0.2, (None, 1.1, 99.5), (92.8, 0.5, 98.2), (91.7, 1.0, 98.5)),
    PaperSetting(0.9, 0.2, (93.6, 0.7, 99.0), (90.3, 0.2, 97.2), (90.0, 0.9, 97.7)),
    PaperSetting(0.6, 0.1, (94.8, 0.7, 99.6), (90.9, 0.5, 97.3), (91.6, 0.6, 98.7)),
    PaperSetting(0.6, 0.3, (94.9, 1.2, 99.4), (94.7, 0.8, 98.8), (94.5, 0.8, 99.6)),
    PaperSetting(0.6, 0.5, (94.7, 1.4, 99.2), (94.9, 1.6, 98.4), (94.3, 2.3, 98.8)),
    PaperSetting(0.7, 0.7, (94.4, 1.7, 98.9), (94.3, 3.7, 97.3), (94.0, 32.8, 83.6)),
)
