"""Damaged and hostile recordings: each is refused with one sentence that names the problem."""

from __future__ import annotations

import json
import re
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine.errors import RunFolderError
from bsd_engine.recordings import archive, library
from bsd_engine.recordings.unpack import unpack
from tests.support.recordings import changed, head_of


def test_a_newer_version_is_told_apart_from_damage(file: Path, cache: Path, tmp_path: Path) -> None:
    newer = changed(
        file,
        tmp_path / "n.bsdrec",
        recording_dot_json=json.dumps({"format_version": 2, "layers": []}).encode(),
        layers_dot_bin=b"x",
    )
    with pytest.raises(RunFolderError, match="has format 2, this program reads up to 1; update the program"):
        library.open_file(newer, "n")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 0.9999])
def test_a_cut_file_gives_one_sentence(file: Path, cache: Path, tmp_path: Path, share: float) -> None:
    content = file.read_bytes()
    (tmp_path / "cut.bsdrec").write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunFolderError, match=r"The recording cut\.bsdrec cannot be read.*cut or damaged"):
        library.open_file(tmp_path / "cut.bsdrec", "cut")
    assert not list(cache.glob("*/recording-*"))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_file_with_a_flipped_byte_opens_unchanged_or_gives_one_sentence(
    data: st.DataObject, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    damaged = tmp_path_factory.mktemp("damaged") / "d.bsdrec"
    damaged.write_bytes(content)
    try:
        unpack(damaged)
    except RunFolderError as error:
        assert re.match(r"The recording d\.bsdrec (cannot be read|has format)", str(error))


@pytest.mark.parametrize(
    "name",
    ["../evil.npz", "/etc/evil", "epochs/../../evil.npz", "epochs/1.npz", "checkpoints/00001.pt.sh", "config.json "],
)
def test_unknown_member_names_are_refused(file: Path, cache: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(RunFolderError, match="which is not part of a recording"):
        library.open_file(changed(file, tmp_path / "p.bsdrec", **{name.replace(".", "_dot_"): b"x"}), "p")
    assert not list(tmp_path.rglob("evil*"))


def test_a_duplicate_member_is_refused(file: Path, cache: Path, tmp_path: Path) -> None:
    twice = tmp_path / "t.bsdrec"
    shutil.copy(file, twice)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", b"{}")
    with pytest.raises(RunFolderError, match="the same name twice"):
        library.open_file(twice, "t")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bomb that states its size is refused for that size; one that lies is refused for its checksum, after no more
    bytes than it claims."""
    monkeypatch.setattr(archive, "MOST_UNPACKED_BYTES", 20_000_000)
    big = changed(file, tmp_path / "b.bsdrec", undefended_dot_pt=bytes(30_000_000))
    with pytest.raises(RunFolderError, match="would unpack to"):
        library.open_file(big, "b")
    content = bytearray(big.read_bytes())
    place = content.rfind(b"undefended.pt") - 46  # its entry in the central directory
    content[place + 24 : place + 28] = struct.pack("<I", 1000)
    big.write_bytes(content)
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(big, "b")


@pytest.mark.parametrize(
    ("key", "value"),
    [("rows", None), ("rows", {"main_loss": [0, 1]}), ("rows", {"main_loss": ["a"]}), ("images_crc", 1)],
)
def test_a_head_that_does_not_fit_gives_one_sentence(
    file: Path, cache: Path, tmp_path: Path, key: str, value: object
) -> None:
    odd = changed(file, tmp_path / "o.bsdrec", recording_dot_json=json.dumps({**head_of(file), key: value}).encode())
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(odd, "o")


@pytest.mark.parametrize("member", ["recording.json", "arrays.npz", "config.json"])
def test_a_missing_part_gives_one_sentence(file: Path, cache: Path, tmp_path: Path, member: str) -> None:
    with pytest.raises(RunFolderError, match="cannot be read"):
        library.open_file(changed(file, tmp_path / "m.bsdrec", drop=member), "m")
