"""docs/night.ipynb: it runs from top to bottom, and stands there with what its cells gave."""

import os
import re
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("torch")

DOCS = Path(__file__).parents[2] / "docs"

CUT_SHORT = {"--max-steps 60": "--max-steps 2", "--pages 10": "--pages 2"}
"""What makes a few minutes of the notebook less than one: a training that has learned nothing."""


@pytest.fixture
def notebook():
    return nbformat.read(DOCS / "night.ipynb", as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    return [1 for output in outputs if "image/png" in output.get("data", {})]


def test_it_stands_there_as_it_was_run(notebook):
    cells = code_of(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(pictures(notebook)) == 4
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


def shorten(notebook):
    for whole, short in CUT_SHORT.items():
        [cell] = [cell for cell in code_of(notebook) if whole in cell.source]
        cell.source = cell.source.replace(whole, short)


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # of the kernel's libraries
def test_it_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    shorten(notebook)
    where = {"metadata": {"path": str(tmp_path)}}
    longest_s = int(2 * PATIENCE_S)  # just below the limit of this test
    patience = {f"{what}timeout": longest_s for what in ("", "startup_", "iopub_")}
    nbclient.NotebookClient(notebook, **patience, resources=where).execute()
    assert len(pictures(notebook)) == 4
    told = "".join(o.get("text", "") for cell in code_of(notebook) for o in cell.outputs)
    assert "undertrained" in told


def test_the_page_on_notebooks_runs(capsys):
    page = (DOCS / "notebook.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(block, "notebook.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["(896, 448)", "66.66666666666667"]
