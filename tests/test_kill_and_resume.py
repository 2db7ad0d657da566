"""A process killed at a random moment leaves a run that resumes to the very same end; `.ci/nightly` does it twenty times."""

from pathlib import Path

import pytest

from tests.kill_and_resume import OPTIONS, compare, killed, train, whole


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A whole run, and the seconds that it trained."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, whole(folder)


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_killed_run_resumes_to_the_very_same_end(uninterrupted: tuple[Path, float], tmp_path: Path, share: float) -> None:
    reference, seconds = uninterrupted
    killed(tmp_path / "killed", share * seconds)
    assert compare(reference, tmp_path / "killed") == []


def test_a_difference_would_be_seen(uninterrupted: tuple[Path, float], tmp_path: Path) -> None:
    assert compare(uninterrupted[0], uninterrupted[0]) == []
    other = tmp_path / "other"
    assert train(*OPTIONS, "--alpha", "0.5", "--out", str(other)).wait() == 0
    assert any("clean_mask" in where for where in compare(uninterrupted[0], other))
