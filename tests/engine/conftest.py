"""Fixtures that tests of several folders share."""

from pathlib import Path

import pytest

from tests.support.image_sets import write_image


@pytest.fixture
def image_tree(tmp_path: Path) -> Path:
    """train: 3 images each of ant and bee; test: 2 each. The value of an image tells which it is."""
    for part, count, offset in (("train", 3, 0), ("test", 2, 100)):
        for label, name in enumerate(("ant", "bee")):
            for i in range(count):
                write_image(tmp_path / part / name / f"{i}.png", offset + 10 * label + i)
    return tmp_path
