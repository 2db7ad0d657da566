"""Sixty of the nightly run's odd command lines, in its jail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.nightly.jail import NO_JAIL
from tests.support.command_line import ROOT


def test_odd_command_lines_end_with_a_sentence_and_harm_nothing() -> None:
    """Numbers of 5,000 digits, paths without end, ~nobody, zero bytes and `--out ''` gave tracebacks."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.nightly.command_lines", "60", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode == NO_JAIL:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 of 60 command lines ended well" in done.stdout
