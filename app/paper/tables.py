"""Tables 1, 2, 4, 6, 7, 10 and 12 of the paper with our numbers beside them; no streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.paper import texts
from app.paper.cells import SPECS, Cell, cells, paper_numbers
from app.paper.results import OurResult, Results, measured
from app.style import words
from bsd_engine.config import presets
from bsd_engine.config.settings import BSDConfig

TABLES = ("1", "2", "4", "6", "7", "10", "12")
DEFENSES = ("none", "bsd")
"""What we run ourselves: plain training and BSD."""
SHOWN_METHODS = ("none", "asd", "bsd")
"""Rows of tables 10 and 12."""


@dataclass(frozen=True, kw_only=True)
class TableCell:
    """The text of a cell, and whose number it is."""

    text: str
    kind: Literal["paper", "ours", "missing", "blank"]


BLANK = TableCell(text="", kind="blank")


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A cell without a result of ours, and the command that would produce it."""

    where: str
    command: str


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """A table as the Paper page shows it."""

    number: str
    head: tuple[str, ...]
    """Headings of the first column and of each cell after it."""
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]
    missing: tuple[Missing, ...]
    differs: str
    """What differs between the paper's numbers and ours."""


@dataclass(frozen=True, kw_only=True)
class _OurCells:
    """Our cells of a table, with the results used and missing collected on the way."""

    number: str
    wanted: dict[tuple[str, str], Cell]
    results: Results
    used: list[OurResult | None] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def cell(self, where: tuple[str, str], defense: str) -> TableCell:
        """Our cell for a (row, column) of `cells`."""
        result = measured(self.wanted[where], defense, self.results)
        self.used.append(result)
        if result is None:
            self.missing.append(_missing(self.number, where, defense))
            return TableCell(text=texts.NOT_RUN, kind="missing")
        rates = (result.clean_accuracy, result.attack_success_rate)
        # Table 10 has no DER: there is no attack to rate against.
        return TableCell(text=triple(rates if self.number == "10" else (*rates, result.rating)), kind="ours")

    def table(self, head: Iterable[str], rows: Iterable[tuple[str, Sequence[TableCell]]]) -> PaperTable:
        """The finished table."""
        return PaperTable(
            number=self.number,
            head=tuple(head),
            rows=tuple((name, tuple(row)) for name, row in rows),
            missing=tuple(self.missing),
            differs=differs(self.wanted.values(), self.used),
        )


def triple(values: Sequence[float | None]) -> str:
    """[95.1, 0.9, 99.6] -> "95.1 / 0.9 / 99.6"; unknown numbers are dashes, and trailing ones are left out."""
    known = list(values)
    while known and known[-1] is None:
        known.pop()
    return " / ".join("–" if value is None else f"{value:.1f}" for value in known)


def paper_table(number: str, results: Results) -> PaperTable:
    """One of `TABLES`, filled from the results."""
    layout = {
        "1": _by_attack,
        "2": _by_attack,
        "4": _by_row,
        "6": _by_row,
        "7": _by_row,
        "10": _no_attack,
        "12": _all_to_all,
    }[number]
    return layout(_OurCells(number=number, wanted=cells(number), results=results))


def missing_of(number: str, results: Results) -> list[Missing]:
    """The cells of a table or figure that have not been run with BSD."""
    return [
        _missing(number, where, "bsd")
        for where, cell in cells(number).items()
        if measured(cell, "bsd", results) is None
    ]


def _missing(number: str, where: tuple[str, str], defense: str) -> Missing:
    row, column = where
    defenses = "none bsd" if defense == "bsd" else "none"
    return Missing(
        where=f"{texts.row_or_column(row)}, {texts.row_or_column(column)}, {texts.METHODS[defense]}",
        command=f"python -m benchmarks.paper_tables {number} --rows {row} --columns {column} --defenses {defenses}",
    )


def _paper(values: Sequence[float | None]) -> TableCell:
    return TableCell(text=triple(values), kind="paper")


def _by_attack(ours: _OurCells) -> PaperTable:
    """Rows: attacks. Columns: the paper's methods, then ours."""
    numbers, rows = paper_numbers()[ours.number], []
    for where in ours.wanted:
        data, attack = where
        printed = numbers[data][attack] if ours.number == "1" else numbers[attack]
        name = f"{texts.DATA[data]} · {texts.ATTACKS[attack]}" if ours.number == "1" else texts.ATTACKS[attack]
        cells_of_paper = [_paper(printed[method]) for method in texts.METHODS]
        rows.append((name, [*cells_of_paper, *(ours.cell(where, defense) for defense in DEFENSES)]))
    our_heads = (f"ours: {texts.METHODS[defense]}" for defense in DEFENSES)
    return ours.table((texts.ROW_HEADINGS[ours.number], *texts.METHODS.values(), *our_heads), rows)


def _by_row(ours: _OurCells) -> PaperTable:
    """Rows: settings. Columns: attacks, the paper's and ours side by side."""
    attacks = list(dict.fromkeys(attack for _, attack in ours.wanted))
    rows = []
    for row in dict.fromkeys(row for row, _ in ours.wanted):
        pairs = [(_paper(_printed(ours.number, row, attack)), ours.cell((row, attack), "bsd")) for attack in attacks]
        rows.append((_row_name(ours.number, row), [cell for pair in pairs for cell in pair]))
    return ours.table((texts.ROW_HEADINGS[ours.number], *_side_by_side(texts.ATTACKS[a] for a in attacks)), rows)


def _side_by_side(names: Iterable[str]) -> list[str]:
    """Headings of pairs of columns."""
    return [heading for name in names for heading in (f"{name}: paper", f"{name}: ours")]


def _printed(number: str, row: str, attack: str) -> list[float | None]:
    """The paper's numbers in a cell."""
    table = paper_numbers()[number]
    return table[row][attack] if number == "7" else table[attack][row]


def _row_name(number: str, row: str) -> str:
    """The text in front of a row."""
    if number == "7":
        numbers = paper_numbers()["7"][row]
        return f"{numbers['alpha']}, {numbers['beta']}" + (" (the paper's default)" if row == "default" else "")
    return texts.ABLATIONS.get(row, row)


def _no_attack(ours: _OurCells) -> PaperTable:
    """Rows: methods. Columns: data sets, the paper's and ours side by side."""
    numbers, rows = paper_numbers()["10"], []
    for method in SHOWN_METHODS:
        pairs = [
            (_paper(numbers[where[1]][method]), ours.cell(where, method) if method in DEFENSES else BLANK)
            for where in ours.wanted
        ]
        rows.append((texts.METHODS[method], [cell for pair in pairs for cell in pair]))
    return ours.table(("CA / ASR", *_side_by_side(texts.DATA[data] for _, data in ours.wanted)), rows)


def _all_to_all(ours: _OurCells) -> PaperTable:
    """Rows: methods. Columns: the paper's and ours."""
    numbers, (where,) = paper_numbers()["12"], ours.wanted
    rows = [
        (texts.METHODS[method], [_paper(numbers[method]), ours.cell(where, method) if method in DEFENSES else BLANK])
        for method in SHOWN_METHODS
    ]
    return ours.table((texts.ROW_HEADINGS["12"], "paper", "ours"), rows)


def differs(used_cells: Iterable[Cell], results: Iterable[OurResult | None]) -> str:
    """What differs between the paper's runs and ours: data, network, epochs, attacks, seeds and the number of cells."""
    cells_used, our_results = list(used_cells), list(results)
    names = list(dict.fromkeys(cell.preset for cell in cells_used if not cell.preset.startswith("paper")))
    heads = {cell.attack.partition("@")[0] for cell in cells_used}
    raised = sorted(
        {spec for name in names for spec in SPECS.get(name, {}).values() if spec.partition("@")[0] in heads}
    )
    filled = [result for result in our_results if result]
    return texts.substitutes([runs_of(presets.preset(name)) for name in names], raised) + texts.filled_cells(
        len(filled),
        len(our_results),
        sorted({seed for result in filled for seed in result.seeds}),
        max((len(result.seeds) for result in filled), default=0),
    )


def runs_of(config: BSDConfig) -> str:
    """ "6,000 images of Fashion-MNIST, small resnet of width 16, 21 epochs of 60 iterations (preset demo)"."""
    data = {"bundled": "Fashion-MNIST", "gtsrb": "GTSRB"}.get(config.data.data, words.short(config.data.data))
    size = f"{config.data.limit:,} images of " if config.data.limit else ""
    return (
        f"{size}{data}, {config.model.model.replace('_', ' ')} of width {config.model.width}, "
        f"{config.schedule.total_epochs} epochs of {config.schedule.iterations} iterations "
        f"(preset {words.short(config.preset)})"
    )
