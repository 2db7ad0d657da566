"""What several test modules have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from bsd_engine.audit.history import RunHistory
from bsd_engine.compute import runtime
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.reader import RunReader
from tests.support.audit_runs import recorded, recorded_with_verdict
from tests.support.short_runs import tiny

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread a model: on a busy machine, threads that wait for each other take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "available_threads", lambda: 1)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder and a signing key of the tests' own, so that they find nothing there and leave nothing behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BSD_DATA", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("BSD_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def summary_keys() -> set[str]:
    """What other people's scripts expect in summary.json."""
    return {
        "status",
        "preset",
        "data",
        "attack",
        "device",
        "seconds",
        "epochs",
        "clean_accuracy",
        "attack_success_rate",
        "pseudo_target",
        "true_target",
        "clean_pool_size",
        "poison_in_clean_pool",
    }


@pytest.fixture(scope="session")
def small_images() -> PreparedData:
    """The smoke preset's images with half their height and width, and 100 test images instead of 2,000."""
    whole = prepare(tiny())
    test, triggered = slice(None, None, 20), slice(None, None, 18)
    return replace(
        whole,
        images=whole.images[:, ::2, ::2].contiguous(),
        test_images=whole.test_images[test, ::2, ::2].contiguous(),
        test_labels=whole.test_labels[test],
        triggered_images=whole.triggered_images[triggered, ::2, ::2].contiguous(),
        triggered_labels=whole.triggered_labels[triggered],
    )


@pytest.fixture(scope="session")
def recorded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run of 1,000 samples that has passed through every stage, poisoned with BadNets; nobody may write to
    it."""
    return recorded(tmp_path_factory.mktemp("recorded") / "badnets")


@pytest.fixture(scope="session")
def history(recorded_run: Path) -> RunHistory:
    """All its epochs."""
    return RunHistory.of(RunReader(recorded_run))


@pytest.fixture(scope="session", params=["no_attack", "several"])
def unsuspecting_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run that suspects no single class: its verdict is no attack, or several targets. Read-only."""
    return recorded_with_verdict(tmp_path_factory.mktemp("unsuspecting") / request.param, request.param)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for runs, which the pages use; the server trains nothing in advance there."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("BSD_RUNS", str(folder))
    monkeypatch.setattr("app.server.registry.load_engine", lambda: None)
    return folder


@pytest.fixture
def open_page(root: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., AppTest]]:
    """`open_page(run=ID)`: the page of the module's SCRIPT after its first script run, without an exception."""
    from app.server import registry  # here, so that tests of the engine do not wait for Streamlit
    from tests.support.page.pages import opened

    yield functools.partial(opened, request.module.SCRIPT)
    registry.registry().close()
