"""The walk of docs/audit.md on traffic signs, from the page Attacks to a retrained model; about ten minutes.

Run by `.ci/nightly walk`. Skipped unless BSD_REAL_WALK names a folder for its screenshots and GTSRB is in BSD_DATA.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine.config.presets import audit, demo_gtsrb
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.reader import RunReader
from bsd_engine.training.undefended import train_undefended
from tests.browser.conftest import ROOT, choose, until, wait_until_ran
from tests.browser.test_audit_walk import (
    TABLE,
    a_judgement_is_given_and_undone,
    a_row_is_pinned,
    cleaned_and_reported,
    no_ground_truth_is_mentioned,
    train_on,
)

PICTURES, DATA = os.environ.get("BSD_REAL_WALK", ""), os.environ.get("BSD_DATA", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PICTURES, reason="takes ten minutes: .ci/nightly walk"),
    pytest.mark.skipif(not Path(DATA, "gtsrb/train").is_dir(), reason="GTSRB is not in BSD_DATA"),
]
PRESET, AUDIT = "demo: traffic signs", "audit: images of your own"


@pytest.fixture(scope="module", autouse=True)
def _real_data(own_cache: None) -> Iterator[None]:
    """Use the data in BSD_DATA instead of the empty cache of the other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BSD_DATA", DATA)
        yield


def saved(page: Any, folder: Path) -> Path:
    """The poisoned set as a plain folder, made by the command on the page Attacks, without the lists of changes."""
    choose(page, "Preset", PRESET)
    page.get_by_role("link", name="Attacks").click()
    page.get_by_text("training images (").wait_for()
    choose(page, "Attack", "Blended")
    page.get_by_text("Blended on").wait_for()
    wait_until_ran(page)
    taken(page, "1-attack")
    page.get_by_test_id("stPopover").get_by_role("button", name="Command").click()
    words = shlex.split(page.locator("[data-testid=stPopoverBody] code").inner_text())
    subprocess.run([sys.executable, *words[1:-1], str(folder / "set")], cwd=ROOT, check=True)
    (folder / "found").mkdir()
    for part in ("train", "test"):
        (folder / "set" / part).rename(folder / "found" / part)
    return folder / "found"


def taken(page: Any, name: str, height: int = 1000) -> None:
    """A screenshot of the upper part of the page, for the docs."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    page.screenshot(path=Path(PICTURES) / f"walk-{name}.png", clip={"x": 0, "y": 0, "width": 1440, "height": height})


def audited(page: Any, run: RunReader, tmp_path: Path) -> None:
    """From the finished run to the cleaned folder, without any mention of ground truth."""
    assert run.status == "finished" and not run.truth_known
    until(lambda: "Finished" in page.locator(".now").inner_text(), "the end of the run on the page")
    assert run.summary is not None and run.summary["verdict"].startswith("Attack found: the target is ")
    verdict = run.summary["verdict"].split(").")[0] + ")"
    assert verdict in page.locator(".now").inner_text()
    taken(page, "2-run")
    page.get_by_role("link", name="Audit").click()
    page.locator(TABLE).first.wait_for()
    wait_until_ran(page)
    page.locator(".passport-facts .reason").wait_for()
    assert verdict in page.locator(".alarms summary").first.inner_text()
    a_row_is_pinned(page)
    taken(page, "3-suspects")
    a_judgement_is_given_and_undone(page, run)
    page.get_by_text("Downloads", exact=True).click()
    taken(page, "4-downloads", height=850)  # the command below it names a local folder
    cleaned_and_reported(page, run, tmp_path)
    no_ground_truth_is_mentioned(page)


def retrained(folder: Path, out: Path) -> dict[str, Any]:
    """The result of plain training on a folder, tested with the trigger of the saved attack."""
    plain = audit().with_settings(data=f"folder:{folder}")
    attacked = prepare(demo_gtsrb().with_settings(attack="blended", attack_parameters={}))
    clean = prepare(plain)
    goal = clean.class_names.index(attacked.class_names[int(attacked.triggered_labels[0])])
    labels = torch.full_like(attacked.triggered_labels, goal)
    return train_undefended(
        plain, out, prepared=replace(clean, triggered_images=attacked.triggered_images, triggered_labels=labels)
    )


def test_traffic_signs_are_attacked_audited_cleaned_and_learned_again(
    server: Any, runs: Path, visit: Callable, tmp_path: Path
) -> None:
    page = visit(f"{server.url}/run", width=1440, height=1000)
    folder = saved(page, tmp_path)
    page.get_by_role("link", name="Run").click()
    choose(page, "Preset", AUDIT)
    run = train_on(page, folder, runs, seconds=1500)
    audited(page, run, tmp_path)
    before, after = (retrained(tmp_path / name, tmp_path / f"plain-{name}") for name in ("found", "cleaned"))
    rates = {
        name: {key: round(s[key], 2) for key in ("clean_accuracy", "attack_success_rate")}
        for name, s in (("before", before), ("after", after))
    }
    print(rates, "kept", len(list((tmp_path / "cleaned/train").rglob("*.png"))), "of", run.num_samples)
    assert after["attack_success_rate"] <= 5 < 50 < before["attack_success_rate"]
    assert np.isfinite(after["clean_accuracy"])
