"""A copy of one's own from a foreign run or a recording."""

from __future__ import annotations

from pathlib import Path


def adopt(source: Path, out: Path) -> tuple[str, ...]:
    """Copy everything of a run that can be read and checked into a new run folder of one's own.

    Judgements are copied row by row. Paths in the settings stay as they are, but are not followed for exports
    (`RunReader.trusts_paths`).

    Returns
    -------
    tuple of str
        One sentence for each part that was left out because it is damaged.

    Raises
    ------
    RunFolderError
        If the run cannot be read, or `out` is not a new or empty folder.
    """
    raise NotImplementedError
