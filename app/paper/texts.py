"""The texts of the Paper page."""

from __future__ import annotations

from collections.abc import Sequence

# -- page ------------------------------------------------------------------------------------------

CHOOSE_ITEM = "Figure or table of the paper"
IN_THE_PAPER = "**In the paper:**"
WHAT_DIFFERS = "**What differs:**"
SAVING = (
    "The toolbar of a chart saves it as SVG (with its data and the command that redraws it), as PNG, or as data (JSON)."
)
NO_FITTING_RUN = "no fitting run"
OTHER_SETTINGS = "other settings"
READ_ONLY = "Recordings, and runs that this installation did not write, are read-only."
NOTHING_DRAWN = "nothing is drawn yet, because no run fits this figure. The command below trains one."
PAPER_SETTINGS = "ResNet-18 of width 64, 145 epochs of 1,024 iterations"


def unknown_item(item: str) -> str:
    """What the page says about an address that names nothing on it; `item` is safe for markdown."""
    return f"There is no {item} on this page. Choose a figure or a table above."


def runs_drawn(number: int) -> str:
    """How many runs of ours a figure shows, next to the paper's settings."""
    ours = "One run is drawn" if number == 1 else f"{number} runs are drawn, one for each setting"
    return f"{ours}. The paper: {PAPER_SETTINGS}; it does not say how many runs."


def missing_heading(number: int) -> str:
    """The heading of the commands that would fill what is empty."""
    return "1 run is missing: its command" if number == 1 else f"{number} runs are missing: their commands"


# -- figures ---------------------------------------------------------------------------------------

FIGURE_TITLES = {
    "3": "Poisoning rates",
    "5": "Two ways to collapse",
    "6": "Poison in the clean pool",
    "7": "What the splits see",
    "8": "Warm-up and distances of OSS",
    "9": "The vote for the target",
    "10": "A wrong target",
    "11": "OSS against an all-to-all attack",
}
FIGURE_SHOWS = {
    "3": "Clean accuracy stays high and attack success stays near zero at poisoning rates from 1 % to 20 %, for three "
    "attacks on CIFAR-10. The rival defence ASD loses accuracy at rates other than 5 %.",
    "5": "Two ways in which training can fail. I: poisoned samples have small losses, fill the clean pool, and the "
    "attack succeeds. II: a hard class leaves the pool and is never predicted again.",
    "6": "The number of poisoned samples in the clean pool at each epoch, and summed over the epochs (dotted), at four "
    "poisoning rates on CIFAR-10.",
    "7": "(a) The altruistic loss after the altruistic warm-up, (b) the OSS distance after the OSS warm-up, (c) the "
    "loss discrepancy and (d) the main loss at the last epoch, on GTSRB with BadNets.",
    "8": "The smallest, mean and largest distance to the other classes' centres after warm-ups of different lengths. "
    "If the warm-up is too short, poisoned and clean samples overlap.",
    "9": "The class that is most often second after each epoch of the altruistic warm-up, and the majority so far, for "
    "four attacks on CIFAR-10. The paper's majority is right for all four.",
    "10": "BSD with a wrong target forced on purpose, for every true target of CIFAR-10 under BadNets. In most cases "
    "the other view saves the defence; with dog as the target and cat forced, it fails.",
    "11": "Each class is taken as the target in turn. In every class the poisoned samples are closer to the other "
    "classes, on CIFAR-10 with BadNets, which sends each class to the next.",
}
TAKEOVER_TITLE = "Figure 5, I: Poison takes over"
STARVATION_TITLE = "Figure 5, II: A class starves"


def figure_title(number: str) -> str:
    """The title of a figure with its number in the paper."""
    return f"Figure {number}: {FIGURE_TITLES[number]}"


# What stands in place of a figure that cannot be drawn; <br> breaks the line.
NO_RATES = "no poisoning rate has been run yet:<br>the commands below run them"
NO_POISON_COUNT = "no count of the poison in the clean pool:<br>the ground truth is unknown, or there is no pool yet"
NO_TRUTH = "this figure needs the ground truth,<br>which is unknown or not shown"
NO_POOL_YET = "no clean pool yet: it comes with the initial pools,<br>after the OSS warm-up"
NO_VOTES = "no votes yet: they come with the epochs<br>of the altruistic warm-up"
NO_FORCED_TARGET = "no run with a forced target yet:<br>the commands below run one"
NO_MAIN_MODEL = "needs the main model,<br>which trains after the altruistic warm-up"
NO_ALL_DISTANCES = (
    "no record of all three OSS distances: the run has not reached<br>its OSS warm-up, or an older version recorded it"
)
NO_OSS_DISTANCES = "no OSS distances: the run has not reached its OSS warm-up,<br>or no class was taken as the target"

SLOT_LABELS = {
    "healthy": "run",
    "reference": "healthy run, for comparison",
    "takeover": "I: poison takes over",
    "starvation": "II: a class starves",
    "forced": "run with a forced target",
    "all_to_all": "all-to-all run",
}


def rate_slot(rate: float) -> str:
    """The label of a run with a poisoning rate (0 to 1)."""
    return f"{100 * rate:g} % poisoned"


# -- tables ----------------------------------------------------------------------------------------

TABLE_TITLES = {
    "1": "Three attacks on three data sets",
    "2": "Four more attacks",
    "4": "Every class as the target",
    "6": "BSD without one of its parts",
    "7": "Other values of alpha and beta",
    "10": "No attack at all",
    "12": "Every class has its own target",
}
TABLE_SHOWS = {
    "1": "BSD keeps the attack success near zero on all three data sets without losing accuracy.",
    "2": "An attack with a reflection as the trigger and three clean-label attacks, on CIFAR-10.",
    "4": "The result for each class that the attacker may choose as the target, on CIFAR-10.",
    "6": "Random initial pools let the attack in. Without class completion, accuracy falls. Selective drop removes the "
    "last poison. On CIFAR-10.",
    "7": "The result hardly changes for alpha from 0.4 to 0.7 and beta up to 0.3. On CIFAR-10.",
    "10": "Trained on clean images and tested with the trigger of BadNets: BSD loses nothing if there is no attack.",
    "12": "Each image of class y is labelled y + 1, on CIFAR-10.",
}
METHODS = {"none": "no defence", "fp": "FP", "nad": "NAD", "abl": "ABL", "dbd": "DBD", "asd": "ASD", "bsd": "BSD"}
ATTACKS = {
    "badnets": "BadNets",
    "blended": "Blended",
    "wanet": "WaNet",
    "lc": "Label-consistent",
    "label_consistent": "Label-consistent",
    "sig": "SIG",
    "refool": "ReFool",
    "narcissus": "Narcissus",
    "badnets_all2all": "BadNets all-to-all",
    "none": "no attack",
}
DATA = {"cifar10": "CIFAR-10", "gtsrb": "GTSRB", "imagenet30": "30 classes of ImageNet"}
ABLATIONS = {
    "default": "complete",
    "wo_init": "without initial pools",
    "wo_comp": "without class completion",
    "wo_drop": "without selective drop",
}
ROW_HEADINGS = {"1": "attack", "2": "attack", "4": "target label", "6": "BSD", "7": "alpha, beta", "12": "method"}
NOT_RUN = "not run"


def table_title(number: str) -> str:
    """The title of a table with its number in the paper."""
    return f"Table {number}: {TABLE_TITLES[number]}"


def units(table: str) -> str:
    """What the numbers in a cell of a table are."""
    return f"Each cell: {'CA / ASR' if table == '10' else 'CA / ASR / DER'} in percent; ours in bold."


def caption(table: str) -> str:
    """The caption of a table."""
    return f"Table {table}: the paper's numbers and ours"


def substitutes(runs: Sequence[str], raised: Sequence[str]) -> str:
    """What our runs use in place of the paper's data and network, and which attacks are stronger than the paper's."""
    text = (
        f"In place of the paper's data, ours use {'; '.join(runs)}. The paper: {PAPER_SETTINGS} on the full data set. "
    )
    if raised:
        text += f"Attacks made stronger so that plain training on our images learns them: {', '.join(raised)}. "
    return text


def filled_cells(filled: int, total: int, seeds: Sequence[int], most_seeds: int) -> str:
    """How many of our cells have a result, and from how many seeds."""
    text = f"{filled} of our {total} cells have been run"
    if seeds:
        text += f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    if most_seeds > 1:
        return f"{text}; medians of up to {most_seeds} seeds."
    return f"{text}; a single seed does not show the spread." if filled else f"{text}."


def row_or_column(name: str) -> str:
    """The text of a row or column key of `cells`."""
    return {**ATTACKS, **DATA, **ABLATIONS}.get(name, f"target {name}" if name.isdecimal() else name)
