"""The page Tune in a browser: its made-up runs, how a test opens it, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.fake_run import CONFIG, fake_run

APP = "document.querySelector('.tn').app"
T1_EPOCH = CONFIG.schedule.altruistic_epochs + CONFIG.schedule.t1
WHOLE = "20260101-000000-whole"


def make_runs(root: Path) -> Path:
    """Made-up runs in every state that the page has to show."""
    fake_run(root, run_id=WHOLE, epochs=38)
    fake_run(root, run_id="20260101-000001-blind", epochs=38, truth=False)
    fake_run(root, run_id="20260101-000002-early", epochs=4, status="stopped")
    fake_run(root, run_id="20260101-000003-one", epochs=38, samples=1, truth=False)
    fake_run(root, run_id="20260101-000004-few", epochs=38, samples=100)
    return root


def page_opener(server: Any, visit: Callable) -> Callable[..., Any]:
    """`tune(run, query)`: the page with its views drawn.

    Console errors are expected: Streamlit itself asks for two addresses below /tune that do not exist.
    """

    def open_page(run: str, query: str = "", *, drawn: bool = True, **options: Any) -> Any:
        page = visit(
            f"{server.url}/tune?run={run}{query}", expect_errors=True, **{"width": 1440, "height": 900, **options}
        )
        if drawn:
            page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
            wait_for_rest(page)
        return page

    return open_page


def wait_for_rest(page: Any) -> None:
    """Wait until nothing is to be drawn and the engine has answered to the settings on the screen."""
    page.wait_for_function(
        f"""() => {{
            const a = {APP}, {{answer}} = a.model.header
            return a.todo === null && (!answer
                || a.key(answer.settings, answer.epoch) === a.key(a.model.effective(a.view), a.view.epoch))
        }}""",
        timeout=60000,
    )


def shown_view(page: Any) -> dict[str, Any]:
    """Epoch, pinned sample, selection, settings and zoom on the screen."""
    return json.loads(
        page.evaluate(f"""() => {{
            const v = {APP}.view
            return JSON.stringify({{
                epoch: v.epoch, following: v.following, pin: v.pin, settings: v.settings,
                selected: Array.from(v.selected.keys()).filter(i => v.selected[i]), zoom: {APP}.quadrant.plot.zoom,
            }})
        }}""")
    )


def counts(page: Any) -> dict[str, int]:
    """Samples in the pool of the preview, and those that come in and go out."""
    shown = page.evaluate(
        "() => { const {size, gained, lost} = document.querySelector('.tn').dataset; return {size, gained, lost} }"
    )
    return {name: int(value) for name, value in shown.items()}
