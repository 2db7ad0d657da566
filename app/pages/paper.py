"""The page Paper: the figures of the BSD paper redrawn from our runs, and its tables with our numbers beside them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.components.live_plot import live_plot
from app.paper import texts
from app.paper.cells import cells
from app.paper.figures import CHARTS, FIGURES
from app.paper.results import measured, recorded_results, results_stamp
from app.paper.run_slots import attack_text, choose_runs
from app.paper.slots import Chart, PaperFigure
from app.paper.tables import TABLES, Missing, PaperTable, differs, missing_of, paper_table, runs_of
from app.run import figure_commands
from app.run.panels import Drawing
from app.server import run_cache
from app.server.registry import RunRegistry, registry
from app.state.run_choice import truth_switch
from app.style import words
from app.style.markup import Markup, tag
from app.style.theme import Palette, palette_for
from bsd_engine.errors import BSDError

ITEMS = {**{f"figure{n}": f"Fig. {n}" for n in FIGURES}, **{f"table{n}": f"Table {n}" for n in TABLES}}
FIRST_ITEM = "figure7"
ITEM_PARAMETER = "item"
"""Key in the page's address."""


def render() -> None:
    """Draw the whole page."""
    item = _item()
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        chosen = st.segmented_control(
            texts.CHOOSE_ITEM,
            list(ITEMS),
            default=item,
            required=True,
            key=f"paper_items_{item}",
            format_func=ITEMS.get,
            label_visibility="collapsed",
        )
    if chosen != item:
        st.query_params[ITEM_PARAMETER] = chosen
        st.rerun()
    with right:
        truth_switch()
    if item.startswith("table"):
        _table(item.removeprefix("table"))
    else:
        truth_shown = bool(st.session_state.get("truth", True))
        figure = FIGURES[item.removeprefix("figure")]
        _figure(registry(), figure, palette_for(st.context.theme.type), truth_shown=truth_shown)


def _item() -> str:
    """The figure or table named in the address, else the first."""
    asked = st.query_params.get(ITEM_PARAMETER)
    if asked is not None and asked not in ITEMS:
        st.warning(texts.unknown_item(words.unformatted(asked[:40])))
    item = asked if asked in ITEMS else FIRST_ITEM
    st.query_params[ITEM_PARAMETER] = item
    return item


# -- figures ---------------------------------------------------------------------------------------


def _figure(runs: RunRegistry, figure: PaperFigure, palette: Palette, *, truth_shown: bool) -> None:
    """Draw a figure with its runs, the differences from the paper, and the commands for missing runs."""
    st.subheader(texts.figure_title(figure.number), anchor=False)
    st.markdown(f"{texts.IN_THE_PAPER} {words.unformatted(figure.shows)}")
    chosen = choose_runs(runs, figure)
    _charts(figure, chosen, palette, truth_shown)
    st.markdown(f"{texts.WHAT_DIFFERS} {words.unformatted(_differs(figure, chosen))}")
    missing = [
        Missing(where=slot.label, command=slot.command) for slot, path in zip(figure.slots, chosen) if path is None
    ]
    if figure.from_results:
        missing += missing_of(figure.from_results, recorded_results())
    _missing_commands(missing)
    st.caption(texts.SAVING)


def _charts(figure: PaperFigure, chosen: list[Path | None], palette: Palette, truth_shown: bool) -> None:
    """Draw the charts whose runs exist: wide ones first, the others two in a row."""
    drawable: list[tuple[Chart, list[Path]]] = []
    for chart in figure.charts:
        in_slots = [chosen[i] for i in chart.slots]
        if figure.from_results or in_slots[0] is not None or (chart.any_run and any(in_slots)):
            drawable.append((chart, [path for path in in_slots if path is not None]))
    for chart, paths in drawable:
        if chart.wide:
            _chart(chart, paths, palette, truth_shown)
    narrow = [pair for pair in drawable if not pair[0].wide]
    for first in range(0, len(narrow), 2):
        for column, (chart, paths) in zip(st.columns(2), narrow[first : first + 2]):
            with column:
                _chart(chart, paths, palette, truth_shown)


def _chart(chart: Chart, paths: list[Path], palette: Palette, truth_shown: bool) -> None:
    try:
        versions = tuple((path, run_cache.reader(path).version) for path in paths)
        drawing = _drawing(chart.name, versions, palette, truth_shown, results_stamp())
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return
    live_plot(
        drawing,
        key=chart.name,
        height=chart.height,
        remake=figure_commands.command(chart.name, paths, palette=palette, truth_shown=truth_shown),
    )


@lru_cache(maxsize=48)
def _drawing(
    name: str,
    versions: tuple[tuple[Path, tuple[int, int, float]], ...],
    palette: Palette,
    truth_shown: bool,
    results: Hashable,
) -> Drawing:
    """A chart. It is drawn again when a run's version changes, or the recorded results, which some charts read."""
    return Drawing.of(CHARTS[name].draw([path for path, _ in versions], palette, truth_shown))


def _differs(figure: PaperFigure, chosen: list[Path | None]) -> str:
    """Draw the data, network, epochs, attack and seed of the runs drawn, and their number."""
    sentences = []
    if figure.from_results:
        results, wanted = recorded_results(), cells(figure.from_results)
        sentences.append(differs(wanted.values(), [measured(cell, "bsd", results) for cell in wanted.values()]))
    configs = {path: run_cache.reader(path).config for path in chosen if path is not None}
    for path, config in configs.items():
        sentences.append(f"{path.name}: {runs_of(config)}, {attack_text(config)}, seed {config.seed}.")
    if configs:
        sentences.append(texts.runs_drawn(len(configs)))
    return " ".join(sentences) or texts.NOTHING_DRAWN


# -- tables ----------------------------------------------------------------------------------------


def _table(number: str) -> None:
    """Draw a table with our numbers, the differences from the paper, and the commands for missing cells."""
    table = paper_table(number, recorded_results())
    st.subheader(texts.table_title(number), anchor=False)
    shows = words.unformatted(texts.TABLE_SHOWS[number])
    st.markdown(f"{texts.IN_THE_PAPER} {shows} {texts.units(number)}")
    st.html(_table_markup(table))
    st.markdown(f"{texts.WHAT_DIFFERS} {words.unformatted(table.differs)}")
    _missing_commands(table.missing)


def _table_markup(table: PaperTable) -> Markup:
    """The table as HTML."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in table.head))
    body = [
        tag("tr", tag("th", name, scope="row"), *(tag("td", cell.text, class_=f"is-{cell.kind}") for cell in row))
        for name, row in table.rows
    ]
    content = tag("table", tag("caption", texts.caption(table.number)), tag("thead", head), tag("tbody", *body))
    return tag("div", content, class_="paper-table")


def _missing_commands(missing: Sequence[Missing]) -> None:
    """Draw the commands that would fill the empty places, folded if there are many."""
    if not missing:
        return
    with st.expander(texts.missing_heading(len(missing)), expanded=len(missing) <= 2):
        st.code("\n".join(f"# {one.where}\n{one.command}" for one in missing), language="bash", wrap_lines=True)
