"""The page Trigger bench: put a trigger on an image, and see what the undefended and both defended models make of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.trigger_bench.view import bench_view, last_ask
from app.server import run_cache, uploads
from app.server.registry import registry
from app.state import linked
from app.state.run_choice import chosen_run
from app.style import words
from app.trigger_bench import packets
from app.trigger_bench import state as bench_state
from app.trigger_bench.packets import Bench, BenchRequest, Uploads
from app.trigger_bench.state import PARTS, BenchState
from bsd_engine.attacks.custom import MAX_BYTES, read_picture
from bsd_engine.errors import BSDError
from bsd_engine.runs import trigger_bench

SESSION_KEY = "bench"


@dataclass
class Kept:
    """What this session looks at on one run."""

    run: str
    state: BenchState | None = None
    uploads: Uploads = field(default_factory=Uploads)
    seq: int = 0
    address: dict[str, str] = field(default_factory=dict)
    """As it was written last; another one was typed or linked to."""


def render(run_page: Any) -> None:
    """The whole page; `run_page` is where a run is started."""
    runs = registry()
    run_id = chosen_run(runs, "bench", truth_help=None, forget=PARTS)
    if run_id is None:
        st.info(
            "There is no run to try a trigger on yet. Start one on the page Run; its models answer here from its first epoch on."
        )
        st.page_link(run_page, label="To the page Run")
        return

    @st.fragment
    def body() -> None:
        try:
            _show(runs.path(run_id), run_id)
        except BSDError as error:
            st.error(words.unformatted(str(error)), icon=":material/error:")

    body()


def _show(path: Path, run_id: str) -> None:
    """The bench of a run, answering the browser's last message."""
    bench = Bench.of(path)
    if bench is None:
        st.info(
            "This run has no stored checkpoint, so no model of it can answer. A run stores one after each epoch: wait for the first, "
            "resume it on the page Run, or choose another."
        )
        return
    kept = _kept(run_id)
    key = f"bench_{run_id}"
    ask = last_ask(key)
    fresh = isinstance(ask, dict) and isinstance(ask.get("seq"), int) and ask["seq"] > kept.seq
    if fresh:
        _obey(bench, kept, ask)
    state = _state(bench, kept)
    settled = not fresh or ask.get("settled") is True
    if settled:
        _write(bench, kept, state)
    look = BenchRequest(
        bench=bench,
        state=state,
        uploads=kept.uploads,
        seq=kept.seq,
        settled=settled,
        static=not fresh or ask.get("static") is True,
    )
    bench_view(packets.build(look), key=key)


def _kept(run_id: str) -> Kept:
    found = st.session_state.get(SESSION_KEY)
    if not isinstance(found, Kept) or found.run != run_id:
        # what was uploaded stays for the next run, but a drawing has the size of this run's images
        brought = replace(found.uploads, drawing=None) if isinstance(found, Kept) else Uploads()
        found = st.session_state[SESSION_KEY] = Kept(run=run_id, uploads=brought)
    return found


def _obey(bench: Bench, kept: Kept, ask: dict[str, Any]) -> None:
    """Take what a message brings."""
    kept.seq = ask["seq"]
    if ask.get("settled") is not True:  # what was refused stays said until something else changes
        kept.uploads = replace(kept.uploads, refusal="")
    state = bench_state.parse_state(ask.get("state"), bench.limits, has_upload=kept.uploads.image is not None)
    kept.state = state or kept.state
    if "drawing" in ask:
        drawing = bench_state.parse_drawing(ask["drawing"], bench.limits.height, bench.limits.width)
        kept.uploads = replace(kept.uploads, drawing=kept.uploads.drawing if drawing is None else drawing)
    if isinstance(ask.get("file"), dict):
        _take_file(bench, kept, ask["file"])


def _take_file(bench: Bench, kept: Kept, file: dict[str, Any]) -> None:
    """A picture that was uploaded, as the test image or as the trigger; or the sentence that says why not."""
    content = bench_state.parse_file(file.get("data"), MAX_BYTES)
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
        sentence = str(error).replace(str(path), "The picture")
        kept.uploads = replace(
            kept.uploads,
            refusal="The picture cannot be read; give a PNG or JPEG file."
            if "cannot be read" in sentence
            else sentence,
        )


def _state(bench: Bench, kept: Kept) -> BenchState:
    """What is looked at: as the browser said last, or the address where it is a new one."""
    address = {name: st.query_params[name] for name in PARTS if name in st.query_params}
    looked, problems = linked.read(
        run=kept.run, samples=bench.run.num_samples, epochs=len(run_cache.rows(bench.run.path))
    )
    if kept.state is None or (address and address != kept.address):
        kept.uploads = _with_drawing(bench, kept.uploads, address.get("drawing"), problems)
        kept.state, more = bench_state.parse_address(
            address, bench.limits, looked.epoch, has_upload=kept.uploads.image is not None
        )
        if looked.epoch is not None and looked.epoch != kept.state.epoch and "epoch" in st.query_params:
            more.append(
                f"No models are stored after epoch {looked.epoch + 1}; shown are those after epoch {kept.state.epoch + 1}."
            )
        for sentence in problems + more:
            st.toast(words.unformatted(sentence), icon=":material/link_off:")
    if kept.state.epoch not in bench.limits.epochs:  # a run that goes on deletes some of its checkpoints
        kept.state = replace(kept.state, epoch=bench.limits.epochs[-1])
    return kept.state


def _with_drawing(bench: Bench, brought: Uploads, text: str | None, problems: list[str]) -> Uploads:
    if not text:
        return brought
    try:
        return replace(brought, drawing=bench_state.decode_drawing(text, bench.limits.height, bench.limits.width))
    except ValueError:
        problems.append(
            "The drawing in the address does not fit the images of this run; it is left out. Draw one anew."
        )
        return brought


def _write(bench: Bench, kept: Kept, state: BenchState) -> None:
    """Put what is looked at into the address."""
    looked, _ = linked.read(run=kept.run, samples=bench.run.num_samples, epochs=len(run_cache.rows(bench.run.path)))
    linked.write(replace(looked, epoch=state.epoch))
    kept.address = bench_state.address_of(state, bench.limits, kept.uploads.drawing)
    for name in PARTS:
        if name in kept.address:
            if st.query_params.get(name) != kept.address[name]:
                st.query_params[name] = kept.address[name]
        elif name in st.query_params:
            del st.query_params[name]
