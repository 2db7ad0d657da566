"""A branch keeps its past, goes its own way afterwards, and survives interruptions."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsd_engine.config.settings import GROUPS
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochFinished, IterationDone, RunStarted
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.branching import FREE, KEPT_GROUPS, READ_BY, check_same_past
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, load_checkpoint, record_run, resume_run
from bsd_engine.training.trainer import BSDTrainer
from tests.support.short_runs import differences, short

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def recorded(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "old"
    record_run(short(), path, prepared=small_images)
    return path


def test_a_branch_with_the_same_settings_is_the_same_run(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    branch_run(recorded, 1, short(), tmp_path / "new", prepared=small_images)
    old, new = RunReader(recorded), RunReader(tmp_path / "new")
    assert new.status == "finished" and new.branched_from == {"run": "old", "epoch": 1} and old.branched_from is None
    assert differences([old.epoch(e) for e in old.epochs], [new.epoch(e) for e in new.epochs]) == []


def test_a_branch_with_another_alpha_goes_its_own_way_after_the_epoch(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    started: list[int] = []
    branch_run(
        recorded,
        1,
        short(alpha=0.4),
        tmp_path / "new",
        prepared=small_images,
        on_event=lambda e: started.append(e.first_epoch) if isinstance(e, RunStarted) else None,
    )
    old, new = RunReader(recorded), RunReader(tmp_path / "new")
    assert started == [2] and new.config.split.alpha == 0.4
    assert differences([old.epoch(e) for e in (0, 1)], [new.epoch(e) for e in (0, 1)]) == []
    assert new.epoch(2).clean_mask.sum() < old.epoch(2).clean_mask.sum()


def test_a_branch_with_a_given_target_defends_against_that_without_a_new_warm_up(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    guessed = RunReader(recorded).epoch(0).pseudo_target
    other = (guessed + 1) % small_images.num_classes
    seen = []
    branch_run(
        recorded,
        0,
        short(target_estimator="given", assume_target=other),
        tmp_path / "new",
        prepared=small_images,
        on_event=lambda event: seen.append(event.epoch) if isinstance(event, IterationDone) else None,
    )
    new = RunReader(tmp_path / "new")
    assert min(seen) == 1 and new.epoch(0).pseudo_target == guessed
    assert {new.epoch(e).pseudo_target for e in new.epochs[1:]} == {other}
    np.testing.assert_array_equal(new.epoch(1).clean_mask, new.labels != other)


def test_a_checkpoint_of_an_earlier_program_goes_on(recorded: Path, small_images: PreparedData) -> None:
    checkpoint = load_checkpoint(recorded, 0)
    for name in ("_transplant_scores", "_verdict"):
        checkpoint.pop(name)
    del checkpoint["_clues"]["median"]
    config = short(target_estimator="probability_floor")
    old = BSDTrainer(config, small_images, checkpoint=checkpoint)
    whole = BSDTrainer(config, small_images, checkpoint=load_checkpoint(recorded, 0))
    assert old.pseudo_target == whole.pseudo_target
    with pytest.raises(RunFolderError, match="its checkpoint has no record of median"):
        BSDTrainer(short(target_estimator="median_probability"), small_images, checkpoint=checkpoint)


def test_a_branch_can_be_interrupted_and_resumed(recorded: Path, small_images: PreparedData, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if isinstance(event, EpochFinished) and event.state.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        branch_run(recorded, 1, short(alpha=0.4), tmp_path / "new", prepared=small_images, on_event=kill)
    resume_run(tmp_path / "new", prepared=small_images)
    branch_run(recorded, 1, short(alpha=0.4), tmp_path / "whole", prepared=small_images)
    new, whole = RunReader(tmp_path / "new"), RunReader(tmp_path / "whole")
    assert differences([new.epoch(e) for e in new.epochs], [whole.epoch(e) for e in whole.epochs]) == []


@pytest.mark.parametrize(
    ("epoch", "settings", "sentence"),
    [
        (77, {}, "has no checkpoint after epoch 77; checkpoints exist after the epochs 0, 1, 2, 3, 4, 5"),
        (1, {"seed": 5}, "seed is 5, but the run to branch from has 0"),
        (1, {"rate": 0.1}, "The settings of attack differ"),
        (1, {"limit": 100}, "The settings of data differ"),
        (3, {"t1": 3, "t2": 5, "t3": 7}, "Epoch 2 would be in the stage oss_warmup instead of initial_pools"),
        (
            0,
            {"altruistic_lr": 0.1},
            "altruistic_lr is 0.1, but the altruistic warm-up before the branch used 0.001; keep it, or",
        ),
        (1, {"ema": 0.5}, "ema is 0.5, but the OSS warm-up before the branch used"),
        (1, {"main_lr": 0.5}, "main_lr is 0.5, but the OSS warm-up"),
        (1, {"iterations": 2}, "iterations is 2, but the OSS warm-up"),
        (1, {"t3": 6}, "rampup is 6, but the OSS warm-up before the branch used 5"),
        (1, {"target_estimator": "given", "assume_target": 2}, "target_estimator is 'given', but the OSS warm-up"),
        (2, {"alpha": 0.4}, "alpha is 0.4, but the first split"),
        (3, {"t2": 4}, "t2 is 4, but the class completion"),
        (4, {"selective_drop": False}, "selective_drop is False, but the selective drop"),
        (4, {"rampup": 5, "t3": 3}, "t3 is 3, which ends before epoch 4"),
    ],
)
def test_a_branch_keeps_its_past(
    recorded: Path, small_images: PreparedData, tmp_path: Path, epoch: int, settings: dict, sentence: str
) -> None:
    config = short().with_settings(**settings)
    with pytest.raises(RunFolderError, match=sentence):
        branch_run(recorded, epoch, config, tmp_path / "new", prepared=small_images)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("epoch", "settings"),
    [
        (
            0,
            {
                "ema": 0.5,
                "main_lr": 0.5,
                "iterations": 2,
                "altruistic_update": "mixmatch_same",
                "lambda_u": 1.0,
                "target_estimator": "label_count",
            },
        ),
        (1, {"alpha": 0.5, "beta": 0.3, "init_combine": "union", "oss_distance": "max", "feature_norm": "l2"}),
        (2, {"completion": "balanced", "count_by": "all_pred", "alpha_start": 0.3}),
        (3, {"selective_drop": False, "undefended_epochs": 3, "rampup": 5, "t3": 6}),
        (3, {"drop_start": 4}),
    ],
)
def test_what_only_later_epochs_read_may_change(epoch: int, settings: dict[str, Any]) -> None:
    check_same_past(short(), short().with_settings(**settings), epoch)


def test_every_setting_of_training_is_read_by_something() -> None:
    placed = [name for names in READ_BY.values() for name in names] + list(FREE)
    settings = {f.name for group, kind in GROUPS.items() if group not in KEPT_GROUPS for f in fields(kind)}
    assert len(placed) == len(set(placed)) and set(placed) - {"completion_ends"} == settings


def test_a_branch_trains_with_its_own_learning_rate(recorded: Path, small_images: PreparedData) -> None:
    checkpoint = load_checkpoint(recorded, 0)
    assert (
        BSDTrainer(short(main_lr=0.5), small_images, checkpoint=checkpoint).main.optimizer.param_groups[0]["lr"] == 0.5
    )


def test_a_branch_that_dies_in_its_first_epoch_resumes(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if isinstance(event, IterationDone):
            raise Killed

    with pytest.raises(Killed):
        branch_run(recorded, 3, short(selective_drop=False), tmp_path / "new", prepared=small_images, on_event=kill)
    assert RunReader(tmp_path / "new").can_resume and RunReader(tmp_path / "new").epochs == [0, 1, 2, 3]
    resume_run(tmp_path / "new", prepared=small_images)
    assert RunReader(tmp_path / "new").epochs == list(range(6))


def test_other_data_under_the_same_name_are_noticed(recorded: Path, small_images: PreparedData, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(RunFolderError, match="was trained on other data"):
        branch_run(recorded, 1, short(), tmp_path / "new", prepared=replace(small_images, fingerprint="0" * 16))
