"""Imports point downwards, heavy packages load only when needed, and decisions never read the ground truth."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = sorted((ROOT / "bsd_engine").rglob("*.py"))
FORBIDDEN = {"streamlit", "plotly", "app", "pandas", "matplotlib"}
MENTION_TRUTH = {
    "metrics", "training.trainer", "method.pool_map", "method.preview", "recordings.card", "audit.findings.alarms",
    "audit.sealed", "audit.adopting", "audit.export.report", "cli.poisoning", "data.dataset", "prepare.export",
    "prepare.prepare", "attacks.base", "runs.record", "runs.reader", "runs.trigger_bench",
    "runs.writer", "runs.validation", "bench.parts",
}  # fmt: skip
"""Modules that make, store, count or show the ground truth. No other module may name it; the trainer passes it on."""
TRUTH = {"is_poison", "original_labels", "is_noise"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(module: ast.AST) -> Iterator[str]:
    """Names of the modules that a file imports anywhere in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names_read(module: ast.AST) -> Iterator[str]:
    """Every attribute, variable, argument and text in a piece of code."""
    for node in ast.walk(module):
        for field in ("attr", "id", "arg", "value"):
            if isinstance(getattr(node, field, None), str):
                yield getattr(node, field)


@pytest.mark.parametrize("path", ENGINE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_engine_imports_nothing_of_the_page(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(tree(path))} & FORBIDDEN


def test_umap_is_imported_in_the_projection_alone() -> None:
    users = {p.stem for p in ENGINE if any(name.split(".")[0] in ("umap", "numba") for name in imported(tree(p)))}
    assert users == {"projection"}


FLOORS = {
    "bsd_engine": (
        "errors", "config", "files", "events", "shares", "selection", "splits", "metrics", "compute", "data", "target",
        "method", "attacks", "prepare", "training", "runs", "recordings", "audit", "bench", "cli",
        "__init__", "__main__",
    ),
    "app": (
        "__init__", "style", "figures", "server", "state", "components", "run", "attacks", "audit", "paper", "tune",
        "learn", "trigger_bench", "replay", "pages", "figure_file", "command",
    ),
}  # fmt: skip
"""Folders and single modules of each package, from the lowest floor to the highest. A module imports its own floor or
lower ones; within a floor there are no circles either."""


def modules(package: str) -> dict[str, Path]:
    """Path of each module of a package by its dotted name below the package; folders' `__init__` by the folder's
    name."""
    paths = (ROOT / package).rglob("*.py")
    return {".".join(p.relative_to(ROOT / package).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


def uses(package: str) -> dict[str, set[str]]:
    """Modules of the same package that each module imports."""
    known = modules(package)
    result = {}
    for module, path in known.items():
        names = {name.removeprefix(f"{package}.") for name in imported(tree(path)) if name.startswith(f"{package}.")}
        result[module] = {k for k in known for name in names if name == k or name.startswith(f"{k}.")}
    return result


@pytest.mark.parametrize("package", FLOORS)
def test_no_import_points_up(package: str) -> None:
    floors = FLOORS[package]
    wrong = [
        f"{module} imports {other}"
        for module, others in uses(package).items()
        for other in others
        if floors.index(other.split(".")[0]) > floors.index(module.split(".")[0])
    ]
    assert wrong == []


@pytest.mark.parametrize("package", FLOORS)
def test_imports_have_no_circle(package: str) -> None:
    """A folder's `__init__` is left out, because importing any module of the folder runs it first."""
    folders = {module for module, path in modules(package).items() if path.name == "__init__.py"}
    used = {module: others - folders for module, others in uses(package).items()}
    done: set[str] = set()
    while ready := {module for module, others in used.items() if module not in done and others <= done | {module}}:
        done |= ready
    assert done == set(used), f"these import each other: {sorted(set(used) - done)}"


@pytest.mark.parametrize("package", FLOORS)
def test_modules_folders_and_functions_are_small(package: str) -> None:
    """At most 8 files directly in the package, 16 modules per folder, 300 lines per module, 60 lines per function."""
    folders: dict[Path, int] = {}
    for path in modules(package).values():
        folders[path.parent] = folders.get(path.parent, 0) + 1
        assert len(path.read_text().splitlines()) <= 300, path
        functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]
        assert [f"{path}: {f.name}" for f in functions if f.end_lineno - f.lineno >= 60] == []
    assert folders.pop(ROOT / package) <= 8
    assert all(number <= 16 for number in folders.values()), folders


def test_training_loads_nothing_of_the_page_or_the_maps() -> None:
    code = """
import sys
import bsd_engine.training.trainer, bsd_engine.runs.record, bsd_engine.training.undefended, bsd_engine.__main__
heavy = {"streamlit", "plotly", "app", "umap", "numba", "torchvision", "sklearn", "pandas", "matplotlib", "scipy"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "[]\n", done.stderr


def test_settings_and_run_folders_are_read_without_torch() -> None:
    """The command line reports a wrong word, and a page lists its runs, without loading torch."""
    names = ("config.settings", "config.presets", "runs.reader", "recordings.library", "cli.main", "__main__")
    code = f"import sys, {', '.join(f'bsd_engine.{name}' for name in names)}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False\n", done.stderr


def test_no_other_module_names_the_ground_truth() -> None:
    mentions = {name for name, path in modules("bsd_engine").items() if TRUTH & set(names_read(tree(path)))}
    assert mentions == MENTION_TRUTH


def test_one_function_of_the_trainer_reads_the_ground_truth() -> None:
    """That function measures the pool; nothing else in the module names the ground truth."""
    module = tree(ROOT / "bsd_engine/training/trainer.py")
    readers = [f for f in ast.walk(module) if isinstance(f, ast.FunctionDef) and TRUTH & set(names_read(f))]
    assert [f.name for f in readers] == ["_pool_metrics"]
    inside = sum(n in TRUTH for f in readers for n in names_read(f))
    assert sum(n in TRUTH for n in names_read(module)) == inside


def test_the_truth_goes_to_the_metrics_and_nowhere_else() -> None:
    """In that function the ground truth is bound to one name, used only in the call of `metrics`."""
    module = tree(ROOT / "bsd_engine/training/trainer.py")
    function = next(f for f in ast.walk(module) if isinstance(f, ast.FunctionDef) and f.name == "_pool_metrics")
    reads = [n for n in ast.walk(function) if isinstance(n, ast.Attribute) and n.attr in TRUTH]
    (binding,) = [n for n in ast.walk(function) if isinstance(n, ast.Assign) and n.value in reads]
    bound = binding.targets[0].id
    calls = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and isinstance(n.func.value, ast.Name)
        and n.func.value.id == "metrics"
    ]
    inside = {id(n) for call in calls for n in ast.walk(call)}
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == bound and isinstance(n.ctx, ast.Load)]
    assert len(reads) == 1 and uses and all(id(n) in inside for n in uses)


def test_no_module_of_the_engine_prints_but_the_command_line() -> None:
    printing = {
        p.relative_to(ROOT).parts[1]
        for p in ENGINE
        for n in ast.walk(tree(p))
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"
    }
    assert printing <= {"cli"}


def test_no_error_is_swallowed_by_a_bare_except() -> None:
    bare = [
        f"{p.name}:{n.lineno}"
        for p in ENGINE
        for n in ast.walk(tree(p))
        if isinstance(n, ast.ExceptHandler) and n.type is None
    ]
    assert bare == []
