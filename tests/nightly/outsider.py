"""Attack the project as an outsider would: the attacks that once broke it, then as many random ones.

    python -m tests.nightly.outsider            all: about an hour on two cores
    python -m tests.nightly.outsider quick      the known attacks alone: ten minutes

Each line says what was tried and whether it was repelled. Nothing outside temporary folders is touched: odd command
lines run in a mount namespace of their own, and are left out where the system does not allow one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

ENGINE, APP, BROWSER = "tests/engine", "tests/app", "tests/browser"
KNOWN: dict[str, tuple[str, ...]] = {
    "a database of judgements that deletes a file, runs for ever, or holds forged rows": (
        f"{ENGINE}/audit/test_judgement_threats.py",
    ),
    "an audit without a suspected class": (
        f"{ENGINE}/audit/test_audit_no_suspect.py",
        f"{APP}/audit/test_audit_no_suspect_page.py",
    ),
    "damaged checkpoints, epochs and images": (f"{ENGINE}/runs/origin", f"{ENGINE}/training/test_checkpoint.py"),
    "pictures that start a program or take all memory": (f"{ENGINE}/data/test_pictures.py",),
    "pages that frame, command or question the dashboard": (
        f"{APP}/server/web",
        f"{APP}/server/test_server.py",
        f"{BROWSER}/test_foreign_sites.py",
    ),
    "a run that names private files, or links to them": (
        f"{ENGINE}/audit/test_audit_cleaned.py",
        f"{ENGINE}/audit/test_audit_exports.py",
        f"{ENGINE}/audit/test_adopting.py",
        f"{APP}/test_foreign_pages.py",
        f"{BROWSER}/test_foreign_run.py",
    ),
    "charts that upload themselves, and anything else that leaves the machine": (
        f"{BROWSER}/test_chart_bars.py",
        f"{BROWSER}/test_nothing_leaves.py",
    ),
    "epochs with values that no run writes": (f"{ENGINE}/audit/test_audit_odd_epochs.py",),
    "kills before the first epoch": (f"{ENGINE}/runs/test_kill_at_creation.py",),
    "outputs written over other files": (f"{ENGINE}/files/test_outputs.py",),
    "names that are markup, formulas or no text": (f"{ENGINE}/runs/test_hostile.py", f"{ENGINE}/files/test_cells.py"),
    "thousands of runs and files": (f"{APP}/server/test_run_list.py", f"{ENGINE}/runs/test_many_files.py"),
    "networks, batches and triggers that take all memory": (
        f"{ENGINE}/runs/test_foreign_models.py",
        f"{ENGINE}/prepare/test_memory.py",
    ),
    "odd command lines": (
        f"{ENGINE}/cli/test_command_lines.py",
        f"{ENGINE}/cli/test_foreign_settings.py",
        f"{ENGINE}/cli/test_exit_status.py",
    ),
}
"""What an outsider's attack broke in November 2026, with the tests that hold it now."""
RANDOM: dict[str, tuple[str, ...]] = {
    "1,000 forged run folders over every reader and page": ("tests.nightly.fuzzing", "foreign", "1000"),
    "500 flipped bits": ("tests.nightly.bit_flips", "500"),
    "2,000 odd command lines": ("tests.nightly.command_lines", "2000"),
    "50 kills before the first epoch": ("tests.nightly.kill_at_creation", "50"),
}


def repelled(name: str, words: Iterable[str]) -> bool:
    """Run a command; print and return whether it succeeded, with its last lines if it did not."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", *words], capture_output=True, text=True)
    print(f"{'repelled' if done.returncode == 0 else 'BROKE   '}  {name}", flush=True)
    if done.returncode:
        print("\n".join((done.stdout + done.stderr).splitlines()[-15:]), flush=True)
    return done.returncode == 0


def main(kind: str = "all") -> int:
    """Run the attacks; returns how many broke something."""
    seed = os.environ.get("BSD_NIGHT", "0")
    results = [repelled(name, ("pytest", "-q", *tests)) for name, tests in KNOWN.items()]
    if kind != "quick":
        with_seed = {name: words if "creation" in words[0] else (*words, seed) for name, words in RANDOM.items()}
        results += [repelled(name, words) for name, words in with_seed.items()]
    print(f"{sum(results)} of {len(results)} attacks repelled")
    return results.count(False)


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
