"""Imports point downwards, heavy packages load when they are needed, and decisions never read the truth."""

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
DECIDING = (
    "splits",
    "training/trainer",
    "training/supervised",
    "training/semi_supervised",
    "method/decisions",
    "method/mixmatch",
    "method/scoring",
    *(f"target/{name}" for name in ("votes", "transplant", "residual", "warps", "thumbnails", "two_kinds", "verdict")),
    *(f"compute/{name}" for name in ("plans", "augment", "models", "projection")),
    *(
        f"audit/{name}"
        for name in (
            "history",
            "redecide",
            "reasons",
            "flips",
            "suspects",
            "gap",
            "features",
            "models",
            "saliency",
            "common",
            "bounds",
            "judgements",
            "export/cleaned",
            "export/table",
            "export/weights",
        )
    ),
)
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


LEAVES = {
    "errors": set(),
    "config.settings": {"errors"},
    "events": {"config.settings"},
    "splits": {"shares"},
    "metrics": set(),
    "target.votes": {"splits"},
    "target.residual": set(),
    "target.warps": set(),
    "target.thumbnails": set(),
    "target.two_kinds": {"target.thumbnails"},
    "target.transplant": {"target.residual", "target.thumbnails", "target.two_kinds", "target.warps"},
    "compute.augment": set(),
    "method.mixmatch": set(),
    "compute.models": {"errors", "config.settings", "compute.torchvision_compat"},
}
"""What small modules may import of the engine."""


def names_of(path: Path) -> str:
    """Dotted name of a module below `bsd_engine`."""
    return ".".join(path.relative_to(ROOT / "bsd_engine").with_suffix("").parts).removesuffix(".__init__")


KNOWN = {names_of(path) for path in ENGINE}


def used(path: Path) -> set[str]:
    """Modules of the engine that a file imports."""
    names = {name.removeprefix("bsd_engine.") for name in imported(tree(path)) if name.startswith("bsd_engine.")}
    return {known for known in KNOWN for name in names if name == known or name.startswith(known + ".")} - PACKAGES


PACKAGES = {names_of(path) for path in ENGINE if path.name == "__init__.py"}


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_only_leaves(leaf: str) -> None:
    assert used(ROOT / f"bsd_engine/{leaf.replace('.', '/')}.py") <= LEAVES[leaf]


def test_imports_in_the_engine_have_no_circle() -> None:
    uses = {names_of(path): used(path) for path in ENGINE}
    done: set[str] = set()
    while ready := {name for name, used in uses.items() if name not in done and used <= done}:
        done |= ready
    assert done == set(uses), f"these import each other: {sorted(set(uses) - done)}"


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
    """The command line answers a wrong word, and a page its list of runs, without loading torch."""
    code = "import sys, bsd_engine.config.settings, bsd_engine.config.presets, bsd_engine.runs.reader, bsd_engine.__main__; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_never_reads_the_truth(name: str) -> None:
    """The trainer may hand it to the metrics, in the one function that measures the pool; all others do not name it."""
    module = tree(ROOT / f"bsd_engine/{name}.py")
    readers = {f.name: f for f in ast.walk(module) if isinstance(f, ast.FunctionDef) and TRUTH & set(names_read(f))}
    assert set(readers) == ({"_pool_metrics"} if name == "training/trainer" else set())
    mentions = [n for n in names_read(module) if n in TRUTH]
    assert len(mentions) == sum(n in TRUTH for f in readers.values() for n in names_read(f))


def test_the_truth_goes_to_the_metrics_and_nowhere_else() -> None:
    """In that function the truth is bound to one name, which is used in the call of `metrics` alone."""
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
        p.stem
        for p in ENGINE
        for n in ast.walk(tree(p))
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"
    }
    assert printing <= {"__main__"}


def test_no_error_is_swallowed_by_a_bare_except() -> None:
    bare = [
        f"{p.name}:{n.lineno}"
        for p in ENGINE
        for n in ast.walk(tree(p))
        if isinstance(n, ast.ExceptHandler) and n.type is None
    ]
    assert bare == []
