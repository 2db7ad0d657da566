"""One self-contained page that plays a run offline: the views of the page Tune with the run's data inside the page.

The page makes no network request. Its Content-Security-Policy allows only its one script and its one style, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
import zlib
from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from html import escape

from app.components.bundle import bundle, lean
from app.components.linked_views.view import FOLDER
from app.replay.packets import Sheet, sheets, whole_packet
from app.server import run_cache
from app.server.home import shipped
from app.state.linked import Linked
from app.style import words
from app.tune.request import ViewRequest
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.method.preview import Settings
from bsd_engine.recordings import library
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.retrain_command import train_command

LARGEST_BYTES = 5_000_000
"""Size that a page should stay below; images are made coarser for it."""
UNNAMED = "A training run"
"""Replaces the run's name if the ground truth is left out: names of recordings and folders can give it away."""
CONFIG = shipped() / ".streamlit" / "config.toml"
FONT = '"Source Sans", "Source Sans 3", "Segoe UI", system-ui, sans-serif'
NAMES = {
    "primaryColor": "primary-color",
    "backgroundColor": "background-color",
    "secondaryBackgroundColor": "secondary-background-color",
    "textColor": "text-color",
    "borderColor": "border-color",
}


def replay_page(
    run: RunReader,
    *,
    with_truth: bool = True,
    view: Linked | None = None,
    settings: Settings | None = None,
    title: str | None = None,
    made: datetime | None = None,
) -> bytes:
    """The page as UTF-8 bytes.

    Parameters
    ----------
    with_truth : whether the page holds which samples are poisoned, if the run folder does; else no byte depends on it
    view, settings : where the views begin; by default at the first split, with the run's settings
    title : title of the page; by default that of the recording or the name of the run
    made : when the page was made; by default now

    Raises
    ------
    RunFolderError
        If the run has no complete epoch yet.
    """
    epochs = len(run_cache.rows(run.path))
    if not epochs:
        raise RunFolderError(f"{run.path} has no complete epoch to play yet; train at least one.")
    view = view or Linked(run=run.run_id, epoch=_first_split(run))
    view = replace(view, epoch=view.shown_epoch(epochs))
    request = ViewRequest(
        run=run, truth_shown=with_truth, live=False, busy="", view=view, settings=settings or Settings.of(run.config)
    )
    known = with_truth and run.truth_known
    name = run.run_id if known or not run.truth_known else UNNAMED
    packed = zlib.compress(whole_packet(request, name), 9)
    facts = {
        **_facts(run, name, truth_shown=known),
        "This page made": (made or datetime.now().astimezone()).isoformat(timespec="minutes"),
    }
    for sheet in sheets(run):
        page = _page(title or _title(run, name), facts, _command(run, truth_shown=known), packed, sheet)
        if len(page) <= LARGEST_BYTES:
            break
    return page


def _title(run: RunReader, name: str) -> str:
    known = library.names() if run.run_id == name else ()
    bundled = name.removeprefix(library.PREFIX)
    return library.describe(bundled).title if name.startswith(library.PREFIX) and bundled in known else name


def _first_split(run: RunReader) -> int:
    schedule = run.config.schedule
    return schedule.altruistic_epochs + schedule.t1


# -- facts about the page and its run ---------------------------------------------------------------


def _facts(run: RunReader, name: str, *, truth_shown: bool) -> dict[str, str]:
    """The origin of the run, and its last numbers with their epoch."""
    config, rows = run.config, run_cache.rows(run.path)
    last = rows[-1]
    facts = {
        "Run": name,
        "Data": f"{words.source(config.data.data)}, {run.num_samples:,} training samples of "
        f"{len(run.class_names)} classes",
    }
    if truth_shown:
        facts["Attack"] = _attack(run)
    facts |= {
        "Settings": f"preset {words.short(config.preset)}, seed {config.seed}; "
        f"alpha {config.split.alpha:g}, beta {config.split.beta:g}, T1 {config.schedule.t1}",
        "Epochs": f"{len(rows)} of {config.schedule.total_epochs} recorded",
        "Trained": words.short(run.created),
    }
    numbers = [("clean accuracy", "clean_accuracy", "{:.1f} %")] + [
        ("attack success", "attack_success_rate", "{:.1f} %")
    ] * truth_shown
    numbers += [("clean pool", "clean_pool_size", "{:,}")] + [
        ("poison in the clean pool", "poison_in_clean_pool", "{:,}")
    ] * truth_shown
    results = [
        f"{name} {form.format(last.metrics[key])}" for name, key, form in numbers if last.metrics.get(key) is not None
    ]
    if results:
        facts[f"After epoch {last.epoch + 1}"] = ", ".join(results)
    return facts


def _attack(run: RunReader) -> str:
    attack, truth = run.config.attack, run.truth
    poisoned = 0 if truth is None else int(truth.is_poison.sum())
    name = words.attack(attack.attack)
    if not poisoned:
        return f"{name}; no sample is known to be poisoned"
    target = (
        words.short(run.class_names[attack.target_label])
        if 0 <= attack.target_label < len(run.class_names)
        else f"class {attack.target_label}"
    )
    return f"{name}, {poisoned:,} samples poisoned, attacker's class {target}"


def _command(run: RunReader, *, truth_shown: bool) -> str:
    """The command that trains the run again; it names the attack, so it goes with the ground truth."""
    if not truth_shown:
        return ""
    try:
        return train_command(run.config, branched_from=run.branched_from)
    except BSDError as error:
        return str(error)


# -- the page --------------------------------------------------------------------------------------


def _page(title: str, facts: dict[str, str], command: str, packed: bytes, sheet: Sheet) -> bytes:
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    tile = {name: value for name, value in asdict(sheet).items() if name != "content"}
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">',
            f"<title>{_safe(title)} · BSD replay</title>",
            f"<style data-tn>{style}</style></head><body>{_head(title, facts)}",
            '<main><div class="tn"><noscript>The views need JavaScript, which is in this file.</noscript></div></main>',
            _about(facts, command),
            _data("rp-run", packed),
            _data("rp-images", sheet.content, json.dumps(tile)),
            f'<script type="module">{script}</script></body></html>\n',
        ]
    ).encode("utf-8", "backslashreplace")


def _head(title: str, facts: dict[str, str]) -> str:
    line = " · ".join(_safe(facts[name]) for name in facts if name in ("Data", "Attack") or name.startswith("After"))
    after = next((name for name in facts if name.startswith("After")), "")
    line = line.replace(" · clean accuracy", f" · {after.lower()}: clean accuracy")
    return f'<header class="rp-head"><h1>{_safe(title)}</h1><p>{line}</p></header>'


def _about(facts: dict[str, str], command: str) -> str:
    rows = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in facts.items())
    shown = (
        f"<p>The command that remakes it:</p><pre><code>{_safe(command)}</code></pre>"
        if command
        else (
            "<p>This file does not say which samples are poisoned, holds nothing that depends on it, and names "
            "neither the attack nor the command that remakes the run.</p>"
        )
    )
    return (
        f'<footer class="rp-about"><details><summary>About this page</summary><dl>{rows}</dl>{shown}'
        "<p>Drag a cut, or move it with the arrow keys: this page counts the pools by the rules of the engine. "
        "To keep the file small, images are coarser and losses are kept in steps of 5 %; ranks are exact. "
        "The page makes no network request.</p></details></footer>"
    )


def _data(name: str, content: bytes, sheet: str = "") -> str:
    attribute = f" data-sheet='{escape(sheet, quote=True)}'" if sheet else ""
    return f'<script type="text/plain" id="{name}"{attribute}>{base64.b64encode(content).decode()}</script>'


def _safe(text: str) -> str:
    """Text for an element, with unprintable characters spelled out."""
    return escape("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(text)))


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


@cache
def _script() -> str:
    return bundle(FOLDER / "offline" / "replay.js").replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _style() -> str:
    """The views' style and the page's, with the colours of the dashboard."""
    theme = tomllib.loads(CONFIG.read_text())["theme"]

    def colours(name: str) -> str:
        return "".join(f"--st-{variable}: {theme[name][key]}; " for key, variable in NAMES.items())

    return (
        f":root {{ color-scheme: light dark; --st-font: {FONT}; {colours('light')}}}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {colours('dark')}}} }}\n"
        + lean(FOLDER / "tune.css")
        + lean(FOLDER / "offline" / "replay.css")
    )
