"""Uploaded trigger images are bounded, get names of our own, and are refused in one sentence."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.attacks import trigger_upload
from app.server import uploads
from bsd_engine.attacks.custom import MAX_BYTES
from bsd_engine.errors import ConfigError
from tests.support.page.pages import WHOLE_APP, html, ran

SCRIPT = WHOLE_APP


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_an_upload_gets_our_own_name_and_private_permissions(tmp_path: Path) -> None:
    content = png(Image.new("RGB", (4, 4), "red"))
    path = uploads.stored(content)
    assert path.parent == uploads.folder() and path == uploads.stored(content) and path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    copy = uploads.kept(path, tmp_path / "runs/.triggers")
    assert (
        copy.parent == tmp_path / "runs/.triggers"
        and copy.read_bytes() == content
        and uploads.kept(copy, tmp_path) == copy
    )


@pytest.mark.parametrize("content", [b"", b"x" * (MAX_BYTES + 1)], ids=["empty", "too large"])
def test_an_upload_of_a_wrong_size_is_refused_before_it_is_decoded(content: bytes) -> None:
    with pytest.raises(ConfigError, match="expected at most 10"):
        uploads.stored(content)


def test_old_uploads_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_FILES", 3)
    for i in range(6):
        uploads.stored(b"\x89PNG" + bytes([i]))
    assert len(list(uploads.folder().iterdir())) == 3


PICTURES = {
    "alpha": (png(Image.new("RGBA", (9, 5), (255, 0, 0, 90))), None),
    "large": (png(Image.new("L", (400, 300), 200)), None),
    "no picture": (
        b"\x89PNG not a picture",
        "The uploaded image cannot be read as a picture (it begins with the bytes b'x89PNG not', expected",
    ),
    "100 MB": (b"\x89PNG" + bytes(100_000_000), "The image has 100 MB, expected at most 10 MB"),
    "too wide": (png(Image.new("L", (900, 10), 200)), "does not fit into images of 28x28"),
    "invisible": (png(Image.new("RGBA", (9, 5), (255, 0, 0, 0))), "The uploaded image is transparent everywhere"),
}


@pytest.mark.parametrize(("content", "expected"), PICTURES.values(), ids=PICTURES)
def test_an_uploaded_image_is_accepted_or_refused_in_one_sentence(
    attack_page: AppTest, content: bytes, expected: str | None
) -> None:
    attack_page.selectbox(key="seen_attack").set_value("custom")
    ran(attack_page)
    star = html(attack_page)
    fake = {"seen_upload": SimpleNamespace(getvalue=lambda: content)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trigger_upload.st, "session_state", fake)
        trigger_upload._on_upload()
    for name in ("seen_picture", "seen_refusal"):
        attack_page.session_state[name] = fake[name]
    ran(attack_page)
    if expected is None:
        assert not attack_page.error and html(attack_page) != star
    else:
        assert [expected in e.value.replace("\\", "") for e in attack_page.error] == [True]
        assert "bsd-triggers" not in attack_page.error[0].value


def test_an_uploaded_image_is_kept_where_a_resumed_run_finds_it(attack_page: AppTest, tmp_path: Path) -> None:
    attack_page.selectbox(key="seen_attack").set_value("custom")
    attack_page.session_state["seen_picture"] = uploads.stored(png(Image.new("RGB", (5, 5), "blue")))
    ran(attack_page)
    attack_page.button(key="train_with").click()
    ran(attack_page)
    (field,) = [widget for widget in attack_page.text_input if widget.label == "Trigger image"]
    assert Path(field.value).parent == tmp_path / "runs/.triggers" and Path(field.value).is_file()
