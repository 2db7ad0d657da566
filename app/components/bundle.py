"""Joins an ES module and its imports into one script, so that the browser fetches one file without a build step.

A module may contain

    import {name, other} from './module.js'
    import TEXT from './page.html' with {type: 'text'}
    export function name() {}                     likewise async function, class, const and let
    export default function mount(component) {}   in the entry module only, which keeps its exports

and no other module syntax. The modules share one scope in the script, so no two of them may declare the same name.
Indentation and comment lines are left out. `BundleError` names the file and the mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_IMPORT = re.compile(
    r"^import (?:\{\s*(?P<names>\w+(?:,\s*\w+)*)\s*\} from '(?P<module>\.[^']*\.js)'"
    r"|(?P<text>\w+) from '(?P<file>\.[^']*)' with \{type: 'text'\})\n",
    re.MULTILINE,
)
_DECLARATION = re.compile(
    r"^(?P<export>export )?(?P<default>default )?(?:async function|function|class|const|let) (?P<name>\w+)",
    re.MULTILINE,
)
_UNKNOWN = re.compile(
    r"^(?:import\b|var\b|export (?!default function |async function |function |class |const |let )).*", re.M
)


class BundleError(ValueError):
    """A mistake in the sources of a script."""


@dataclass(frozen=True)
class _Module:
    path: Path
    names: dict[Path, list[str]]
    """Imported names by the module that exports them."""
    texts: dict[str, Path]
    """Imported files by the name of the constant that holds the text."""
    declared: list[str]
    exported: set[str]
    code: str
    """The statements without the imports."""


def bundle(entry: Path) -> str:
    """The text of one ES module with the behaviour and the exports of the entry module."""
    entry = entry.resolve()
    modules: dict[Path, _Module] = {}
    owners: dict[str, Path] = {}
    parts: list[str] = []
    for module in _in_order(entry, modules, ()):
        for other, names in module.names.items():
            if missing := sorted(set(names) - modules[other].exported):
                raise BundleError(f"{module.path} imports {', '.join(missing)}, but {other.name} does not export it.")
        for name, file in [*module.texts.items(), *((name, module.path) for name in module.declared)]:
            if name in owners:
                raise BundleError(f"{file} and {owners[name]} both declare {name}; rename one of them.")
            owners[name] = file
        parts += [
            f"const {name} = {json.dumps(lean(file), ensure_ascii=False)}\n" for name, file in module.texts.items()
        ]
        parts.append(
            module.code if module.path == entry else re.sub(r"^export (?:default )?", "", module.code, flags=re.M)
        )
    return "".join(parts)


def lean(file: Path) -> str:
    """The text of a script, style sheet or page without indentation, empty lines and a script's comment lines."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not (file.suffix == ".js" and line.startswith("//")))


def _in_order(path: Path, modules: dict[Path, _Module], users: tuple[Path, ...]) -> Iterator[_Module]:
    """Put a module into `modules` after everything it imports, each once."""
    if path in users:
        raise BundleError(
            f"{' > '.join(p.name for p in (*users, path))}: modules must not import each other in a circle."
        )
    if path not in modules:
        module = _read(path)
        for other in module.names:
            yield from _in_order(other, modules, (*users, path))
        modules[path] = module
        yield module


def _read(path: Path) -> _Module:
    source = path.read_text(encoding="utf-8")
    imports, statements = list(_IMPORT.finditer(source)), _IMPORT.sub("", source)
    if unknown := _UNKNOWN.search(statements):
        raise BundleError(f"{path}: the bundler does not know this form: {unknown[0]}")
    for number, line in enumerate(source.splitlines(), 1):
        if line.count("`") % 2:
            raise BundleError(
                f"{path}, line {number}: a template literal must end on its line, as indentation is left out."
            )
    found = list(_DECLARATION.finditer(statements))
    return _Module(
        path=path,
        names={(path.parent / m["module"]).resolve(): re.findall(r"\w+", m["names"]) for m in imports if m["names"]},
        texts={m["text"]: (path.parent / m["file"]).resolve() for m in imports if m["text"]},
        declared=[m["name"] for m in found],
        exported={m["name"] for m in found if m["export"] and not m["default"]},
        code=_IMPORT.sub("", lean(path)),
    )
