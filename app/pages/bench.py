"""The page Trigger bench: put a trigger on an image and see the answers of the undefended and both defended models."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.trigger_bench.view import bench_view, last_ask
from app.server import run_cache, uploads
from app.server.registry import registry
from app.state import linked
from app.state.linked import Linked
from app.state.run_choice import chosen_run
from app.style import words
from app.style.theme import epoch_number
from app.trigger_bench import packets, texts
from app.trigger_bench.bench import Bench, BenchRequest, Uploads
from app.trigger_bench.drawings import decode_drawing, parse_drawing, parse_file
from app.trigger_bench.state import PARTS, BenchState, address_of, parse_address, parse_state
from bsd_engine.attacks.custom import MAX_BYTES, read_picture
from bsd_engine.errors import BSDError
from bsd_engine.runs import trigger_bench

SESSION_KEY = "bench"


@dataclass
class Kept:
    """The state of this session for one run."""

    run: str
    state: BenchState | None = None
    uploads: Uploads = field(default_factory=Uploads)
    seq: int = 0
    """Number of the newest message that was read."""
    address: dict[str, str] = field(default_factory=dict)
    """The address as this page last wrote it; a different one was typed or came from a link."""


def render(run_page: Any) -> None:
    """Draw the whole page; `run_page` is where a run is started."""
    runs = registry()
    run_id = chosen_run(runs, "bench", truth_help=None, forget=PARTS)
    if run_id is None:
        st.info(texts.NO_RUN)
        st.page_link(run_page, label=texts.TO_RUN_PAGE)
        return

    @st.fragment
    def body() -> None:
        try:
            _show(runs.path(run_id), run_id)
        except BSDError as error:
            st.error(words.unformatted(str(error)), icon=":material/error:")

    body()


def _show(path: Path, run_id: str) -> None:
    """Draw the bench of a run, with the answer to the browser's last message."""
    bench = Bench.of(path)
    if bench is None:
        st.info(texts.NO_CHECKPOINT)
        return
    kept = _kept(run_id)
    key = f"bench_{run_id}"
    message = last_ask(key)
    fresh = isinstance(message, dict) and isinstance(message.get("seq"), int) and message["seq"] > kept.seq
    if fresh:
        _take_message(bench, kept, message)
    state = _state(bench, kept)
    settled = not fresh or message.get("settled") is True
    if settled:
        _write_address(bench, kept, state)
    request = BenchRequest(
        bench=bench,
        state=state,
        uploads=kept.uploads,
        seq=kept.seq,
        settled=settled,
        static=not fresh or message.get("static") is True,
    )
    bench_view(packets.build(request), key=key)


def _kept(run_id: str) -> Kept:
    kept = st.session_state.get(SESSION_KEY)
    if not isinstance(kept, Kept) or kept.run != run_id:
        # uploads stay for the next run, but a drawing has the size of this run's images
        brought = replace(kept.uploads, drawing=None) if isinstance(kept, Kept) else Uploads()
        kept = st.session_state[SESSION_KEY] = Kept(run=run_id, uploads=brought)
    return kept


def _take_message(bench: Bench, kept: Kept, message: dict[str, Any]) -> None:
    """Store the content of a message: a state, a drawing, a file."""
    kept.seq = message["seq"]
    if message.get("settled") is not True:  # a refusal stays on the screen until something else changes
        kept.uploads = replace(kept.uploads, refusal="")
    state = parse_state(message.get("state"), bench.limits, has_upload=kept.uploads.image is not None)
    kept.state = state or kept.state
    if "drawing" in message:
        drawing = parse_drawing(message["drawing"], bench.limits.height, bench.limits.width)
        kept.uploads = replace(kept.uploads, drawing=kept.uploads.drawing if drawing is None else drawing)
    if isinstance(message.get("file"), dict):
        _take_file(bench, kept, message["file"])


def _take_file(bench: Bench, kept: Kept, file: dict[str, Any]) -> None:
    """Store an uploaded picture as the test image or as the trigger, or the sentence that says why it was refused."""
    content = parse_file(file.get("data"), MAX_BYTES)
    path: Path | None = None
    try:
        path = uploads.stored(content or b"")
        if file.get("kind") == "image":
            trigger_bench.fitted_picture(path, tuple(bench.run.images.shape[1:]))
            kept.uploads = replace(kept.uploads, image=path)
            kept.state = replace(kept.state or bench.limits.start, image=None)
        else:
            read_picture(path)
            kept.uploads = replace(kept.uploads, picture=path)
            kept.state = replace(kept.state or bench.limits.start, trigger="picture")
    except BSDError as error:
        sentence = str(error).replace(str(path), texts.THE_PICTURE)
        kept.uploads = replace(
            kept.uploads, refusal=texts.UNREADABLE_PICTURE if "cannot be read" in sentence else sentence
        )


def _state(bench: Bench, kept: Kept) -> BenchState:
    """The state to show: that of the address if it is new, else the browser's last one."""
    address = {name: st.query_params[name] for name in PARTS if name in st.query_params}
    view, problems = _view(bench, kept)
    if kept.state is None or (address and address != kept.address):
        kept.uploads = _with_drawing(bench, kept.uploads, address.get("drawing"), problems)
        kept.state, more = parse_address(address, bench.limits, view.epoch, has_upload=kept.uploads.image is not None)
        if view.epoch is not None and view.epoch != kept.state.epoch and "epoch" in st.query_params:
            more.append(texts.NOT_STORED.format(asked=epoch_number(view.epoch), shown=epoch_number(kept.state.epoch)))
        for sentence in problems + more:
            st.toast(words.unformatted(sentence), icon=":material/link_off:")
    if kept.state.epoch not in bench.limits.epochs:  # a run that goes on deletes some of its checkpoints
        kept.state = replace(kept.state, epoch=bench.limits.epochs[-1])
    return kept.state


def _view(bench: Bench, kept: Kept) -> tuple[Linked, list[str]]:
    """The run, epoch and samples that all pages share, with a sentence about each mistake in the address."""
    return linked.read(run=kept.run, samples=bench.run.num_samples, epochs=len(run_cache.rows(bench.run.path)))


def _with_drawing(bench: Bench, brought: Uploads, text: str | None, problems: list[str]) -> Uploads:
    if not text:
        return brought
    try:
        return replace(brought, drawing=decode_drawing(text, bench.limits.height, bench.limits.width))
    except ValueError:
        problems.append(texts.BAD_DRAWING)
        return brought


def _write_address(bench: Bench, kept: Kept, state: BenchState) -> None:
    """Write the shown state into the address."""
    view, _ = _view(bench, kept)
    linked.write(replace(view, epoch=state.epoch))
    kept.address = address_of(state, bench.limits, kept.uploads.drawing)
    for name in PARTS:
        if name in kept.address:
            if st.query_params.get(name) != kept.address[name]:
                st.query_params[name] = kept.address[name]
        elif name in st.query_params:
            del st.query_params[name]
