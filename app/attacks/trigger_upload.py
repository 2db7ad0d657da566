"""The uploader of a trigger image; the image stays chosen during visits to other pages."""

from __future__ import annotations

import streamlit as st

from app.attacks import texts
from app.server import uploads
from app.state import keys
from bsd_engine.attacks.custom import MAX_BYTES
from bsd_engine.errors import BSDError, ConfigError


def trigger_upload() -> dict[str, str]:
    """The uploaded image as a parameter of the attack, or none; raises `ConfigError` for a refused one."""
    st.file_uploader(
        texts.TRIGGER_IMAGE,
        ["png", "jpg", "jpeg"],
        key=keys.TRIGGER_UPLOAD,
        on_change=_on_upload,
        max_upload_size=MAX_BYTES // 10**6,
        help=texts.TRIGGER_IMAGE_HELP,
    )
    if refusal := st.session_state.get(keys.TRIGGER_REFUSAL):
        raise ConfigError(refusal)
    path = st.session_state.get(keys.TRIGGER_PATH)
    if path is None or not path.is_file():
        return {}
    if st.session_state.get(keys.TRIGGER_UPLOAD) is None:
        st.button(texts.USE_STAR, on_click=_forget)
    return {"image": str(path)}


def without_path(sentence: str) -> str:
    """An error sentence without the path of the uploaded image: the name is ours and says nothing to the user."""
    path = st.session_state.get(keys.TRIGGER_PATH)
    return sentence if path is None else sentence.replace(str(path), texts.UPLOADED)


def _on_upload() -> None:
    """Store the image, or keep the sentence that says why not."""
    _forget()
    if (file := st.session_state.get(keys.TRIGGER_UPLOAD)) is None:
        return
    try:
        st.session_state[keys.TRIGGER_PATH] = uploads.stored(file.getvalue())
    except BSDError as error:
        st.session_state[keys.TRIGGER_REFUSAL] = str(error)


def _forget() -> None:
    st.session_state[keys.TRIGGER_PATH] = st.session_state[keys.TRIGGER_REFUSAL] = None
