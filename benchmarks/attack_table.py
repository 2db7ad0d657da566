"""The table of docs/attacks.md: each attack against plain training and against BSD, CA, ASR and DER.

    python benchmarks/attack_table.py PRESET [ATTACK ...] [--seeds 0 1 2]

PRESET is demo (bundled images) or demo-gtsrb. Two to five minutes an attack and seed on two cores. Rows are printed as they
are ready; an attack may carry parameters and a rate: "sig:weight=0.4", "badnets_all2all@0.2".
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bsd_engine import attacks  # noqa: E402
from bsd_engine.metrics import defense_effectiveness_rating  # noqa: E402

VARIANTS = {"badnets_all2all": ("--all-to-all", "shared", "--no-selective-drop")}
"""What BSD needs to be told about an attack: with all-to-all there is no single target."""


def options(spec: str) -> tuple[str, list[str]]:
    """Name of the attack in "name:parameter=value,...@rate", and the command line's options for it."""
    head, _, rate = spec.partition("@")
    name, _, parameters = head.partition(":")
    words = ["--attack", name]
    if parameters:
        words += ["--attack-parameters", *(word for pair in parameters.split(",") for word in pair.split("="))]
    return name, words + (["--rate", rate] if rate else [])


def run(command: str, words: list[str]) -> dict:
    """The summary of one command's run."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "bsd_engine", command, *words, "--out", f"{folder}/run"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.loads((Path(folder) / "run/summary.json").read_text())


def row(preset: str, spec: str, seeds: list[int]) -> str:
    """One line of the table, medians over the seeds."""
    name, words = options(spec)
    plain, defended, ratings = [], [], []
    for seed in seeds:
        shared = ["--preset", preset, "--seed", str(seed), *words]
        plain.append(run("undefended", shared))
        defended.append(run("train", [*shared, *VARIANTS.get(name, ())]))
        ratings.append(defense_effectiveness_rating(
            defended[-1]["clean_accuracy"], defended[-1]["attack_success_rate"],
            baseline_clean_accuracy=plain[-1]["clean_accuracy"], baseline_attack_success_rate=plain[-1]["attack_success_rate"]))
    rates = [statistics.median(r[key] for r in runs) for runs in (plain, defended) for key in ("clean_accuracy", "attack_success_rate")]
    right = sum(r["pseudo_target"] == r["true_target"] for r in defended)
    target = f"{right} of {len(seeds)}" if attacks.kind(name).has_target else "none"
    return f"| `{spec}` | {' | '.join(f'{rate:.1f}' for rate in [*rates, statistics.median(ratings)])} | {target} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("attacks", nargs="*", default=attacks.names())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    print("| attack | plain CA % | plain ASR % | BSD CA % | BSD ASR % | DER % | target right |\n|---|---|---|---|---|---|---|", flush=True)
    for spec in given.attacks:
        print(row(given.preset, spec, given.seeds), flush=True)


if __name__ == "__main__":
    main()
