"""The modules of a browser component are joined into one script, and mistakes in them are found at that time."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.components.bundle import BundleError, bundle
from app.components.linked_views import view as linked_views
from app.components.trigger_bench import view as trigger_bench

COMPONENTS = Path(linked_views.__file__).parents[1]
ENTRIES = (
    linked_views.SCRIPT,
    linked_views.FOLDER / "offline" / "replay.js",
    trigger_bench.SCRIPT,
    *(COMPONENTS / f"{name}.js" for name in ("live_plot", "timeline", "served_script")),
)


def bundled(folder: Path, **files: str) -> str:
    """The script of main.js among files given by their stems."""
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)
    return bundle(folder / "main.js")


def test_modules_come_after_what_they_import_and_each_comes_once(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<p class="a">\n  “text”</p>\n')
    script = bundled(
        tmp_path,
        main="// Comment.\nimport {b} from './b.js'\nimport {\n  a,\n  other\n} from './a.js'\n\n"
        "export default function mount() {\n  // Another.\n  return a + b + other()  // kept\n}\n",
        b="import {a} from './a.js'\nimport PAGE from './page.html' with {type: 'text'}\n\nexport const b = a + PAGE\n",
        a="export const a = 1\nexport async function other() {\n  return 2\n}\n",
    )
    assert script.splitlines() == [
        "const a = 1",
        "async function other() {",
        "return 2",
        "}",
        r'const PAGE = "<p class=\"a\">\n“text”</p>\n"',
        "const b = a + PAGE",
        "export default function mount() {",
        "return a + b + other()  // kept",
        "}",
    ]


MISTAKES = [
    ("import {a} from './a.js'\nfunction b() {}\n", "export const a = 1\nclass b {}\n", "both declare b"),
    ("import {a} from './a.js'\n", "function a() {}\n", "imports a, but a.js does not export it"),
    ("import {a} from './a.js'\n", "import {b} from './main.js'\n", "main.js > a.js > main.js: modules must not"),
    ("import {a as b} from './a.js'\n", "export const a = 1\n", "does not know this form: import {a as b}"),
    ("import * as a from './a.js'\n", "", r"does not know this form: import \* as a"),
    ("import {a} from 'package'\n", "", "does not know this form: import {a} from 'package'"),
    ("const a = 1\nexport {a}\n", "", "does not know this form: export {a}"),
    ("export default class {}\n", "", "does not know this form: export default class"),
    ("const a = `one\ntwo`\n", "", "line 1: a template literal must end on its line"),
]


@pytest.mark.parametrize(("main", "a", "message"), MISTAKES, ids=[message for *_, message in MISTAKES])
def test_a_mistake_is_named(tmp_path: Path, main: str, a: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        bundled(tmp_path, main=main, a=a)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_every_component_is_one_module_without_imports(entry: Path) -> None:
    script = bundle(entry)
    exports = [line for line in script.splitlines() if line.startswith("export ")]
    assert not any(line.startswith("import ") for line in script.splitlines())
    assert len(exports) == (0 if entry.stem == "replay" else 1)
    assert all(line.startswith("export default function mount(") for line in exports)


def test_no_python_module_of_the_components_holds_a_script() -> None:
    files = [*COMPONENTS.rglob("*.py"), COMPONENTS.parent / "replay" / "page.py"]
    assert [f.name for f in files if "=>" in f.read_text() or "document." in f.read_text()] == []
