"""Table 6 of the paper on the demo's data: BSD whole, and without one of its parts.

    python benchmarks/ablations.py [ATTACK ...]     default badnets; about two minutes a row on two cores

Each row is a run that the command line starts; the settings are printed with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bsd_engine.metrics import defense_effectiveness_rating  # noqa: E402

ROWS: dict[str, tuple[str, ...]] = {
    "default": (),
    "without initial pools": ("--init-combine", "random"),
    "without completion": ("--completion", "off"),
    "without drop": ("--no-selective-drop",),
    "the paper's completion": ("--completion", "fewest"),
}


def run(command: str, folder: Path, attack: str, options: tuple[str, ...]) -> dict:
    """The summary of one command's run."""
    arguments = [sys.executable, "-m", "bsd_engine", command, "--preset", "demo", "--attack", attack, *options, "--out", str(folder)]
    subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((folder / "summary.json").read_text())


def main(attacks: list[str]) -> None:
    """Print a Markdown table an attack."""
    for attack in attacks:
        with tempfile.TemporaryDirectory() as folder:
            plain = run("undefended", Path(folder) / "plain", attack, ())
        ca, asr = plain["clean_accuracy"], plain["attack_success_rate"]
        print(f"\n| {attack} | options | CA % | ASR % | DER % | poison in the pool | target right |\n|---|---|---|---|---|---|---|")
        print(f"| undefended | | {ca:.1f} | {asr:.1f} | | | |", flush=True)
        for name, options in ROWS.items():
            with tempfile.TemporaryDirectory() as folder:
                r = run("train", Path(folder) / "run", attack, options)
            der = defense_effectiveness_rating(r["clean_accuracy"], r["attack_success_rate"], baseline_clean_accuracy=ca,
                                               baseline_attack_success_rate=asr)
            print(f"| {name} | `{' '.join(options)}` | {r['clean_accuracy']:.1f} | {r['attack_success_rate']:.1f} | {der:.1f} | "
                  f"{r['poison_in_clean_pool']} | {'yes' if r['pseudo_target'] == r['true_target'] else 'no'} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["badnets"])
