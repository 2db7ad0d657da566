"""Malformed inputs made from valid ones: bytes, JSON, arrays and .npz files."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from typing import Any

import numpy as np

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    3,
    1.5,
    -0.0,
    1e308,
    10**400,
    2**63,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    "../..",
    "<script>",
    "=1+1",
    [],
    [[]],
    [1, "a"],
    {},
    {"a": {}},
    "é" * 40,
    "\ud800",
)


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return bytes with a few changes: flipped bits, a part missing, doubled or overwritten."""
    result = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        kind, at = draw.randrange(6), draw.randrange(len(result) + 1)
        length = draw.choice((1, 2, 8, 64, 1000))
        if kind == 0 and at < len(result):
            result[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del result[at:]
        elif kind == 2:
            del result[at : at + length]
        elif kind == 3:
            result[at:at] = result[at : at + length]
        elif kind == 4:
            result[at : at + length] = draw.randbytes(min(length, 64))
        else:
            result[at : at + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"PK\3\4"))
    return bytes(result)


def odd_json(value: Any, draw: random.Random) -> bytes:
    """Return a JSON document with one value replaced, renamed or removed; sometimes extremely nested."""
    if draw.random() < 0.02:
        return draw.choice((b"[", b'{"a":')) * 100_000
    value = copy.deepcopy(value)
    place: Any = value
    for _ in range(draw.randrange(1, 4)):
        if not isinstance(place, dict) or not place:
            break
        key = draw.choice(sorted(place))
        if isinstance(place[key], dict) and place[key] and draw.random() < 0.7:
            place = place[key]
            continue
        if draw.random() < 0.15:
            place[str(draw.choice(ODD_VALUES))[:20]] = place.pop(key)
        elif draw.random() < 0.15:
            del place[key]
        else:
            place[key] = copy.deepcopy(draw.choice(ODD_VALUES))  # a later round may change it
    return json.dumps(value).encode(errors="surrogatepass")


def odd_array(array: np.ndarray, draw: random.Random) -> np.ndarray:
    """Return an array of another dtype, shape or range."""
    kind = draw.randrange(6)
    if kind == 0:
        return array.astype(draw.choice((np.float64, np.int8, np.bool_, np.complex64, "U3", "M8[s]", ">f4")))
    if kind == 1:
        return array[: draw.randrange(len(array) + 1)] if array.ndim else array
    if kind == 2:
        return array[None]
    if kind == 3:
        return np.asarray(draw.choice((0, -1, 2**31, 0.5)))
    if kind == 4 and array.dtype.kind in "iuf" and array.size:
        extremes = np.array([draw.choice((-1, 10**4, 100, 0))], array.dtype if array.dtype.kind != "u" else np.int64)
        return np.concatenate([np.ravel(array)[1:].astype(extremes.dtype), extremes]).reshape(array.shape)
    return np.full(array.shape, np.nan if array.dtype.kind == "f" else 1).astype(array.dtype)


def odd_npz(content: bytes, draw: random.Random) -> bytes:
    """Return an .npz file that is a valid zip file with odd content: other arrays, forged headers, compression."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = draw.choice(sorted(members))
    kind = draw.randrange(6)
    if kind == 0:
        members[name] = forged_header(members[name], draw)
    elif kind == 1:
        members[f"{draw.choice(('x', '../x', 'is_poison', '', 'scalars'))}.npy"] = members.pop(name)
    elif kind == 2:
        members[name] = damaged(members[name], draw)
    else:
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        if name == "scalars.npy":
            array = np.frombuffer(odd_json(json.loads(array.tobytes()), draw), np.uint8)
        else:
            array = (
                odd_array(array, draw)
                if array.dtype.kind in "biuf"
                else np.array(draw.choice(("x", ["", "é"], [["a"]], 3, [1.5])))
            )
        members[name] = _npy(array)
    result = io.BytesIO()
    with zipfile.ZipFile(
        result, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return result.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def forged_header(content: bytes, draw: random.Random) -> bytes:
    """Return an .npy file whose header does not match its content."""
    descr = draw.choice(("<f4", "|O", "<f8", "|u1", "<U1000000000", "|V0", "(3,)f4", "nonsense", "[('a','<f4')]"))
    shape = draw.choice(
        (
            "(10**15,)",
            "(1000000000000000,)",
            "(-1,)",
            "(0,)",
            "()",
            "(2, 2)",
            "(4611686018427387904, 4)",
            "(1.5,)",
            "None",
            "(True,)",
        )
    )
    header = draw.choice(
        (
            f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}",
            "{" * 900,
            "(" * 3000,
            "",
            "[1]",
            "'\\",
            "{'descr': ",
        )
    ).encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[128:]
