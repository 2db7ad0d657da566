"""One function decides the pools: no other code calls single rules or writes into settings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = {
    "als_clean_mask",
    "oss_clean_mask",
    "all_to_all_clean_mask",
    "initial_clean_mask",
    "discrepancy_clean_mask",
    "top_share_mask",
    "class_quotas",
    "completed_mask",
    "selective_drop",
    "clean_ratio",
}
"""Functions of `splits`, each one rule."""
TELLERS = ("bsd_engine/splits.py", "bsd_engine/method/pools.py")
MEASURED = ("bsd_engine/bench", "benchmarks", "tests")
"""Modules that time or check the rules may call them one by one."""
SOURCES = sorted(
    path
    for folder in ("bsd_engine", "app")
    for path in (ROOT / folder).rglob("*.py")
    if not str(path.relative_to(ROOT)).startswith(MEASURED)
)


def names_of_splits(module: ast.Module) -> tuple[set[str], set[str]]:
    """The names that a module imports from `splits`, and its own names for that module."""
    imported, aliases = set(), set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module == "bsd_engine.splits":
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "bsd_engine":
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name == "splits"}
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or "bsd_engine" for alias in node.names if alias.name == "bsd_engine.splits"}
    return imported, aliases


def used_of_splits(module: ast.Module) -> set[str]:
    """Every name of `splits` that a module imports or reads as an attribute of it."""
    imported, aliases = names_of_splits(module)
    attributes = {
        node.attr
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] in (*aliases, "splits")
        if aliases
    }
    return imported | attributes


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_one_function_calls_the_pool_rules(path: Path) -> None:
    used = used_of_splits(ast.parse(path.read_text(), str(path)))
    assert not {name for name in used if name.startswith("_")}, "private names of splits"
    assert str(path.relative_to(ROOT)) in TELLERS or not used & RULES


def test_no_page_counts_out_a_share_of_the_samples() -> None:
    """A copy of a rule needs the exact count of a share; the app asks the engine instead."""
    copies = [path for path in (ROOT / "app").rglob("*.py") if "exact_count" in path.read_text()]
    assert copies == []


def test_the_rules_that_are_looked_for_exist() -> None:
    from bsd_engine import splits

    assert {name for name in RULES if not hasattr(splits, name)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_settings_themselves_write_into_a_frozen_object(path: Path) -> None:
    """`check_floats` stores numbers as floats; it is called only in a configuration's `__post_init__`."""
    writes = [
        function.name
        for function in ast.walk(ast.parse(path.read_text(), str(path)))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "__setattr__"
    ]
    allowed = ["check_floats"] if path == ROOT / "bsd_engine/config/checks.py" else []
    assert [name for name in writes if name != "__post_init__"] == allowed
    calls = {
        function.name
        for function in ast.walk(ast.parse(path.read_text(), str(path)))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("check_floats")
    }
    assert calls <= {"__post_init__"}
