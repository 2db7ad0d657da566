"""The state that all pages share: the run, the epoch, the pinned sample and the selected samples.

The state is in the page's address, so that it survives a refresh and can be sent to somebody, and in the session,
because a change of page empties the address. A page reads it once per script run and writes what the user changed:

    from app.state import linked

    state, problems = linked.read(run=run.run_id, samples=run.num_samples, epochs=len(run.epochs))
    for sentence in problems:                  # a bad part of the address is reported, the rest is used
        st.warning(words.unformatted(sentence))
    epoch = state.shown_epoch(len(run.epochs)) # the newest while `state.epoch` is None, which is "follow live"
    state.selected, state.pinned               # sample ids, sorted; None where nothing is pinned
    linked.write(replace(state, pinned=17))    # every page finds it there

A write in a fragment reaches the address, too. `read` with another run than the one in the session forgets selection,
pin and epoch, which mean something within one run only.

In the address: `run` is the folder's name, `epoch` counts from 1 as on the screen, `pin` is a sample id, `sel` a set of
them (`encode_ids`).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.state import keys

PARTS = ("run", "epoch", "pin", "sel")
LONGEST_ADDRESS = 24_000
"""Characters of a selection in the address; servers refuse requests above 64 kB. 50,000 samples need at most 8,400."""


@dataclass(frozen=True, kw_only=True)
class Linked:
    """The shared state."""

    run: str | None = None
    """Name of the run folder, which may not exist."""
    epoch: int | None = None
    """Global, 0-based; None follows the newest."""
    pinned: int | None = None
    """Sample id."""
    selected: tuple[int, ...] = ()
    """Sample ids, ascending, each once."""

    def shown_epoch(self, epochs: int) -> int | None:
        """The epoch to show when `recorded` epochs exist; None before the first."""
        if epochs < 1:
            return None
        return epochs - 1 if self.epoch is None else min(self.epoch, epochs - 1)

    def mask(self, samples: int) -> np.ndarray:
        """(N,) bool: the selected samples."""
        chosen = np.zeros(samples, bool)
        chosen[list(self.selected)] = True
        return chosen


def encode_ids(ids: Iterable[int]) -> str:
    """A set of sample ids as text for an address: "" for none, else the shorter of gaps ("g…") and a bitmap ("b…")."""
    chosen = np.unique(np.fromiter(ids, np.int64))
    if not len(chosen):
        return ""
    gaps = np.diff(chosen, prepend=0).astype("<u4").tobytes()
    bits = np.zeros(int(chosen[-1]) + 1, bool)
    bits[chosen] = True
    packed = {"g": zlib.compress(_planes(gaps), 9), "b": zlib.compress(np.packbits(bits).tobytes(), 9)}
    kind = min(packed, key=lambda name: len(packed[name]))
    return kind + base64.urlsafe_b64encode(packed[kind]).decode().rstrip("=")


def _planes(words: bytes) -> bytes:
    """All first bytes, then all second bytes, and so on. This gives long runs of zeros, which compress well."""
    return np.frombuffer(words, np.uint8).reshape(-1, 4).T.tobytes()


def decode_ids(text: str, samples: int) -> tuple[int, ...]:
    """The ids from a text of `encode_ids`; raises `ValueError` for any other text and for ids beyond the samples."""
    if not text:
        return ()
    if len(text) > LONGEST_ADDRESS:
        raise ValueError("too long")
    try:
        content = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()  # bounded: a short text can unpack to gigabytes
        plain = unpacker.decompress(content, 4 * samples + 4)
        if not unpacker.eof:
            raise ValueError("more ids than samples")
    except (binascii.Error, zlib.error) as error:
        raise ValueError("not an id set") from error
    if text[0] == "b":
        ids = np.flatnonzero(np.unpackbits(np.frombuffer(plain, np.uint8)))
    elif text[0] == "g" and len(plain) % 4 == 0:
        ids = np.frombuffer(np.frombuffer(plain, np.uint8).reshape(4, -1).T.tobytes(), "<u4").astype(np.int64).cumsum()
    else:
        raise ValueError("not an id set")
    if len(ids) and (ids[-1] >= samples or (np.diff(ids) <= 0).any()):
        raise ValueError("ids beyond the samples")
    return tuple(ids.tolist())


def parse(address: Mapping[str, str], *, samples: int, epochs: int) -> tuple[Linked, list[str]]:
    """The state in an address, and a sentence about each part of it that does not fit.

    Parameters
    ----------
    address : the page's query parameters, which come from outside and are not trusted
    samples, epochs : how many the run has; a later epoch than the last is allowed, since a run grows
    """
    problems: list[str] = []
    epoch = _number(
        address.get("epoch"), low=1, high=None, problems=problems, what="epoch", there=f"1 to {max(1, epochs)}"
    )
    pinned = _number(
        address.get("pin"), low=0, high=samples - 1, problems=problems, what="sample", there=f"0 to {samples - 1}"
    )
    selected: tuple[int, ...] = ()
    try:
        selected = decode_ids(address.get("sel", ""), samples)
    except ValueError:
        problems.append(
            f"The selection in the address does not fit this run of {samples:,} samples, so nothing is selected. "
            "Select the samples again."
        )
    return Linked(
        run=address.get("run"), epoch=None if epoch is None else epoch - 1, pinned=pinned, selected=selected
    ), problems


def _number(text: str | None, *, low: int, high: int | None, problems: list[str], what: str, there: str) -> int | None:
    if text is None or text == "":
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if number < low or (high is not None and number > high):
        problems.append(f"The address names the {what} {text[:20]}, but there are {there}; it is ignored.")
        return None
    return number


def address_of(state: Linked) -> dict[str, str]:
    """The query parameters of a state; a selection too long for an address stays in the session only."""
    selected = encode_ids(state.selected)
    parts = {
        "run": state.run or "",
        "epoch": "" if state.epoch is None else str(state.epoch + 1),
        "pin": "" if state.pinned is None else str(state.pinned),
        "sel": selected if len(selected) <= LONGEST_ADDRESS else "",
    }
    return {name: text for name, text in parts.items() if text}


def last_run() -> str | None:
    """The run last shown in this session, for a page whose address names none."""
    kept = st.session_state.get(keys.LINKED)
    return kept.run if isinstance(kept, Linked) else None


def read(*, run: str, samples: int, epochs: int) -> tuple[Linked, list[str]]:
    """The state for a run, from the address or else from the session, and a sentence about each mistake in the address.

    Parameters
    ----------
    run : the run that the page shows
    samples, epochs : how many it has
    """
    kept = st.session_state.get(keys.LINKED)
    same = isinstance(kept, Linked) and kept.run == run
    address = {name: st.query_params[name] for name in PARTS if name in st.query_params}
    asked, problems = parse(address, samples=samples, epochs=epochs)
    if asked.run != run and "run" in address:
        asked, problems = Linked(), []  # the address belongs to another run
    if set(address) <= {"run"}:
        state = (
            Linked(run=run, epoch=kept.epoch, pinned=kept.pinned, selected=kept.selected) if same else Linked(run=run)
        )
        return _within(state, samples), []
    long_selection = (
        same and not asked.selected and "sel" not in address and len(encode_ids(kept.selected)) > LONGEST_ADDRESS
    )
    selected = kept.selected if long_selection else asked.selected
    return Linked(run=run, epoch=asked.epoch, pinned=asked.pinned, selected=selected), problems


def _within(state: Linked, samples: int) -> Linked:
    """A state of the session without samples that the run does not have: its folder may have been replaced."""
    pinned = state.pinned if state.pinned is not None and state.pinned < samples else None
    selected = state.selected if not state.selected or state.selected[-1] < samples else ()
    return Linked(run=state.run, epoch=state.epoch, pinned=pinned, selected=selected)


def write(state: Linked) -> None:
    """Write a state into the session and the address; other parts of the address stay."""
    st.session_state[keys.LINKED] = state
    wanted = address_of(state)
    for name in PARTS:
        if name in wanted:
            if st.query_params.get(name) != wanted[name]:
                st.query_params[name] = wanted[name]
        elif name in st.query_params:
            del st.query_params[name]
