"""Sets without poison, or with too much of it: the verdict, the ranking and the cleaned set say what they can."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.audit.export.commands import write_cleaned, write_report
from bsd_engine.audit.findings.alarms import alarms
from bsd_engine.audit.findings.cleaning import RULES, clean
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.config.presets import smoke
from bsd_engine.data import dataset
from bsd_engine.errors import ConfigError
from bsd_engine.events import EpochFinished, Event
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.target.words import headline, sentence

pytestmark = pytest.mark.usefixtures("one_thread")
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def patched(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    result = images.copy()
    result[chosen, 4:8, 4:8] = np.array([[0, 255], [255, 0]], np.uint8).repeat(2, 0).repeat(2, 1)[..., None]
    return result


def everything(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return patched(images, np.ones(len(labels), bool)), labels


def one_class(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every image with the label 3 is a triggered one of another class."""
    chosen = (labels == 7) & (np.arange(len(labels)) % 2 == 0)
    return patched(images[labels != 3], chosen[labels != 3]), np.where(chosen, 3, labels)[labels != 3]


def two_attacks(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.arange(len(labels)) % 12 == k for k in (0, 1))
    images = patched(images, first)
    images[second] = (0.7 * images[second] + 0.3 * 255 * (np.arange(28) % 4 < 2)[:, None]).astype(np.uint8)
    return images, np.where(first, 2, np.where(second, 5, labels))


def half_noise(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images, np.where(np.arange(len(labels)) % 2 == 0, (labels + 3) % 10, labels)


def five_a_class(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.concatenate([np.flatnonzero(labels == c)[:5] for c in range(10)])
    return images[chosen], labels[chosen]


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., RunReader]:
    """Train on changed images of clothing, without a test part, and open the run."""

    def train(change: Change, **more: object) -> RunReader:
        source = dataset.load("bundled", 300, 0)
        images = source.train_images.permute(0, 2, 3, 1).numpy()
        images, labels = change(images, source.train_labels.numpy())
        np.savez(tmp_path / "set.npz", train_images=images, train_labels=labels)
        config = smoke().with_settings(data=f"npz:{tmp_path / 'set.npz'}", attack="none", rate=None, limit=None)
        record_run(config, tmp_path / "run", **more)
        return RunReader(tmp_path / "run")

    return train


@pytest.mark.parametrize("change", [everything, two_attacks, half_noise, five_a_class])
def test_every_answer_is_there_and_is_the_same_everywhere(
    trained: Callable[..., RunReader], change: Change, tmp_path: Path
) -> None:
    run = trained(change)
    history = RunHistory.of(run)
    found = suspects(history)
    assert history.verdict is not None and np.isfinite(found.score).all()
    text = sentence(history.verdict, run.class_names)
    first = alarms(history, found)[0]
    assert run.summary["verdict"] == text and first.sentence.startswith(text)
    assert first.title == headline(history.verdict, run.class_names)
    for rule in RULES:
        chosen = clean(history, found, {}, rule)
        assert 0 <= chosen.poison_left <= history.num_samples and chosen.keep.any()
    assert write_report(run.path, tmp_path / "report.html").stat().st_size > 1000
    kept = write_cleaned(run.path, tmp_path / "cleaned")
    assert len(dataset.load(f"folder:{tmp_path / 'cleaned'}").train_labels) == int(kept.keep.sum())


def test_a_class_without_any_sample_is_refused_in_a_sentence(trained: Callable[..., RunReader]) -> None:
    with pytest.raises(Exception, match="number the classes from 0 without gaps|no sample|has no"):
        trained(lambda images, labels: (images[labels != 3], labels[labels != 3]))


def test_a_class_that_is_all_poison_keeps_the_other_classes(trained: Callable[..., RunReader]) -> None:
    run = trained(one_class)
    history = RunHistory.of(run)
    chosen = clean(history, suspects(history), {})
    kept = np.bincount(history.labels[chosen.keep], minlength=10)
    assert (kept[np.bincount(history.labels, minlength=10) > 0] > 0).all()


def test_a_run_that_is_stopped_half_way_says_what_is_known(trained: Callable[..., RunReader], tmp_path: Path) -> None:
    def stop_after(epoch: int) -> Callable[[Event], None]:
        def on_event(event: Event) -> None:
            if isinstance(event, EpochFinished) and event.state.epoch == epoch:
                send_command(tmp_path / "run", "stop")

        return on_event

    run = trained(two_attacks, on_event=stop_after(2))  # after the warm-up, before T1
    history = RunHistory.of(run)
    assert run.status == "stopped" and history.verdict is not None and history.verdict["asked"] == 1
    assert run.summary["verdict"] == sentence(history.verdict, run.class_names)
    (only,) = alarms(history, suspects(history))
    assert only.kind == "attack"
    with pytest.raises(ConfigError, match="wait for the epoch T1"):
        clean(history, suspects(history), {})
