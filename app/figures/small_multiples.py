"""A figure of several panels in a grid; no streamlit."""

from __future__ import annotations

from typing import Any

from app.style.theme import Palette, Sketch


class SmallMultiples(Sketch):
    """A `Sketch` of several panels, numbered from 0 row by row.

    Parameters
    ----------
    rows, columns : number of panels down and across
    gap : space between two panels as shares of the width and of the height
    """

    def __init__(
        self, palette: Palette, *, rows: int, columns: int, gap: tuple[float, float] = (0.05, 0.2), **texts: str
    ) -> None:
        super().__init__(palette, **texts)
        self._palette, self._rows, self._columns = palette, rows, columns
        self._width = (1 - gap[0] * (columns - 1)) / columns
        self._height = (1 - gap[1] * (rows - 1)) / rows
        self._gap = gap

    def panel(self, i: int, title: str, *, x: dict[str, Any], y: dict[str, Any]) -> dict[str, str]:
        """Lay out a panel with a title (safe text) and axes; returns the axis names for its traces."""
        row, column = divmod(i, self._columns)
        left = column * (self._width + self._gap[0])
        top = 1 - row * (self._height + self._gap[1])
        number = "" if i == 0 else str(i + 1)
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        self.layout(
            **{
                f"xaxis{number}": {
                    "anchor": axes["yaxis"],
                    "domain": [left, min(1.0, left + self._width)],
                    "nticks": 5,
                    **x,
                },
                f"yaxis{number}": {
                    "anchor": axes["xaxis"],
                    "domain": [max(0.0, top - self._height), top],
                    "nticks": 4,
                    **y,
                },
            }
        )
        self.note(
            f"<b>{title}</b>",
            x=left,
            y=top,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            font={"size": 12, "color": self._palette.text},
        )
        return axes
