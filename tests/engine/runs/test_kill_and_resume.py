"""A run killed at a random moment resumes to exactly the same end; `.ci/nightly` tests this fifty times for the
training process and fifty times for the server."""

from pathlib import Path

import pytest

from tests.nightly import kill_the_server
from tests.nightly.kill_and_resume import OPTIONS, compare, killed, train, whole

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A complete run, and the seconds that it trained."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, whole(folder)


@pytest.mark.parametrize("share", [0.05, 0.35, 0.6, 0.85])
def test_a_killed_run_resumes_to_exactly_the_same_end(
    uninterrupted: tuple[Path, float], tmp_path: Path, share: float
) -> None:
    reference, seconds = uninterrupted
    killed(tmp_path / "killed", share * seconds)
    assert compare(reference, tmp_path / "killed") == []


def test_a_run_whose_server_is_killed_is_resumed_from_the_page_of_another_server(tmp_path: Path) -> None:
    reference, seconds = kill_the_server.whole(tmp_path)
    path, _ = kill_the_server.killed(tmp_path / "killed", 0.5 * seconds)
    assert compare(reference, path) == []


def test_a_difference_would_be_noticed(uninterrupted: tuple[Path, float], tmp_path: Path) -> None:
    assert compare(uninterrupted[0], uninterrupted[0]) == []
    other = tmp_path / "other"
    assert train(*OPTIONS, "--alpha", "0.5", "--out", str(other)).wait() == 0
    assert any("clean_mask" in where for where in compare(uninterrupted[0], other))
