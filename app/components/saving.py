"""The record saved with a figure: its summary, the command that makes it again, its data and its layout.

In the browser, saving.js puts three buttons into the bar of each chart: they save it as SVG (with the record inside),
as PNG, or the record alone as JSON. Nothing is sent to a server. `record` gives the same record for figures that are
made without a browser (`app.figure_file`).
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go


def record(figure: go.Figure, command: str) -> dict[str, Any]:
    """The record of a figure: summary, command, traces with plain lists, and the layout without the template."""
    content = json.loads(figure.to_json(validate=False, engine="json"))
    layout = {name: value for name, value in content["layout"].items() if name != "template"}
    return {
        "summary": layout.get("meta", {}).get("summary", ""),
        "command": command,
        "data": _plain(content["data"]),
        "layout": _plain(layout),
    }


def _plain(value: Any) -> Any:
    """The value with lists in place of the arrays that Plotly writes as base64."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("bdata"), str):
        return {name: _plain(part) for name, part in value.items()}
    array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
    return _rows(array.reshape([int(n) for n in str(value["shape"]).split(",")]) if "shape" in value else array)


def _rows(array: np.ndarray) -> list[Any]:
    """Nested lists; a number that is not finite is None, as JSON has no such number."""
    if array.ndim > 1:
        return [_rows(part) for part in array]
    return [None if isinstance(number, float) and not math.isfinite(number) else number for number in array.tolist()]
