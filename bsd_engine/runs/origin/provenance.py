"""Who wrote a run folder: this installation, which signs the folders that it makes, or somebody else.

The signature covers the inodes of the folder and of its config.json, and the content of config.json. A copy, an
unpacked archive and a folder that comes back from somebody else have other inodes, so they count as foreign, as do
folders from before signatures. A rename in the same file system changes nothing.

A foreign run is read-only, and no path that it names is followed; `adopting.adopt` makes a copy of one's own from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import shlex
from pathlib import Path

from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.files.atomic import storage_errors, write_atomic
from bsd_engine.files.locations import state_folder

FILE = "origin.json"
_KEY_BYTES = 32


def is_own(path: Path) -> bool:
    """Return whether this installation wrote the run folder, and nobody has copied it since."""
    try:
        found = bounded.read_object(path / FILE, follow=False).get("signature")
        key = bounded.read_bytes(_key_file(), _KEY_BYTES)
        return isinstance(found, str) and hmac.compare_digest(found.encode(), _signature(path, key).encode())
    except (OSError, ValueError):
        return False


def refuse_foreign(path: Path, action: str) -> None:
    """Raise `RunFolderError` for a folder that this installation did not write; `action` completes "cannot be ..."."""
    if not is_own(path):
        raise RunFolderError(
            f"{path} cannot be {action}: it is read-only, because this installation did not write it, or it was copied "
            "or changed since. Make a copy of your own and use that: "
            f"python -m bsd_engine adopt {shlex.quote(str(path))} --out NEW_FOLDER"
        )


def _signature(path: Path, key: bytes) -> str:
    config = path / "config.json"
    content = bounded.read_bytes(config, bounded.MOST_JSON_BYTES, follow=False)
    message = f"{path.stat().st_ino} {config.stat().st_ino} ".encode() + content
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _key_file() -> Path:
    return state_folder() / "key"


def _key() -> bytes:
    """Return the key of this installation, which only its user can read; two processes may make it at once."""
    file = _key_file()
    with storage_errors(file, "Set BSD_STATE to a folder that can be written."):
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_name(f".{secrets.token_hex(3)}.tmp")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(secrets.token_bytes(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(new, file)  # unlike a rename, it does not replace the key of another process
            new.unlink()
        return bounded.read_bytes(file, _KEY_BYTES)


def write_signature(path: Path) -> None:
    """Sign a run folder whose config.json is complete; the first signature makes the key."""
    write_atomic(path / FILE, f'{{"signature": "{_signature(path, _key())}"}}\n'.encode())
