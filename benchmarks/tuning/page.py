"""The page Tune in a browser, and the synthetic run that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.common.browser import chromium, new_page, wait_for_columns
from benchmarks.common.synthetic_run import SyntheticRun
from bsd_engine.runs.writer import RunWriter

RUN_ID = "synthetic"


@contextmanager
def tune_page(server: str, epoch: int) -> Iterator[Page]:
    """Yield the page Tune at an epoch, with its views drawn and all columns loaded."""
    with chromium() as browser:
        page = new_page(browser, server, viewport={"width": 1440, "height": 900})
        page.goto(f"{server}/tune?run={RUN_ID}&epoch={epoch}")
        wait_for_views(page)
        settle(page)
        yield page


def wait_for_views(page: Page) -> None:
    """Wait until the views are drawn."""
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=90000)


def settle(page: Page) -> None:
    """Wait until the columns of every epoch are in the browser, and half a second longer."""
    wait_for_columns(page)
    page.wait_for_timeout(500)


def write_run(folder: Path, samples: int, *, epochs: int = 40, first: int = 40) -> tuple[SyntheticRun, RunWriter]:
    """Write a synthetic run folder with its first epochs; returns the run and its writer."""
    run = SyntheticRun(samples, epochs=epochs)
    writer = run.create(folder / RUN_ID)
    for epoch in range(first):
        writer.epoch(run.state(epoch))
    return run, writer
