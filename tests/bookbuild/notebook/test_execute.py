"""A notebook runs in a kernel of its own, and what could not be published stops it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from nbformat import NotebookNode

from bookbuild.notebook.digests import ROOM
from bookbuild.notebook.execute import execute
from bookbuild.notebook.stored import chapter_cells, read_stored
from bookbuild.project import Project
from bookbuild.source import SourceError
from bookbuild.widgets import STATE, VIEW


def run(*sources: str) -> NotebookNode:
    """Execute a notebook with these code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = nbformat.from_dict({"language_info": {"name": "python"}, ROOM: {}})
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    with ThreadPoolExecutor(1) as pool:  # the browser's event loop may run in this thread
        return pool.submit(asyncio.run, execute(notebook, "02-plain")).result()


def test_what_cannot_be_published_is_named_all_at_once() -> None:
    with pytest.raises(SourceError) as caught:
        run(
            'import sys; print("careful", file=sys.stderr)',
            "object()",
            "import matplotlib.pyplot as plt; plt.plot([1]); plt.show()",
            "print('x' * 1_000_000)",
            "'x' * 1_000_000",
        )
    assert str(caught.value).splitlines() == [
        "02-plain: code cell 1: wrote to stderr: 'careful'",
        "02-plain: code cell 2: shows a memory address, which changes every time: "
        "end plots with plt.show()",
        "02-plain: code cell 3: draws a picture without alt text: "
        "add `mystnb: {image: {alt: ...}}` to the cell",
        "02-plain: code cell 4: prints more than 10,000 characters, which nobody reads: print less",
        "02-plain: code cell 5: prints more than 10,000 characters, which nobody reads: print less",
    ]


# Under pytest ipykernel does not take descriptor 2 for a cell's output: it is the kernel's own.
OWN_WORD = 'import os; os.write(2, b"the kernel\'s own word")\nprint(1 + 1)\n'


def test_what_only_the_kernel_says_is_no_output_and_no_message(
    capfd: pytest.CaptureFixture[str],
) -> None:
    (cell,) = run(OWN_WORD).cells
    assert [output.text for output in cell.outputs] == ["2\n"]
    assert capfd.readouterr().err == ""


def test_a_cell_that_ends_the_kernel_is_an_error_with_the_kernels_words() -> None:
    with pytest.raises(SourceError) as caught:
        run("1", OWN_WORD + "os._exit(3)\n")
    assert str(caught.value) == (
        "02-plain: Kernel died (code cells begun: 2)\nthe kernel's own word"
    )


def test_widget_models_are_few_and_named_by_their_order(sample: Project) -> None:
    notebook = read_stored(sample, "01-sample")
    models = notebook.metadata["widgets"][STATE]["state"]
    views = [
        output.data[VIEW]["model_id"]
        for cell in chapter_cells(notebook)
        for output in cell.outputs
        if VIEW in output.get("data", {})
    ]
    assert len(views) == 1
    assert views[0] in models
    assert "_esm" in models[views[0]]["state"]
    assert "IPY_MODEL_" in json.dumps(models)  # the layout, under its new name
    assert len(models) == 2
