"""The tool "Audit to a bound": judge a random draw from the clean pool, and bound the share of bad samples in it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.audit import texts
from app.audit.audited import Audited
from app.audit.panes import strip, thumbnail_figure
from app.style import words
from bsd_engine.audit.bounds import draw, needed_draws, sentence
from bsd_engine.audit.judgements import Choice
from bsd_engine.errors import BSDError

DRAWN_AT_ONCE = 40


def bound_panel(audit: Audited) -> None:
    """The bound from the images judged so far, and the next images to judge."""
    if not audit.suspects.epochs_decided:
        st.info(texts.NO_POOL)
        return
    left, right = st.columns([1, 2])
    with left:
        size, seed = _draw_settings()
    drawn = draw(audit.suspects.in_pool, size, seed).tolist()
    judgements = audit.standing()
    judged = [s for s in drawn if s in judgements and judgements[s].choice != "unsure"]
    bad = sum(judgements[s].choice == "remove" for s in judged)
    with right:
        st.markdown(f"**{words.unformatted(sentence(bad, len(judged)))}**")
        st.caption(texts.draw_progress(len(judged), len(drawn)))
    waiting = [s for s in drawn if s not in judgements][:DRAWN_AT_ONCE]
    if waiting:
        _judge_next(audit, waiting, note=f"draw {seed}", key=f"bound_bad_{waiting[0]}_{len(judged)}")


def _draw_settings() -> tuple[int, int]:
    """The size and the seed of the draw."""
    size = st.number_input(
        texts.IMAGES_TO_JUDGE,
        20,
        3000,
        100,
        step=20,
        key="bound_count",
        help=texts.draw_size_help(needed_draws(0.03), needed_draws(0.01)),
    )
    seed = st.number_input(texts.DRAW_NUMBER, 0, 10**6, 1, key="bound_seed", help=texts.DRAW_HELP)
    return int(size), int(seed)


def _judge_next(audit: Audited, waiting: Sequence[int], *, note: str, key: str) -> None:
    """Thumbnails to mark as bad, and the button that judges all of them."""
    st.markdown(texts.mark_bad(len(waiting)))
    bad = st.pills("Bad", waiting, selection_mode="multi", format_func=str, key=key, label_visibility="collapsed")
    st.html(strip(thumbnail_figure(audit, s, chosen=s in bad) for s in waiting))
    read_only = audit.read_only
    label = texts.judge_these(len(bad), len(waiting) - len(bad))
    if st.button(label, key="bound_judge", type="primary", disabled=read_only is not None, help=read_only):
        _save(audit, [s for s in waiting if s not in bad], "keep", note)
        _save(audit, bad, "remove", note)
        st.rerun()


def _save(audit: Audited, samples: Sequence[int], choice: Choice, note: str) -> None:
    try:
        audit.judgements.give(samples, choice, note)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
