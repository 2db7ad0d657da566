"""The browser's twin of the cuts against the engine, in a real browser: golden vectors with many equal scores.

The arrays take the same path as on the page: ranked by `columns`, packed by `packet`, read by packet.js.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.components import packet
from app.components.bundle import bundle
from app.tune.columns import epoch_columns
from app.tune.run_packets import own_settings
from bsd_engine.compute.plans import generator_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.method import preview
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.preview import Settings
from bsd_engine.method.ranking import descending_ranks
from bsd_engine.splits import clean_ratio, exact_count

SHARES = (0.01, 0.2, 0.29, 0.333, 0.5, 0.7, 0.999, 1.0)


@pytest.fixture(scope="module")
def twin(browser: Any) -> Any:
    """A blank page with the functions of tune_twin.js."""
    page = browser.new_page()
    page.add_script_tag(content=bundle(Path(__file__).parent / "twins/tune_twin.js"), type="module")
    page.wait_for_function("() => window.cases")
    yield page
    page.close()


def some_state(n: int, kinds: int, rng: np.random.Generator, *, first: bool) -> EpochState:
    """Scores with many equal values, including zeros of both signs."""
    values = np.array([-0.0, 0.0, 1e-4, 0.5, 0.5, 2.3, 9.2], np.float32)
    draw = [rng.choice(values, n) if kinds else rng.random(n, np.float32) for _ in range(3)]
    predicted = [rng.integers(0, 5, n).astype(np.int16) for _ in range(2)]
    return EpochState(
        epoch=9,
        stage="oss_warmup" if first else "class_completion",
        main_epoch=12,
        clean_ratio=None,
        altruistic_loss=draw[0],
        altruistic_prediction=predicted[0],
        main_loss=draw[1],
        main_prediction=predicted[1],
        oss_score=draw[2] if first else None,
        pseudo_target=2,
    )


def first_cases(rng: np.random.Generator) -> list[tuple[dict, dict, np.ndarray]]:
    cases = []
    for number, (n, combine) in enumerate(
        (n, c) for n in (1, 2, 37, 300) for c in ("intersection", "union", "als_only", "oss_only", "random")
    ):
        config = BSDConfig().with_settings(
            init_combine=combine,
            all_to_all="shared" if number % 4 == 3 else "off",
            selective_drop=False,
            als_init_ratio=0.4 if number % 7 == 6 else None,
        )
        state, labels = some_state(n, number % 3, rng, first=True), rng.integers(0, 1 if number % 5 == 4 else 5, n)
        scores = FirstScores(losses=state.altruistic_loss, oss=state.oss_score, target=None if number % 4 == 3 else 2)
        ranks = descending_ranks(torch.rand(n, generator=generator_for(config.seed, "pools", 0)).numpy())
        arrays = {
            **epoch_columns(state, 2, predictions=False),
            "labels": labels.astype(np.uint8),
            "draw": ranks.astype(np.uint32),
        }
        for alpha, beta in zip(SHARES, SHARES[3:] + SHARES[:3], strict=True):
            settings = replace(Settings.of(config), alpha=alpha, beta=beta)
            spec = {
                "first": True,
                "own": own_settings(config),
                "target": scores.target,
                "classes": 5,
                "alpha": alpha,
                "beta": beta,
            }
            cases.append((spec, arrays, preview.first_pool(config, settings, labels, scores)))
    return cases


def later_cases(rng: np.random.Generator) -> list[tuple[dict, dict, np.ndarray]]:
    cases = []
    for number, (n, completion) in enumerate(
        (n, c) for n in (1, 2, 37, 300) for c in ("fewest", "balanced", "balanced_others", "off")
    ):
        config = BSDConfig().with_settings(
            completion=completion,
            count_by=("pool_label", "pool_pred", "all_pred")[number % 3],
            alpha_start=0.1 if number % 5 == 4 else None,
            drop_start=11 if number % 2 else None,
            t1=4,
            init_epochs=3,
            t2=20,
        )
        state, labels = some_state(n, number % 3, rng, first=False), rng.integers(0, 5, n)
        arrays = {
            **epoch_columns(state, 2, predictions=True),
            "labels": labels.astype(np.uint8),
            "predictions": np.bincount(state.main_prediction, minlength=5).astype(np.uint32),
        }
        for alpha, beta in zip(SHARES, SHARES[3:] + SHARES[:3], strict=True):
            for t in (7, 8, 13, 19, 20, 25):
                at = replace(state, main_epoch=t)
                spec = {
                    "first": False,
                    "own": own_settings(config),
                    "target": 2,
                    "classes": 5,
                    "alpha": alpha,
                    "beta": beta,
                    "t": t,
                    "t1": 4,
                }
                cases.append(
                    (
                        spec,
                        arrays,
                        preview.later_pool(config, replace(Settings.of(config), alpha=alpha, beta=beta), labels, at),
                    )
                )
    return cases


@pytest.mark.parametrize("make", [first_cases, later_cases])
def test_the_browser_makes_the_engines_pools(twin: Any, make: Any) -> None:
    cases = make(np.random.default_rng(3))
    arrays = {f"{k}/{name}": a for k, (_, arrays, _) in enumerate(cases) for name, a in arrays.items()}
    content = packet.pack({"cases": [spec for spec, _, _ in cases]}, arrays)
    found = twin.evaluate("encoded => cases(encoded)", base64.b64encode(content).decode())
    assert len(found) == len(cases) >= 150
    wrong = [
        spec
        for (spec, _, expected), pool in zip(cases, found, strict=True)
        if not np.array_equal(np.array(pool, bool), expected)
    ]
    assert [
        (w["own"]["combine"], w["own"]["completion"], w["alpha"], w["beta"], w["target"], w["own"]["als_init_ratio"])
        for w in wrong
    ] == []


def test_counts_and_schedule_are_the_engines(twin: Any) -> None:
    counts = [(share / 1000, n) for share in range(0, 1001, 7) for n in (0, 1, 7, 100, 50_000)]
    assert twin.evaluate("cases => cases.map(([s, n]) => exactCount(s, n))", counts) == [
        exact_count(s, n) for s, n in counts
    ]
    points = [
        {"t": t, "alpha": 0.6, "start": 0.2, "t1": 20, "init": 10, "t2": t2} for t in range(0, 121) for t2 in (30, 90)
    ]
    expected = [clean_ratio(p["t"], alpha=0.6, beta=0.2, t1=20, init_epochs=10, t2=p["t2"]) for p in points]
    np.testing.assert_allclose(
        twin.evaluate("ps => ps.map(p => cleanRatio(p.t, p))", points), expected, rtol=1e-15, atol=0
    )
    for n in (7, 50_000):  # the counts are equal, too: only they could show a difference in the last bit
        assert twin.evaluate("([ps, n]) => ps.map(p => exactCount(cleanRatio(p.t, p), n))", [points, n]) == [
            exact_count(r, n) for r in expected
        ]
