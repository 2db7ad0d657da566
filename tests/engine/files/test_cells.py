"""Names from outside in tables: no formula in any spelling, and always valid text."""

from __future__ import annotations

import os

import pytest

from bsd_engine.files.cells import no_formula, valid_text

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "|cmd",
    "%x",
    "\t=1",
    "\r=1",
    "\n",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "﹦1",
    "﬩1",
]


@pytest.mark.parametrize("text", [*FORMULAS, " =1", "\u200b=1", "\ufeff=1", "\u00a0＝1", "\u202e=1", "\x00=1"])
def test_what_a_spreadsheet_would_evaluate_gets_an_apostrophe(text: str) -> None:
    assert no_formula(text) == f"'{text}".replace("\r", "\n")


@pytest.mark.parametrize("text", ["", "ant", "a=b", "日本", "é", "'=1", "1", "#x", " ant"])
def test_other_text_stays(text: str) -> None:
    assert no_formula(text) == text


def test_bytes_that_are_no_text_are_written_out() -> None:
    name = os.fsdecode(b"b\xff=")
    assert valid_text(name) == no_formula(name) == "b\\udcff="
    assert no_formula(os.fsdecode(b"=\xff")) == "'=\\udcff"
