"""The glossary, one file for the documentation and the interface: every term in use exists once, in plain words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.style import glossary, glossary_file
from app.style.glossary_file import GlossaryError, Term, glossary_path, read_terms

ROOT = Path(__file__).resolve().parents[3]
MARK = re.compile(r"\[\[([a-zA-Z_0-9]+)(?:\||\]\])")
VOCABULARY = """
    clean pool, poison pool, main model, altruistic model, loss discrepancy, class completion, selective drop,
    target label, suspected class, verdict, judgement, recording, run folder, warm-up, alpha, beta, trigger,
    poisoning rate, landmarks, what-if preview, branch
"""
ENTRY = "## alpha\n\nKey: alpha · Symbol: α · Paper: Eq. 7, 11\n\nThe share of all samples\nthat is kept.\n"


def test_every_term_used_in_the_interface_exists_exactly_once() -> None:
    sources = [path for path in (ROOT / "app").rglob("*.py") if not path.name.startswith("glossary")]
    used = {key for path in sources for key in MARK.findall(path.read_text())}
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    keys = re.findall(r"^Key: (\w+)", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert len(used) > 20 and used <= set(keys)
    assert len(set(keys)) == len(keys) == len(headings) == len(set(headings)) == len(glossary.TERMS)


def test_the_vocabulary_of_the_project_is_in_it() -> None:
    names = {term.name for term in glossary.TERMS.values()}
    symbols = {term.symbol for term in glossary.TERMS.values()}
    assert {name.strip() for name in VOCABULARY.split(",")} <= names
    assert {"OSS", "ALS", "SCE", "CA", "ASR", "DER", "T1", "T2", "T3", "f", "g"} <= symbols


def test_every_entry_is_one_plain_paragraph() -> None:
    for name, plain in ((term.name, term.plain) for term in glossary.TERMS.values()):
        assert plain.endswith(".") and 6 <= len(plain.split()) <= 45, name
        assert plain[0].isupper() and plain.isascii() and not re.search(r"[_*`\[\]#]|<|\\", plain), name


def test_an_entry_is_read_into_a_term(tmp_path: Path) -> None:
    path = tmp_path / "glossary.md"
    path.write_text(f"# Glossary\n\nIntroduction.\n\n{ENTRY}\n## trigger\n\nKey: trigger\n\nA small change.\n")
    assert read_terms(path) == {
        "alpha": Term("α", "alpha", "The share of all samples that is kept.", "Eq. 7, 11"),
        "trigger": Term("trigger", "trigger", "A small change."),
    }


MALFORMED = {
    "two paragraphs": (f"{ENTRY}\nMore.\n", "has 3 blocks below its heading, expected 2"),
    "no key line": ("## alpha\n\nThe share.\n", "has 1 blocks below its heading, expected 2"),
    "no key": (ENTRY.replace("Key: alpha · ", ""), "expected 'Key: KEY'"),
    "a key of two words": (ENTRY.replace("Key: alpha", "Key: the alpha"), "expected 'Key: KEY'"),
    "an unknown label": (ENTRY.replace("Paper", "Book"), "'Paper: PLACE' where there are any"),
    "a label twice": (ENTRY.replace("Paper", "Symbol"), "separated by ' · '"),
    "an empty value": (ENTRY.replace("α", ""), "has the line"),
    "the same entry twice": (f"{ENTRY}\n{ENTRY}", "the key 'alpha' or the name 'alpha' occurs twice"),
    "the same name twice": (f"{ENTRY}\n{ENTRY.replace('Key: alpha', 'Key: a')}", "occurs twice; keep one entry"),
    "nothing": ("# Glossary\n", "has no entries; each begins with a line '## TERM'"),
}


@pytest.mark.parametrize(("text", "expected"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_glossary_is_refused_with_its_path_and_what_is_wrong(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "glossary.md"
    path.write_text(text)
    with pytest.raises(GlossaryError) as error:
        read_terms(path)
    assert str(path) in str(error.value) and expected in str(error.value)


def test_an_installed_package_reads_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert glossary_path() == ROOT / "docs/glossary.md"
    copy = tmp_path / "glossary.md"
    copy.write_text(ENTRY)
    monkeypatch.setattr(glossary_file, "CANDIDATES", (tmp_path / "docs/glossary.md", copy))
    assert glossary_path() == copy
    copy.unlink()
    with pytest.raises(GlossaryError, match="There is no glossary at .*; install the package anew"):
        glossary_path()
