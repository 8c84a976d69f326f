"""Saved widgets: the same ids on every run, only the models that are shown, and their host."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
# Runs the front ends of saved widgets where there is no kernel: on pages and in decks.
HOST = Path(__file__).parent / "assets" / "widget-host.js"
_REFERENCE = re.compile(r"IPY_MODEL_([0-9a-f-]+)")


def saved_state(notebook: NotebookNode) -> dict[str, Any]:
    """The widgets that are stored with a notebook; {} when it shows none."""
    return notebook.metadata.get("widgets", {}).get(STATE, {})


def script_text(value: object) -> str:
    """JSON for a script element; a `<` in it could end the element, or begin a comment there."""
    return json.dumps(value).replace("<", "\\u003c")


def settle_widgets(notebook: NotebookNode, name: str) -> None:
    """Name shown models by their order and the chapter; drop the models that nothing shows."""
    saved = notebook.metadata.pop("widgets", {}).get(STATE)
    views = [
        output.data[VIEW]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if VIEW in output.get("data", {})
    ]
    if saved is None or not views:
        return
    models: dict[str, Any] = saved["state"]
    order: list[str] = []
    waiting = [view["model_id"] for view in views]
    while waiting:
        model = waiting.pop(0)
        if model in models and model not in order:
            order.append(model)
            waiting += _REFERENCE.findall(json.dumps(models[model]["state"]))
    names = {
        model: hashlib.sha256(f"{name}:{number}".encode()).hexdigest()[:32]
        for number, model in enumerate(order)
    }
    for view in views:
        view["model_id"] = names[view["model_id"]]
    state = {names[model]: models[model] for model in order}
    text = _REFERENCE.sub(lambda match: f"IPY_MODEL_{names[match[1]]}", json.dumps(state))
    notebook.metadata["widgets"] = {STATE: {**saved, "state": json.loads(text)}}
