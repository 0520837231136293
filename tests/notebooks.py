"""Runs the notebooks against the documentation's endpoint and stores what they show: `scripts/notebooks`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from geekai_testing.scripted import ScriptedServer
from tests.docs_endpoint import answer

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> Any:
    """A notebook with what its cells show when they are run anew, in a kernel of their own; none is left out but `%pip`.

    A cell that raises ends it with `CellExecutionError`.
    """
    notebook = nbformat.read(path, as_version=4)
    with ScriptedServer(answer) as server, tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "GEEKAI_API_KEY": "sk-notebook",
            "GEEKAI_BASE_URL": server.base_url,
            "IPYTHONDIR": folder,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "shared"), str(ROOT)]),
        }
        client = NotebookClient(
            notebook, timeout=120, kernel_name="python3", record_timing=False, coalesce_streams=True,
            skip_cells_with_tag="skip-execution", resources={"metadata": {"path": folder}},
        )  # fmt: skip
        client.execute(env=env)
    notebook.metadata.language_info = {"name": "python"}  # on whichever Python it ran
    return notebook


def main() -> None:
    """Store what each notebook shows now."""
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    main()
