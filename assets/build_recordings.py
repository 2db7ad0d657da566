"""Remake the recordings of assets/recordings: train, draw the maps, pack.

    python -m assets.build_recordings [NAME ...] [--work FOLDER]     all of them when no name is given

Each is a run of the command line on the bundled images with the preset demo, 1.5 to 4 minutes on two cores; what
differs from the demo is in its card. FOLDER keeps the run folders (default: .recordings-work); one that has ended
with the same settings is packed again without training.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bsd_engine.recordings import library
from bsd_engine.recordings.card import RecordingCard
from bsd_engine.recordings.pack import pack

ROOT = Path(__file__).resolve().parents[1]
BADNETS = tuple("--attack badnets --target 3 --rate 0.05".split())
CLEAN_LABEL = tuple("--attack label_consistent --target 3 --rate 0.9 --attack-parameters eps 32 step 3".split())


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a recording is made."""

    title: str
    template: str
    """What to see; the numbers in braces come from the summaries."""
    attack: tuple[str, ...] = BADNETS
    options: tuple[str, ...] = ()
    """What differs from the demo."""
    undefended: bool = False
    """Whether plain training on the same poisoned set goes with it."""

    def command(self, kind: str = "train") -> list[str]:
        """Words of the command line, without the folder."""
        options = self.options if kind == "train" else ()
        return ["-m", "bsd_engine", kind, "--preset", "demo", "--seed", "0", *self.attack, *options]


PLANS = {
    "healthy": Plan(
        title="A backdoor kept out",
        template="5 % of the clothes carry a small checkerboard and the label dress. Plain training on them obeys the "
        "trigger on {plain_attack_success_rate} % of the test images; BSD ends at {attack_success_rate} %, "
        "with {clean_accuracy} % of clean images right and {poison_in_clean_pool} poisoned samples in a pool "
        "of {clean_pool_size}.",
        undefended=True,
    ),
    "collapse-poison": Plan(
        title="Collapse I: poison in the pool",
        template="The first pool is drawn at random instead of by the two cuts, and the model stays on it for ten "
        "epochs as in the paper: with {poison} poisoned samples among 6,000, that teaches the trigger. It "
        "works on {peak_attack_success_rate} % of the test images while the pool grows, and clean accuracy "
        "looks well all the time. Only the last stage, selective drop, throws poison out again: "
        "{attack_success_rate} % at the end, with {clean_accuracy} % of clean images right.",
        options=("--init-combine", "random", "--init-epochs", "10", "--t2", "19", "--t3", "23"),
    ),
    "collapse-classes": Plan(
        title="Collapse II: classes starve",
        template="Class completion is off, so the pool takes whatever the main model knows best, and what it knows "
        "least never gets in: at the end the scarcest class has {fewest_in_pool} of {clean_pool_size} "
        "samples. The trigger fails ({attack_success_rate} %), but only {clean_accuracy} % of clean images "
        "are right.",
        options=("--completion", "off"),
    ),
    "wrong-target": Plan(
        title="The wrong class suspected",
        template="The defence is told to guard T-shirt, but the trigger leads to dress. The main model warms up on the"
        " poison, and the trigger works on {peak_attack_success_rate} % of the test images at its worst; the "
        "later stages repair a part of it: {attack_success_rate} % at the end, with {poison_in_clean_pool} "
        "poisoned samples still in the pool.",
        options=("--target-estimator", "given", "--assume-target", "0"),
    ),
    "no-attack": Plan(
        title="No attack at all",
        template="Nothing is poisoned, and BSD is not told. It finds no attack, and guards the class that is nearest "
        "to a target all the same. At the end {clean_accuracy} % of clean images are right, and "
        "{clean_pool_size} of 6,000 samples are in the pool.",
        attack=("--attack", "none"),
    ),
    "clean-label": Plan(
        title="A clean-label attack",
        template="The attacker changes no label: {poison} photographs of dresses are distorted until only their small "
        "checkerboards tell what they are. Plain training obeys the trigger on {plain_attack_success_rate} % "
        "of the test images, BSD on {attack_success_rate} %, with {clean_accuracy} % of clean images right "
        "and {poison_in_clean_pool} poisoned samples in a pool of {clean_pool_size}.",
        attack=CLEAN_LABEL,
        undefended=True,
    ),
}


def run(words: list[str]) -> None:
    """One command in a process of its own."""
    print("$ python", shlex.join(words), flush=True)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)


def trained(words: list[str], folder: Path) -> Path:
    """The folder of a command's run, trained where it is not there; one of other settings or unfinished is an error."""
    note = folder.parent / f"{folder.name}.command.json"
    if not note.exists() or json.loads(note.read_text()) != words or not (folder / "summary.json").exists():
        if folder.exists():
            raise SystemExit(f"{folder} holds another run than {shlex.join(words)}; move it away.")
        run([*words, "--out", str(folder)])
        note.write_text(json.dumps(words))
    return folder


def build(name: str, work: Path) -> Path:
    """Train what is missing, draw the maps, and pack."""
    plan = PLANS[name]
    folder = trained(plan.command(), work / name)
    plain = trained(plan.command("undefended"), work / f"{name}-undefended") if plan.undefended else None
    run(["-m", "bsd_engine", "map", str(folder)])
    card = RecordingCard(
        name=name, title=plan.title, template=plan.template, command=f"python {shlex.join(plan.command())}"
    )
    return pack(folder, library.FOLDER / f"{name}{library.SUFFIX}", card, undefended=plain)


def main() -> None:
    """Build what is named, and say what it became."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLANS))
    parser.add_argument("--work", type=Path, default=ROOT / ".recordings-work")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(PLANS)):
        parser.error(f"there is no recording {unknown[0]!r}; there are {', '.join(PLANS)}")
    given.work.mkdir(parents=True, exist_ok=True)
    for name in given.names or PLANS:
        path = build(name, given.work.resolve())
        made = library.describe(name)
        print(
            f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB\n{made.title}. {made.sentence}", flush=True
        )


if __name__ == "__main__":
    main()
