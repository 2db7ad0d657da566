"""What the paper reports for other values of alpha and beta: Table 7, CIFAR-10, in percent."""

from __future__ import annotations

from dataclasses import dataclass

from app.paper.cells import paper_numbers

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
        """The row as text: "BadNets CA 95.1, ASR 0.9, DER 99.6; ..."."""
        cells = (("BadNets", self.badnets), ("Blended", self.blended), ("WaNet", self.wanet))
        return "; ".join(
            f"{name} CA {'–' if ca is None else ca}, ASR {asr}, DER {der}" for name, (ca, asr, der) in cells
        )


TABLE_7 = tuple(
    PaperSetting(row["alpha"], row["beta"], *(tuple(row[attack]) for attack in ("badnets", "blended", "wanet")))
    for row in paper_numbers()["7"].values()
)
