"""Tables 1, 2, 4, 6, 7, 10 and 12 of the paper with our numbers beside them; no streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.paper.cells import SPECS, Cell, cells, paper_numbers
from app.paper.results import OurResult, Results, measured
from bsd_engine.config import presets
from bsd_engine.config.settings import BSDConfig

TABLES = ("1", "2", "4", "6", "7", "10", "12")
METHODS = {"none": "no defence", "fp": "FP", "nad": "NAD", "abl": "ABL", "dbd": "DBD", "asd": "ASD", "bsd": "BSD"}
ATTACKS = {
    "badnets": "BadNets",
    "blended": "Blended",
    "wanet": "WaNet",
    "lc": "Label-consistent",
    "sig": "SIG",
    "refool": "ReFool",
    "narcissus": "Narcissus",
    "badnets_all2all": "BadNets all-to-all",
    "none": "no attack",
}
DATA = {"cifar10": "CIFAR-10", "gtsrb": "GTSRB", "imagenet30": "30 classes of ImageNet"}
ABLATIONS = {
    "default": "whole",
    "wo_init": "without initial pools",
    "wo_comp": "without completion",
    "wo_drop": "without drop",
}
TITLES = {
    "1": "Three attacks on three data sets",
    "2": "Four more attacks",
    "4": "Every class as the target",
    "6": "BSD without one of its parts",
    "7": "Other alphas and betas",
    "10": "No attack at all",
    "12": "Every class has a target of its own",
}
SHOWS = {
    "1": "BSD keeps the attack success near zero on all three data sets without giving up accuracy.",
    "2": "A reflection as the trigger and three attacks that keep all labels right, on CIFAR-10.",
    "4": "Whichever class the attacker aims at, CIFAR-10.",
    "6": "Random first pools let the attack in; without class completion accuracy falls; the drop takes the last poison out. CIFAR-10.",
    "7": "The result hardly moves for alpha from 0.4 to 0.7 and beta up to 0.3. CIFAR-10.",
    "10": "Trained on clean images and tested with the trigger of BadNets: nothing is lost where there was nothing to defend against.",
    "12": "Each image of class y is sent to class y + 1, CIFAR-10.",
}
DEFENSES = ("none", "bsd")


@dataclass(frozen=True, kw_only=True)
class TableCell:
    """One text and whose it is."""

    text: str
    kind: Literal["paper", "ours", "missing", "blank"]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A cell that nothing of ours stands in, and the command that would change that."""

    where: str
    command: str


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """What a page draws."""

    number: str
    head: tuple[str, ...]
    """Of the first column and of each cell after it."""
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]
    missing: tuple[Missing, ...]
    differs: str
    """A sentence on what differs between the paper's numbers and ours."""


def triple(values: Sequence[float | None]) -> str:
    """[95.1, 0.9, 99.6] -> "95.1 / 0.9 / 99.6"; a number that is not known is a dash, and trailing ones are left out."""
    known = list(values)
    while known and known[-1] is None:
        known.pop()
    return " / ".join("–" if value is None else f"{value:.1f}" for value in known)


def paper_table(number: str, results: Results) -> PaperTable:
    """One of `TABLES`, with what `results` hold."""
    layout = {
        "1": _by_attack,
        "2": _by_attack,
        "4": _by_row,
        "6": _by_row,
        "7": _by_row,
        "10": _no_attack,
        "12": _all_to_all,
    }[number]
    return layout(number, cells(number), results)


def _ours(
    number: str, where: tuple[str, str], cell: Cell, defense: str, results: Results, missing: list[Missing]
) -> tuple[TableCell, OurResult | None]:
    found = measured(cell, defense, results)
    if found is None:
        missing.append(_missing(number, where, defense))
        return TableCell(text="not run", kind="missing"), None
    return TableCell(text=triple((found.clean_accuracy, found.attack_success_rate, found.rating)), kind="ours"), found


def _missing(number: str, where: tuple[str, str], defense: str) -> Missing:
    row, column = where
    command = f"python -m benchmarks.paper_tables {number} --rows {row} --columns {column} --defenses none{' bsd' * (defense == 'bsd')}"
    return Missing(where=f"{_name(row)}, {_name(column)}, {METHODS[defense]}", command=command)


def missing_of(number: str, results: Results) -> list[Missing]:
    """The cells of a table or figure that have not been run with BSD."""
    return [
        _missing(number, where, "bsd")
        for where, cell in cells(number).items()
        if measured(cell, "bsd", results) is None
    ]


def _name(word: str) -> str:
    return {**ATTACKS, **DATA, **ABLATIONS}.get(word, f"target {word}" if word.isdecimal() else word)


def _paper(values: Sequence[float | None]) -> TableCell:
    return TableCell(text=triple(values), kind="paper")


def _made(
    number: str,
    head: Iterable[str],
    rows: Iterable[tuple[str, tuple[TableCell, ...]]],
    missing: list[Missing],
    used: dict[tuple[str, str], Cell],
    found: Iterable[OurResult | None],
) -> PaperTable:
    return PaperTable(
        number=number, head=tuple(head), rows=tuple(rows), missing=tuple(missing), differs=differs(used.values(), found)
    )


def _by_attack(number: str, wanted: dict[tuple[str, str], Cell], results: Results) -> PaperTable:
    """Rows: attacks; columns: the paper's methods, then ours."""
    numbers, missing, rows, found = paper_numbers()[number], [], [], []
    for where, cell in wanted.items():
        data, attack = where
        printed = numbers[data][attack] if number == "1" else numbers[attack]
        made = [_ours(number, where, cell, defense, results, missing) for defense in DEFENSES]
        found += [measured_ for _, measured_ in made]
        label = f"{DATA[data]} · {ATTACKS[attack]}" if number == "1" else ATTACKS[attack]
        rows.append((label, (*(_paper(printed[method]) for method in METHODS), *(cell for cell, _ in made))))
    head = ("attack", *METHODS.values(), "ours: no defence", "ours: BSD")
    return _made(number, head, rows, missing, wanted, found)


def _by_row(number: str, wanted: dict[tuple[str, str], Cell], results: Results) -> PaperTable:
    """Rows: settings; columns: attacks, the paper's and ours side by side."""
    missing, rows, found = [], [], []
    columns = list(dict.fromkeys(column for _, column in wanted))
    for row in dict.fromkeys(row for row, _ in wanted):
        made: list[TableCell] = []
        for attack in columns:
            cell, measured_ = _ours(number, (row, attack), wanted[row, attack], "bsd", results, missing)
            found.append(measured_)
            made += [_paper(_printed(number, row, attack)), cell]
        rows.append((_row_name(number, row), tuple(made)))
    head = (
        _FIRST[number],
        *(text for attack in columns for text in (f"{ATTACKS[attack]}: paper", f"{ATTACKS[attack]}: ours")),
    )
    return _made(number, head, rows, missing, wanted, found)


_FIRST = {"4": "target label", "6": "BSD", "7": "alpha, beta"}


def _printed(number: str, row: str, attack: str) -> list[float | None]:
    table = paper_numbers()[number]
    return table[row][attack] if number == "7" else table[attack][row]


def _row_name(number: str, row: str) -> str:
    if number == "7":
        numbers = paper_numbers()["7"][row]
        return f"{numbers['alpha']}, {numbers['beta']}" + (" (the paper's default)" if row == "default" else "")
    return ABLATIONS.get(row, row)


def _no_attack(number: str, wanted: dict[tuple[str, str], Cell], results: Results) -> PaperTable:
    """Rows: methods; columns: data sets, the paper's and ours side by side."""
    numbers, missing, rows, found = paper_numbers()["10"], [], [], []
    for method in ("none", "asd", "bsd"):
        made: list[TableCell] = []
        for where, cell in wanted.items():
            made.append(_paper(numbers[where[1]][method]))
            if method not in DEFENSES:
                made.append(TableCell(text="", kind="blank"))
                continue
            own, measured_ = _ours(number, where, cell, method, results, missing)
            found.append(measured_)
            made.append(
                TableCell(text=triple((measured_.clean_accuracy, measured_.attack_success_rate)), kind="ours")
                if measured_
                else own
            )
        rows.append((METHODS[method], tuple(made)))
    head = ("CA / ASR", *(text for _, data in wanted for text in (f"{DATA[data]}: paper", f"{DATA[data]}: ours")))
    return _made(number, head, rows, missing, wanted, found)


def _all_to_all(number: str, wanted: dict[tuple[str, str], Cell], results: Results) -> PaperTable:
    numbers, missing, rows, found = paper_numbers()["12"], [], [], []
    ((where, cell),) = wanted.items()
    for method in ("none", "asd", "bsd"):
        own = TableCell(text="", kind="blank")
        if method in DEFENSES:
            own, measured_ = _ours(number, where, cell, method, results, missing)
            found.append(measured_)
        rows.append((METHODS[method], (_paper(numbers[method]), own)))
    return _made(number, ("method", "paper", "ours"), rows, missing, wanted, found)


def differs(used: Iterable[Cell], found: Iterable[OurResult | None]) -> str:
    """What differs between the paper's runs and ours: data, network, epochs, attacks' rates, seeds, and how many cells are filled."""
    made, listed = list(found), list(used)
    names = list(dict.fromkeys(cell.preset for cell in listed if not cell.preset.startswith("paper")))
    seeds = sorted({seed for one in made if one for seed in one.seeds})
    used_heads = {cell.attack.partition("@")[0] for cell in listed}
    attacks = sorted(
        {spec for name in names for spec in SPECS.get(name, {}).values() if spec.partition("@")[0] in used_heads}
    )
    text = f"Ours, in place of the paper's data: {'; '.join(runs_of(presets.preset(name)) for name in names)}. The paper: ResNet-18 of width 64, 145 epochs of 1,024 iterations on the full set. "
    if attacks:
        text += f"Raised, as plain training on our images would not fall for them otherwise: {', '.join(attacks)}. "
    filled = sum(one is not None for one in made)
    text += f"{filled} of {len(made)} cells of ours are run" + (
        f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}" if seeds else ""
    )
    most = max((len(one.seeds) for one in made if one), default=0)
    return text + (
        f"; medians of up to {most} seeds."
        if most > 1
        else "; one seed is one draw, and says nothing of the spread."
        if filled
        else "."
    )


def runs_of(config: BSDConfig) -> str:
    """ "6,000 images of Fashion-MNIST, small resnet of width 16, 21 epochs of 60 iterations (preset demo)" """
    data = {"bundled": "Fashion-MNIST", "gtsrb": "GTSRB"}.get(config.data.data, config.data.data)
    size = f"{config.data.limit:,} images of " if config.data.limit else ""
    return (
        f"{size}{data}, {config.model.model.replace('_', ' ')} of width {config.model.width}, "
        f"{config.schedule.total_epochs} epochs of {config.schedule.iterations} iterations (preset {config.preset})"
    )
