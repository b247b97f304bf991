"""The notebook of the docs is carried out as it stands, in a kernel, which runs an event loop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_nothing_that_it_gave_is_kept() -> None:
    for cell in read().cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.enable_socket  # a kernel is spoken to over the loopback
@pytest.mark.timeout(240)
def test_it_runs_judges_compares_plots_and_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read()
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    given: dict[str, Any] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            given[cell.source.splitlines()[-1]] = output.get("data", output)
    said = {line: data.get("text/plain", data.get("text")) for line, data in given.items()}
    assert said['f"{done.answered} answers, {done.judged} verdicts, {done.failed} failed"'] == (
        "'24 answers, 48 verdicts, 0 failed'"
    )
    assert said['f"{judged.judged} verdicts"'] == "'24 verdicts'"
    assert "<table" in given["board"]["text/html"]
    assert "vega" in given["board.plot()"]["text/html"]
    assert said["found"].startswith("Comparison(verdict='better'")
    planned = given['judgebench.plan("suite.yaml", store=STORE)']["text/html"]
    assert "judgebench run suite.yaml" in planned
    assert "INCONCLUSIVE" in given["decided"]["text/html"]
    assert said["    print(str(error).splitlines()[0])"].startswith("REGRESSION: wordy")
    progress = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stderr"
    ]
    assert any("judging: dice, contains: 48 done" in text for text in progress)
