"""Kill a training process between the making of its folder and its first epoch, and do what the program says then.

    python -m tests.nightly.kill_at_creation [KILLS]      default 50, evenly spread; about ten seconds each on two cores

The process kills itself just before it opens, renames, locks or removes something in the run folder or in the hidden
folder that becomes it. The same command is then given again: it must either train, or refuse with a sentence whose
command resumes the run. In both cases the run must end like an uninterrupted one, and nothing else may be left over.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.nightly.kill_and_resume import compare

ROOT = Path(__file__).parents[2]
OPTIONS = shlex.split(
    "--preset smoke --device cpu --limit 100 --iterations 1 --altruistic-epochs 1 --t1 1 --init-epochs 1 --t2 3 --t3 4"
)
COUNTED = """
import os, signal, sys
name, moment, seen = sys.argv.pop(1), int(sys.argv.pop(1)), 0
def count(event, args):
    global seen
    if event not in ("open", "os.mkdir", "os.rename", "os.remove", "os.listdir", "os.scandir"):
        return
    paths = [os.fsdecode(a) for a in args[:2] if isinstance(a, (str, bytes, os.PathLike))]
    if any(name in path for path in paths):
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        if paths[-1].endswith("checkpoints/00000.pt") and event == "os.rename":
            print("moments", seen, flush=True)
sys.addaudithook(count)
from bsd_engine.cli.main import main
sys.exit(main())
"""


def train(folder: Path, *arguments: str, moment: int = 0) -> subprocess.CompletedProcess[str]:
    """Train in a process that kills itself before the given operation on the folder, counted from 1; 0 is never."""
    return subprocess.run(
        [sys.executable, "-c", COUNTED, folder.name, str(moment), "train", *OPTIONS, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def whole(folder: Path) -> int:
    """Train a run without interruption; returns the number of moments before its first epoch and checkpoint."""
    done = train(folder, "--out", str(folder))
    found = re.search(r"moments (\d+)", done.stdout)
    if done.returncode or found is None:
        raise SystemExit(f"the reference run failed: {done.stderr}")
    return int(found[1])


def killed(folder: Path, moment: int) -> tuple[str, list[str]]:
    """Kill a run at a moment and do what the program says; returns what that was, and what is wrong afterwards."""
    if train(folder, "--out", str(folder), moment=moment).returncode != -signal.SIGKILL:
        return "", ["it was not killed"]
    done, what = train(folder, "--out", str(folder)), "started again"
    if told := re.search(r"or resume the run in it with (--resume .*)\.$", done.stderr.strip()):
        done, what = train(folder, *shlex.split(told[1])), "resumed"
    if done.returncode:
        return what, [done.stderr.strip()[-300:]]
    left = [path.name for path in folder.parent.glob(f".{folder.name}.*")]
    return what, [f"{name} is left over" for name in left]


def main(kills: int = 50) -> int:
    """Run with that many kills; returns the number of runs that could not go on or ended differently."""
    with tempfile.TemporaryDirectory() as place:
        reference, wrong = Path(place) / "whole", 0
        moments = whole(reference)
        for i in range(kills):
            moment, folder = 1 + i * (moments - 1) // max(1, kills - 1), Path(place) / f"killed-{i}"
            what, found = killed(folder, moment)
            found = found or compare(reference, folder)
            wrong += bool(found)
            print(
                f"{i + 1:>3}: moment {moment} of {moments}, {what}: {'; '.join(found[:3]) or 'identical'}", flush=True
            )
        print(f"{kills - wrong} of {kills} resumed or started again, to the same end")
        return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
