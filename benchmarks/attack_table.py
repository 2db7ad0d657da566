"""The table of docs/attacks.md: CA, ASR and DER of each attack with undefended training and with BSD.

    python -m benchmarks.attack_table PRESET [ATTACK ...] [--seeds 0 1 2] [--only-print]

PRESET is demo (bundled images) or demo-gtsrb. An attack may carry parameters and a rate: "sig:weight=0.4",
"badnets_all2all@0.2"; without ATTACK, those of ATTACKS are run. Each pair of attack and seed takes three to ten minutes
on two cores. Each result is one line of benchmarks/results/attack_table.jsonl and is not measured again: to repeat it,
remove its line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.results import RESULTS, ROOT, SUMMARY_KEYS, append_line, read_lines
from bsd_engine import attacks
from bsd_engine.metrics import defense_effectiveness_rating

RESULTS_FILE = RESULTS / "attack_table.jsonl"
ATTACKS = {
    "demo": [
        "badnets",
        "blended",
        "refool",
        "wanet:strength=1,noise_rate=0.1@0.2",
        "badnets_all2all@0.2",
        "adaptive@0.1",
        "sig:weight=0.4",
        "label_consistent:eps=32,step=3,size=8@0.9",
        "narcissus:eps=48@0.9",
    ],
    "demo-gtsrb": [
        "badnets:pattern=checkerboard",
        "blended:opacity=0.2@0.1",
        "badnets_all2all:pattern=checkerboard@0.1",
        "adaptive@0.1",
        "sig:weight=0.4@0.5",
        "refool:weight_low=0.4,weight_high=0.55@0.2",
        "wanet:strength=5,noise_rate=0.05@0.3",
        "label_consistent:pattern=checkerboard,size=14,eps=32,step=3@0.9",
        "narcissus:eps=48,rounds=150,others=classes@0.9",
    ],
}
"""The paper's rate and strength if undefended training learns the trigger from them, else the smallest tried values
that work (docs/attacks.md)."""
BSD_OPTIONS = {"badnets_all2all": ("--all-to-all", "shared", "--no-selective-drop")}
"""Options of BSD for an attack: all-to-all has no single target."""
PLAIN_OPTIONS = {("demo-gtsrb", "badnets_all2all"): ("--undefended-epochs", "30")}
"""Options of undefended training, which takes longer to learn 43 classes, and so to learn the next class of each."""
Result = dict[str, Any]


def options(spec: str) -> tuple[str, list[str]]:
    """Return the name of the attack in "name:parameter=value,...@rate", and its command-line options."""
    head, _, rate = spec.partition("@")
    name, _, parameters = head.partition(":")
    words = ["--attack", name]
    if parameters:
        words += ["--attack-parameters", *(word for pair in parameters.split(",") for word in pair.split("="))]
    return name, words + (["--rate", rate] if rate else [])


def run(command: str, words: list[str]) -> Result:
    """Run one command and return the parts of its run's summary that are kept."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "bsd_engine", command, *words, "--out", f"{folder}/run"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        summary = json.loads((Path(folder) / "run/summary.json").read_text())
        return {key: summary[key] for key in SUMMARY_KEYS}


def known() -> dict[tuple[str, str, int], Result]:
    """Return the results so far, by preset, attack and seed."""
    return {(result["preset"], result["attack"], result["seed"]): result for result in read_lines(RESULTS_FILE)}


def measure(preset: str, spec: str, seed: int) -> Result:
    """Return the results of undefended training and BSD on the same poisoned set; also appends them to the results."""
    name, words = options(spec)
    shared = ["--preset", preset, "--seed", str(seed), *words]
    result = {
        "preset": preset,
        "attack": spec,
        "seed": seed,
        "plain": run("undefended", [*shared, *PLAIN_OPTIONS.get((preset, name), ())]),
        "bsd": run("train", [*shared, *BSD_OPTIONS.get(name, ())]),
    }
    append_line(RESULTS_FILE, result)
    return result


def rating(result: Result) -> float:
    """Return the DER, percent."""
    plain, defended = result["plain"], result["bsd"]
    return defense_effectiveness_rating(
        defended["clean_accuracy"],
        defended["attack_success_rate"],
        baseline_clean_accuracy=plain["clean_accuracy"],
        baseline_attack_success_rate=plain["attack_success_rate"],
    )


def rows(preset: str, results: list[Result]) -> Iterator[str]:
    """Yield the rows of the table: medians over the seeds, and the range if it is a point or more."""
    columns = "plain CA % | plain ASR % | BSD CA % | BSD ASR % | DER % | poison in pool | target right | seeds"
    yield f"| {preset} | {columns} |"
    yield "|---" * 9 + "|"
    for spec in dict.fromkeys(r["attack"] for r in results if r["preset"] == preset):
        of_seeds = [r for r in results if r["preset"] == preset and r["attack"] == spec]
        rates = [
            [r[kind][key] for r in of_seeds]
            for kind in ("plain", "bsd")
            for key in ("clean_accuracy", "attack_success_rate")
        ]
        right = sum(r["bsd"]["pseudo_target"] == r["bsd"]["true_target"] for r in of_seeds)
        target = str(right) if attacks.kind(options(spec)[0]).has_target else "none"
        cells = [
            *map(spread, [*rates, [rating(r) for r in of_seeds]]),
            spread([r["bsd"]["poison_in_clean_pool"] for r in of_seeds], 0),
            target,
        ]
        yield f"| `{spec}` | {' | '.join(cells)} | {len(of_seeds)} |"


def spread(values: list[float], digits: int = 1) -> str:
    """Return the median, and the range if it is a point or more."""
    middle, low, high = (f"{x:.{digits}f}" for x in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}-{high})" if max(values) - min(values) >= 1 else middle


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=list(ATTACKS))
    parser.add_argument("attacks", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only-print", action="store_true")
    given = parser.parse_args()
    for seed in [] if given.only_print else given.seeds:
        for spec in given.attacks or ATTACKS[given.preset]:
            if (given.preset, spec, seed) not in known():
                print(json.dumps(measure(given.preset, spec, seed)), file=sys.stderr, flush=True)
    print("\n".join(rows(given.preset, list(known().values()))))


if __name__ == "__main__":
    main()
