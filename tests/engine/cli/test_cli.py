"""The commands that train: their files, Ctrl-C, and reuse of a run's settings."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bsd_engine.cli.poisoning import poison_options
from bsd_engine.cli.training import train_options
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.prepare import prepare
from bsd_engine.runs.reader import RunReader
from bsd_engine.target.votes import READ_FROM_LOGITS
from bsd_engine.target.words import HEADLINES
from tests.support.command_line import ROOT, CommandResult, smoke
from tests.support.short_runs import differences

pytestmark = pytest.mark.usefixtures("one_thread", "folder")


def test_target_says_what_every_estimator_finds(command: Callable[..., CommandResult], tiny_npz: str) -> None:
    result = command(*smoke("target", tiny_npz))
    assert result.status == 0
    head, *rows = result.out.splitlines()
    assert head.split() == ["estimator", "target", "z", "second"]
    assert [row.split()[0] for row in rows[:6]] == ["auto", *READ_FROM_LOGITS]
    assert any(rows[-2].startswith(said) for said in HEADLINES.values())
    assert "fewer than 6 epochs" in rows[-1]


def test_target_as_json_is_the_same_each_time_and_trains_only_the_warm_up(
    command: Callable[..., CommandResult], tiny_npz: str
) -> None:
    first, second = (json.loads(command(*smoke("target", tiny_npz, "--json")).out) for _ in range(2))
    assert first["auto"] == second["auto"] and first["estimators"] == second["estimators"]
    assert first["epochs"] == 2 and first["auto"]["kind"] in HEADLINES
    assert first["verdict"].startswith(HEADLINES[first["auto"]["kind"]])
    assert {answer["estimator"] for answer in first["estimators"]} == {"auto", *READ_FROM_LOGITS}


def test_train_writes_a_finished_run(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str, summary_keys: set[str]
) -> None:
    result = command(*smoke("train", tiny_npz, "--target", "2", "--seed", "4", "--out", "my run"))
    assert result.status == 0, result.err
    summary = json.loads((folder / "my run/summary.json").read_text())
    assert summary_keys <= set(summary)
    assert (summary["status"], summary["preset"], summary["data"], summary["true_target"]) == (
        "finished",
        "smoke",
        tiny_npz,
        2,
    )
    assert re.search(
        rf"finished after {summary['epochs']} epochs, \d+ s on .*clean accuracy [\d.]+ %, attack success rate [\d.]+ %",
        result.out,
    )
    assert result.out.endswith("run folder: my run\n") and "Traceback" not in result.err
    reader = RunReader(folder / "my run")
    assert reader.status == "finished" and reader.config.seed == 4 and len(reader.epochs) == summary["epochs"]


def test_a_longer_warmup_moves_the_later_stages(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    assert command(*smoke("train", tiny_npz, "--warmup", "7", "--out", "run")).status == 0
    schedule = RunReader(folder / "run").config.schedule
    assert (schedule.t1, schedule.t2, schedule.t3) == (7, 10, 11)


def test_a_set_smaller_than_the_presets_limit_is_used_completely(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    assert command("train", "--data", tiny_npz, "--iterations", "1", "--device", "cpu", "--out", "run").status == 0
    assert RunReader(folder / "run").num_samples == 120


def test_without_out_a_run_gets_a_folder_below_runs(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    result = command(*smoke("train", tiny_npz, "--attack", "none", "--t3", "5"))
    (path,) = (p for p in (folder / "runs").iterdir() if p.is_dir())  # beside it is log.jsonl
    assert (
        result.status == 0
        and result.out.endswith(f"run folder: runs/{path.name}\n")
        and "attack success rate unknown" in result.out
    )
    summary = json.loads((path / "summary.json").read_text())
    assert {summary[k] for k in ("attack_success_rate", "true_target", "poison_in_clean_pool")} == {None}


def test_undefended_writes_the_baseline_of_the_der(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str, summary_keys: set[str]
) -> None:
    result = command(*smoke("undefended", tiny_npz, "--undefended-epochs", "2", "--out", "plain"))
    assert result.status == 0, result.err
    summary = json.loads((folder / "plain/summary.json").read_text())
    assert summary_keys <= set(summary)
    assert (summary["status"], summary["defense"], summary["epochs"], summary["true_target"]) == (
        "finished",
        "none",
        2,
        3,
    )
    assert (
        all(0 <= summary[k] <= 100 for k in ("clean_accuracy", "attack_success_rate"))
        and summary["pseudo_target"] is None
    )


def test_an_attacks_parameters_are_stored_as_numbers_and_words(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    result = command(
        *smoke(
            "undefended",
            tiny_npz,
            "--undefended-epochs",
            "1",
            "--out",
            "run",
            "--attack",
            "blended",
            "--attack-parameters",
            "opacity",
            "0.3",
            "pattern",
            "noise",
        )
    )
    summary = json.loads((folder / "run/summary.json").read_text())
    assert result.status == 0 and summary["config"]["attack"]["attack_parameters"] == {
        "opacity": 0.3,
        "pattern": "noise",
    }
    assert summary["config"]["attack"]["rate"] is None


def test_another_attack_does_not_inherit_the_presets_parameters() -> None:
    def attack(*words: str) -> AttackConfig:
        return train_options(["--preset", "demo-gtsrb", *words]).config.attack

    assert attack().attack_parameters == attack("--attack", "badnets").attack_parameters == {"pattern": "checkerboard"}
    assert attack("--attack", "blended").attack_parameters == {} and attack("--attack=blended").attack == "blended"
    assert attack("--attack", "sig", "--attack-parameters", "weight", "0.3").attack_parameters == {"weight": 0.3}


def test_all_to_all_has_no_single_target(command: Callable[..., CommandResult], folder: Path, tiny_npz: str) -> None:
    result = command(
        *smoke("undefended", tiny_npz, "--undefended-epochs", "1", "--out", "run", "--attack", "badnets_all2all")
    )
    summary = json.loads((folder / "run/summary.json").read_text())
    assert result.status == 0 and summary["true_target"] is None and summary["attack_success_rate"] is not None


@pytest.mark.parametrize(
    ("words", "attack"),
    [
        ([], "none"),
        (["--preset", "demo-gtsrb"], "none"),
        (["--attack", "sig"], "sig"),
        (["--attack=blended", "--attack-parameters", "opacity", "0.3"], "blended"),
    ],
)
def test_own_data_are_poisoned_only_if_an_attack_is_named(tiny_npz: str, words: list[str], attack: str) -> None:
    chosen = train_options(["--data", tiny_npz, *words]).config.attack
    assert chosen.attack == attack
    assert poison_options(["--data", tiny_npz]).config.attack.attack == "badnets"  # whose purpose it is


@pytest.mark.parametrize("word", ["none", "None", "all"])
def test_all_images_have_a_word(word: str) -> None:
    assert train_options(["--limit", word]).config.data.limit is None


def test_ctrl_c_prints_a_command_that_resumes_the_run(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    words = [  # epochs of a quarter of a second: five of them last longer than a busy machine takes to notice
        sys.executable,
        "-m",
        "bsd_engine",
        *smoke("train", tiny_npz, "--iterations", "60", "--out", str(folder / "my run")),
    ]
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's `command &` ignores it, and children would inherit that
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as training:
        deadline = time.monotonic() + 120
        while (
            not (folder / "my run/epochs/00002.npz").exists()
            and training.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        training.send_signal(signal.SIGINT)
        out, err = training.communicate(timeout=120)
    signal.signal(signal.SIGINT, before)
    assert training.returncode == 130 and out == "" and "Traceback" not in err
    hint = re.search(r"\nStopped\. Resume with: python -m bsd_engine (.*)\n$", err)
    assert hint, err
    reader = RunReader(folder / "my run")
    assert reader.status == "stopped" and 3 <= len(reader.epochs) < 8
    result = command(*shlex.split(hint.group(1)))
    assert result.status == 0 and reader.status == "finished" and reader.epochs == list(range(8))


@pytest.mark.parametrize("name", ["train", "undefended"])
def test_ctrl_c_before_anything_is_written_promises_nothing(
    command: Callable[..., CommandResult], folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "prepare", interrupted)
    monkeypatch.setattr("bsd_engine.training.undefended.prepare", interrupted)
    result = command(name, "--preset", "smoke", "--out", "run")
    assert result.status == 130 and result.err.strip() == "Stopped." and list(folder.iterdir()) == []


def test_resuming_a_finished_run_is_one_sentence(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    command(*smoke("train", tiny_npz, "--t3", "5", "--out", "run"))
    result = command("train", "--resume", "run")
    assert (
        result.status == 2
        and result.err == "error: run is finished; there is nothing to resume. Start a new run instead.\n"
    )


def test_a_runs_config_repeats_it(command: Callable[..., CommandResult], folder: Path, tiny_npz: str) -> None:
    assert command(*smoke("train", tiny_npz, "--seed", "4", "--target", "2", "--out", "first")).status == 0
    assert command("train", "--config", "first/config.json", "--out", "second").status == 0
    first, second = RunReader(folder / "first"), RunReader(folder / "second")
    assert first.config == second.config and first.fingerprint == second.fingerprint
    assert differences([first.epoch(e) for e in first.epochs], [second.epoch(e) for e in second.epochs]) == []


def test_an_option_changes_one_setting_of_a_runs_config(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    command(*smoke("train", tiny_npz, "--target", "2", "--out", "first"))
    assert command("train", "--config", "first", "--alpha", "0.5", "--out", "second").status == 0
    first, second = RunReader(folder / "first").config, RunReader(folder / "second").config
    assert second == first.with_settings(alpha=0.5)


def test_a_branch_starts_from_a_runs_settings_and_epochs(
    command: Callable[..., CommandResult], folder: Path, tiny_npz: str
) -> None:
    command(*smoke("train", tiny_npz, "--target", "2", "--out", "first"))
    assert command("train", "--branch", "first", "--from-epoch", "3", "--alpha", "0.5", "--out", "second").status == 0
    first, second = RunReader(folder / "first"), RunReader(folder / "second")
    assert second.branched_from == {"run": "first", "epoch": 3} and second.config == first.config.with_settings(
        alpha=0.5
    )
    assert differences([first.epoch(e) for e in range(4)], [second.epoch(e) for e in range(4)]) == []
