"""The notebook of the documentation runs from the first cell to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs/notebook.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the kernel's packages are not ours
def test_the_notebook_runs_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the packages of the extra `notebook`")
    nbclient = pytest.importorskip("nbclient", reason="needs the packages of the extra `notebook`")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == 10
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output for cell in code for output in cell.outputs if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert len(shown) == 4
    assert code[-1].outputs[0]["data"]["text/plain"].endswith("most suspect samples are poisoned'")


def test_the_notebook_is_stored_without_outputs() -> None:
    import json

    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
