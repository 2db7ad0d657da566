"""A run killed before its first epoch starts again, or resumes by the command in the message; `.ci/nightly` tests fifty
moments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nightly.kill_and_resume import compare
from tests.nightly.kill_at_creation import killed, whole

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A complete run, and the number of moments at which others can be killed before their first epoch."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, whole(folder)


@pytest.mark.parametrize(("share", "expected"), [(0.1, "started again"), (0.5, "started again"), (1.0, "resumed")])
def test_a_run_killed_before_its_first_epoch_goes_on_as_the_message_says(
    reference: tuple[Path, int], tmp_path: Path, share: float, expected: str
) -> None:
    folder, moments = reference
    assert killed(tmp_path / "killed", round(share * moments)) == (expected, [])
    assert compare(folder, tmp_path / "killed") == []
