"""The page Paper: the figures of the BSD paper redrawn from runs of ours, and its tables with our numbers beside them."""

from __future__ import annotations

import html
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.components.live_plot import live_plot
from app.paper.cells import cells
from app.paper.figures import CHARTS, FIGURES
from app.paper.results import measured, recorded_results, results_stamp
from app.paper.slots import Chart, PaperFigure, Slot, rate_of
from app.paper.tables import SHOWS, TABLES, TITLES, Missing, PaperTable, differs, missing_of, paper_table, runs_of
from app.run import figure_commands
from app.run.panels import Drawing
from app.server import run_cache
from app.server.registry import RunRegistry, is_recording, registry
from app.state.run_choice import described, truth_switch
from app.style import words
from app.style.theme import Palette, palette_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError

ITEMS = {**{f"figure{n}": f"Fig. {n}" for n in FIGURES}, **{f"table{n}": f"Table {n}" for n in TABLES}}
FIRST = "figure7"
ADDRESS = "item"


def render() -> None:
    """The whole page."""
    item = _item()
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        chosen = st.segmented_control(
            "Figure or table of the paper",
            list(ITEMS),
            default=item,
            required=True,
            key=f"paper_items_{item}",
            format_func=ITEMS.get,
            label_visibility="collapsed",
        )
    if chosen != item:
        st.query_params[ADDRESS] = chosen
        st.rerun()
    with right:
        truth_switch()
    palette = palette_for(st.context.theme.type)
    if item.startswith("table"):
        _table(item.removeprefix("table"))
    else:
        _figure(
            registry(),
            FIGURES[item.removeprefix("figure")],
            palette,
            truth_shown=bool(st.session_state.get("truth", True)),
        )


def _item() -> str:
    """What the page's address asks for, else the first."""
    asked = st.query_params.get(ADDRESS)
    if asked is not None and asked not in ITEMS:
        st.warning(f"There is no {words.unformatted(asked[:40])} on this page; choose a figure or a table.")
    item = asked if asked in ITEMS else FIRST
    st.query_params[ADDRESS] = item
    return item


# -- figures ---------------------------------------------------------------------------------------


def _figure(runs: RunRegistry, figure: PaperFigure, palette: Palette, *, truth_shown: bool) -> None:
    st.subheader(f"Figure {figure.number}: {figure.title}", anchor=False)
    st.markdown(f"**In the paper:** {words.unformatted(figure.shows)}")
    chosen = _choose_runs(runs, figure)
    _draw(figure, chosen, palette, truth_shown)
    st.markdown(f"**What differs:** {words.unformatted(_differs(figure, chosen))}")
    _commands(figure, chosen)
    st.caption(
        "The bar of a chart saves it as SVG, which holds its data and the command that makes it again, as PNG, or as data (JSON)."
    )


def _choose_runs(runs: RunRegistry, figure: PaperFigure) -> list[Path | None]:
    """The run of each slot: the first that fits, unless the user takes another."""
    if not figure.slots:
        return []
    readable = _readable(runs)
    chosen: list[Path | None] = []
    for column, (i, slot) in zip(st.columns(len(figure.slots)), enumerate(figure.slots)):
        with column:
            chosen.append(_choose_run(runs, slot, readable, f"paper_run_{figure.number}_{i}"))
    return chosen


def _readable(runs: RunRegistry) -> dict[str, Path]:
    """Own runs with an epoch, newest first."""
    found = {}
    for run_id in runs.run_ids():
        try:
            path = runs.path(run_id)
            if run_cache.reader(path).epochs:
                found[run_id] = path
        except BSDError:
            continue
    return found


def _choose_run(runs: RunRegistry, slot: Slot, readable: dict[str, Path], key: str) -> Path | None:
    fitting = [run_id for run_id, path in readable.items() if slot.fits(run_cache.reader(path).config)]
    bundled = [run_id for run_id in (f"recording-{name}" for name in slot.recordings) if run_id in runs.recording_ids()]
    others = [run_id for run_id in readable if run_id not in fitting]
    showing = [run_id for run_id in fitting if slot.shows_it(run_cache.reader(readable[run_id]).summary or {})]
    options = list(dict.fromkeys([*showing, *bundled, *fitting, *others]))
    label = slot.label[0].upper() + slot.label[1:]
    picked = st.selectbox(
        label,
        options,
        0 if bundled or fitting else None,
        key=f"{key}_{len(options)}",
        placeholder="no run that fits",
        format_func=lambda run_id: _label(runs, run_id, others),
    )
    if picked is None:
        return None
    try:
        return runs.path(picked)
    except BSDError as error:
        st.error(words.unformatted(str(error)), icon=":material/error:")
        return None


def _label(runs: RunRegistry, run_id: str, others: Sequence[str]) -> str:
    """One line on a run, the attack first, which is what the figures differ in."""
    if is_recording(run_id):
        return described(runs, run_id)
    config = run_cache.reader(runs.path(run_id)).config
    return f"{_attack(config)} · {described(runs, run_id)}" + (" · other settings" if run_id in others else "")


def _attack(config: BSDConfig) -> str:
    rate = rate_of(config)
    return words.attack(config.attack.attack) + (f" at {100 * rate:g} %" if rate is not None else "")


def _draw(figure: PaperFigure, chosen: list[Path | None], palette: Palette, truth_shown: bool) -> None:
    """The charts whose runs are there: wide ones first, the others two in a row."""
    drawable: list[tuple[Chart, list[Path]]] = []
    for chart in figure.charts:
        there = [chosen[i] for i in chart.slots]
        if figure.from_results or there[0] is not None or (chart.any_run and any(there)):
            drawable.append((chart, [path for path in there if path is not None]))
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
        seen = tuple((path, run_cache.reader(path).version) for path in paths)
        drawing = _drawing(chart.name, seen, palette, truth_shown, results_stamp())
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
    seen: tuple[tuple[Path, tuple[int, int, float]], ...],
    palette: Palette,
    truth_shown: bool,
    results: Hashable,
) -> Drawing:
    """A chart of runs as they stand, and of the recorded results, which some charts draw."""
    return Drawing.of(CHARTS[name].draw([path for path, _ in seen], palette, truth_shown))


def _differs(figure: PaperFigure, chosen: list[Path | None]) -> str:
    """Data, network, epochs, seeds and number of the runs drawn."""
    parts = []
    if figure.from_results:
        results, wanted = recorded_results(), cells(figure.from_results)
        parts.append(differs(wanted.values(), [measured(cell, "bsd", results) for cell in wanted.values()]))
    configs = {path: run_cache.reader(path).config for path in chosen if path is not None}
    for path, config in configs.items():
        parts.append(f"{path.name}: {runs_of(config)}, {_attack(config)}, seed {config.seed}.")
    if configs:
        single = "One run" if len(configs) == 1 else f"{len(configs)} runs, one each"
        parts.append(
            f"{single}; the paper: ResNet-18 of width 64, 145 epochs of 1,024 iterations, how many runs it does not say."
        )
    return " ".join(parts) or "nothing of ours is drawn yet."


def _commands(figure: PaperFigure, chosen: list[Path | None]) -> None:
    """What would fill the gaps."""
    missing = [
        Missing(where=slot.label, command=slot.command) for slot, path in zip(figure.slots, chosen) if path is None
    ]
    if figure.from_results:
        missing += missing_of(figure.from_results, recorded_results())
    _missing(missing)


# -- tables ----------------------------------------------------------------------------------------


def _table(number: str) -> None:
    table = paper_table(number, recorded_results())
    st.subheader(f"Table {number}: {TITLES[number]}", anchor=False)
    order = "CA / ASR" if number == "10" else "CA / ASR / DER"
    st.markdown(f"**In the paper:** {words.unformatted(SHOWS[number])} Each cell: {order}, percent; ours in bold.")
    st.html(_markup(table))
    st.markdown(f"**What differs:** {words.unformatted(table.differs)}")
    _missing(table.missing)


def _markup(table: PaperTable) -> str:
    """The table as HTML."""

    def text(words_: str) -> str:
        return html.escape(words_, quote=False)

    head = "".join(f'<th scope="col">{text(word)}</th>' for word in table.head)
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(f"""<td class="is-{cell.kind}">{text(cell.text)}</td>""" for cell in row)}</tr>'
        for name, row in table.rows
    )
    return f'<div class="paper-table"><table><caption>Table {table.number}, the paper\'s numbers and ours</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _missing(missing: Sequence[Missing]) -> None:
    """The commands that would fill what is empty, folded."""
    if not missing:
        return
    count = len(missing)
    with st.expander(f"{count} not run: the command{'s' * (count > 1)}", expanded=count <= 2):
        st.code("\n".join(f"# {one.where}\n{one.command}" for one in missing), language="bash", wrap_lines=True)
