"""The names that `bsd_engine` offers to notebooks: complete, loaded on first use, and visible to type checkers."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import bsd_engine

ROOT = Path(__file__).parents[1]
PUBLIC = [
    "BSDConfig",
    "BSDTrainer",
    "RunHistory",
    "RunReader",
    "__version__",
    "prepare_data",
    "preset",
    "record_run",
    "resume_run",
    "suspects",
]


def output_of(code: str) -> str:
    """The output of a new Python process that runs this code, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_exactly_these() -> None:
    assert bsd_engine.__all__ == PUBLIC and sorted(PUBLIC) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_resolves_and_is_listed(name: str) -> None:
    assert getattr(bsd_engine, name) is getattr(bsd_engine, name)
    assert name in dir(bsd_engine)


def test_the_names_lead_to_the_objects_of_the_engine() -> None:
    from bsd_engine.audit.suspects import suspects
    from bsd_engine.config.presets import preset
    from bsd_engine.config.settings import BSDConfig
    from bsd_engine.prepare.prepare import prepare
    from bsd_engine.runs.reader import RunReader
    from bsd_engine.runs.record import record_run, resume_run
    from bsd_engine.training.trainer import BSDTrainer

    assert bsd_engine.__version__ == "1.0.0"
    assert (bsd_engine.BSDConfig, bsd_engine.BSDTrainer, bsd_engine.RunReader) == (BSDConfig, BSDTrainer, RunReader)
    assert (bsd_engine.prepare_data, bsd_engine.preset, bsd_engine.suspects) == (prepare, preset, suspects)
    assert (bsd_engine.record_run, bsd_engine.resume_run) == (record_run, resume_run)


def test_a_star_import_binds_exactly_the_public_names() -> None:
    code = "before = {*globals(), 'before'}\nfrom bsd_engine import *\nprint(sorted({*globals()} - before))"
    assert output_of(code) == f"{sorted(PUBLIC)}\n"


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    """Asking for the list of names loads nothing either."""
    code = "import sys, bsd_engine; dir(bsd_engine); print({'torch', 'numpy'} & set(sys.modules))"
    assert output_of(code) == "set()\n"


def test_settings_resolve_without_torch() -> None:
    code = (
        "import sys; from bsd_engine import BSDConfig, RunReader, preset; preset('demo'); print('torch' in sys.modules)"
    )
    assert output_of(code) == "False\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="^module 'bsd_engine' has no attribute 'prepared'$"):
        _ = bsd_engine.prepared
    with pytest.raises(ImportError, match="cannot import name 'prepared'"):
        from bsd_engine import prepared  # noqa: F401


@pytest.mark.parametrize("name", PUBLIC)
def test_no_public_name_is_also_a_submodule(name: str) -> None:
    """The import system would replace the name by the module as soon as that is imported."""
    assert importlib.util.find_spec(f"bsd_engine.{name}") is None


def test_type_checkers_see_every_public_name() -> None:
    """They read the imports below `if TYPE_CHECKING`, and only in a package that is marked as typed."""
    tree = ast.parse((ROOT / "bsd_engine/__init__.py").read_text())
    (block,) = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    imports = [alias.asname or alias.name for node in block.body for alias in node.names]
    assert sorted([*imports, "__version__"]) == PUBLIC
    assert (ROOT / "bsd_engine/py.typed").is_file()
