"""Run folders of one's own, where a test makes or copies them without the writer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bsd_engine.runs.origin import provenance


def signed(folder: Path) -> Path:
    """Return a folder that counts as written by this installation; without settings it gets empty ones."""
    folder.mkdir(exist_ok=True)
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text("{}")
    provenance.write_signature(folder)
    return folder


def own_copy(source: Path, out: Path) -> Path:
    """Return a copy of a run folder that counts as written by this installation; a plain copy would be foreign."""
    return signed(Path(shutil.copytree(source, out)))


def edited_copy(
    source: Path, out: Path, *, settings: dict[str, dict[str, object]] | None = None, **top: object
) -> Path:
    """Return a foreign copy of a run folder as a stranger would change it: without digests, which may be missing in
    folders of format 3.

    Parameters
    ----------
    settings : new values of settings, by group: {"model": {"width": 99}}
    **top : new entries of config.json
    """
    shutil.copytree(source, out)
    (out / "digests.jsonl").unlink(missing_ok=True)
    content = json.loads((out / "config.json").read_text()) | {"format_version": 3} | top
    for group, values in (settings or {}).items():
        content["config"][group] |= values
    (out / "config.json").write_text(json.dumps(content))
    return out
