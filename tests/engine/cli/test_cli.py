"""The command line: what it writes, what its help says, and one sentence with exit status 2 for what it cannot use."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.cli.main import main
from bsd_engine.cli.training import train_options
from bsd_engine.config.data_settings import AttackConfig
from bsd_engine.config.settings import GROUPS
from bsd_engine.prepare import prepare
from bsd_engine.runs.reader import RunReader
from bsd_engine.target.votes import READ_FROM_LOGITS
from tests.support.short_runs import differences

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def tiny_npz(tmp_path: Path) -> str:
    """SPEC of 120 training and 20 test images of 8x8 pixels in four classes, each class of a brightness of its own."""
    rng = np.random.default_rng(0)
    labels, test_labels = np.arange(120) % 4, np.arange(20) % 4
    images, test_images = (rng.integers(0, 64, (len(y), 8, 8)) + 64 * y[:, None, None] for y in (labels, test_labels))
    np.savez(
        tmp_path / "tiny.npz",
        train_images=images.astype(np.uint8),
        train_labels=labels,
        test_images=test_images.astype(np.uint8),
        test_labels=test_labels,
    )
    return f"npz:{tmp_path / 'tiny.npz'}"


@dataclass
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `python -m bsd_engine` with some words, in this process."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        try:
            status = main(list(words))
        except SystemExit as leaving:
            status = leaving.code or 0
        return Said(status, *capsys.readouterr())

    return call


def smoke(command_name: str, data: str, *more: str) -> list[str]:
    return [command_name, "--preset", "smoke", "--data", data, "--limit", "120", "--device", "cpu", *more]


# --- which class is the target ---


def test_target_says_what_every_estimator_finds(command: Callable[..., Said], tiny_npz: str) -> None:
    said = command(*smoke("target", tiny_npz))
    assert said.status == 0
    head, *rows = said.out.splitlines()
    assert head.split() == ["estimator", "target", "z", "second"]
    assert [row.split()[0] for row in rows[:6]] == ["auto", *READ_FROM_LOGITS] and rows[-2].startswith("auto: ")
    assert "fewer than 6 epochs" in rows[-1]


def test_target_as_json_is_the_same_each_time_and_trains_the_warm_up_alone(
    command: Callable[..., Said], tiny_npz: str
) -> None:
    first, second = (json.loads(command(*smoke("target", tiny_npz, "--json")).out) for _ in range(2))
    assert first["auto"] == second["auto"] and first["estimators"] == second["estimators"]
    assert first["epochs"] == 2 and first["auto"]["kind"] in ("target", "no_attack", "several")
    assert {answer["estimator"] for answer in first["estimators"]} == {"auto", *READ_FROM_LOGITS}


# --- what cannot be used ---


BAD_SETTINGS = {
    "alpha too large": (["--alpha", "2"], "alpha is 2.0, expected a number between 0 and 1"),
    "alpha below beta": (["--alpha", "0.1", "--beta", "0.3"], "alpha is 0.1, expected at least beta = 0.3"),
    "alpha no number": (["--alpha", "nan"], "alpha is nan, expected a number between 0 and 1"),
    "beta zero": (["--beta", "0"], "beta is 0.0, expected a number above 0"),
    "beta negative": (["--beta", "-1"], "beta is -1.0, expected a number between 0 and 1"),
    "rate too large": (["--rate", "1.5"], "rate is 1.5, expected a number between 0 and 0.9"),
    "rate zero": (
        ["--rate", "0"],
        "rate is 0.0, expected a number above 0. For data without an added attack use --attack none",
    ),
    "rate of nothing": (["--rate", "0.0001"], "poisons none of the"),
    "target of no class": (["--target", "99"], "target is 99, but the data have classes 0 to 3"),
    "target negative": (["--target", "-1"], "target_label is -1, expected a whole number at least 0"),
    "assumed target of no class": (
        ["--target-estimator", "given", "--assume-target", "4"],
        "assume_target is 4, but the data have classes",
    ),
    "shares of too few classes": (
        ["--class-shares", "1", "2"],
        "class_shares has 2 numbers, but the data have 4 classes",
    ),
    "vote of another loss": (
        ["--target-estimator", "lga_vote"],
        "target_estimator is 'lga_vote', expected another one where altruistic_loss is ce",
    ),
    "warm-up of nothing": (["--warmup", "0"], "t1 is 0, expected a whole number between 1 and 1000"),
    "warm-up beyond T2": (["--warmup", "40", "--t2", "9"], "expected at least warmup + init_epochs"),
    "limit too small": (["--limit", "5"], "limit is 5, expected a whole number at least 20"),
    "seed negative": (["--seed", "-1"], "seed is -1, expected a whole number from 0"),
    "attack unheard of": (["--attack", "nonsense"], "attack is 'nonsense', expected one of badnets"),
    "parameter unheard of": (
        ["--attack-parameters", "opacity", "0.2"],
        "badnets has no parameter 'opacity'; it has pattern, size, row, col",
    ),
    "parameter of no number": (
        ["--attack", "blended", "--attack-parameters", "opacity", "much"],
        "opacity is 'much', expected a finite number",
    ),
    "parameter out of range": (
        ["--attack", "sig", "--attack-parameters", "weight", "2"],
        "weight is 2, expected a number between 0 and 1",
    ),
    "picture absent": (
        ["--attack", "custom", "--attack-parameters", "image", "absent.png"],
        "There is no file absent.png",
    ),
    "more poison than there is": (
        ["--rate", "0.8", "--poison-count-mode", "exact_all_from_nontarget"],
        "asks for 96 poisoned samples of 90",
    ),
    "device unheard of": (["--device", "tpu"], "device is 'tpu', expected auto, cpu, cuda or cuda:N"),
    "device not there": (["--device", "cuda:77"], "CUDA devices are visible. Use --device cpu or auto"),
    "data unheard of": (
        ["--data", "imagenet"],
        "data is 'imagenet', expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH",
    ),
    "no file": (["--data", "npz:absent.npz"], "There is no file absent.npz"),
    "no folder": (["--data", "folder:absent"], "There is no folder absent"),
    "no path": (["--data", "folder:"], "data is 'folder:', expected"),
    "network unheard of": (
        ["--model", "vgg"],
        "model is 'vgg', expected one of small_resnet, resnet18, mobilenet_v2 or torchvision:NAME",
    ),
    "network not in torchvision": (
        ["--model", "torchvision:vgg", "--width", "64"],
        "torchvision has no classification network of that name",
    ),
    "network too large": (["--model", "torchvision:alexnet", "--width", "64"], "cannot take images of 8x8 pixels"),
    "preset unheard of": (
        ["--preset", "fast"],
        "preset is 'fast', expected one of demo, demo-gtsrb, paper-cifar10, paper-gtsrb, paper-imagenet30, smoke",
    ),
    "nothing to resume": (["--resume", "absent"], "absent is not a run folder"),
}


def assert_one_sentence(said: Said, folder: Path, expected: str) -> None:
    assert said.status == 2 and said.out == ""
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and said.err.rstrip().endswith((".", "help."))
    assert expected in said.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("words", "expected"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_what_cannot_be_used_is_one_sentence_and_starts_nothing(
    command: Callable[..., Said], folder: Path, tiny_npz: str, words: list[str], expected: str
) -> None:
    assert_one_sentence(command(*smoke("train", tiny_npz, "--out", "run"), *words), folder, expected)


@pytest.mark.parametrize("name", ["alpha too large", "target of no class", "no file", "network too large"])
def test_undefended_training_refuses_the_same(
    command: Callable[..., Said], folder: Path, tiny_npz: str, name: str
) -> None:
    words, expected = BAD_SETTINGS[name]
    assert_one_sentence(command(*smoke("undefended", tiny_npz, "--out", "run"), *words), folder, expected)


def test_a_folder_of_broken_images_is_one_sentence(command: Callable[..., Said], folder: Path, tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        for i in range(3):
            path = tmp_path / f"images/train/{name}/{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no image at all")
    said = command(
        "train",
        "--preset",
        "smoke",
        "--data",
        f"folder:{tmp_path / 'images'}",
        "--limit",
        "None",
        "--out",
        "run",
        "--target",
        "1",
    )
    assert_one_sentence(said, folder, "0.png")


def test_a_folder_with_files_is_not_written_to(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    (folder / "run").mkdir()
    (folder / "run/thesis.txt").write_text("mine")
    for name in ("train", "undefended"):
        said = command(*smoke(name, tiny_npz, "--out", "run"))
        assert said.status == 2 and "run is not an empty folder; give a new one" in said.err
        assert [p.name for p in (folder / "run").iterdir()] == ["thesis.txt"]


def test_a_run_that_fails_says_so_below_its_progress(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    said = command(*smoke("train", tiny_npz, "--alpha", "0.005", "--beta", "0.005", "--out", "run"))
    assert said.status == 2 and said.out == "" and "Traceback" not in said.err
    assert said.err.splitlines()[-1].startswith("error: The clean pool is empty at main epoch 2")
    assert RunReader(folder / "run").status == "failed" and RunReader(folder / "run").epochs == [0, 1, 2, 3]


def test_an_impossible_place_is_one_sentence(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    (folder / "file").touch()
    said = command(*smoke("train", tiny_npz, "--out", "file/run"))
    assert said.status == 2 and said.err.startswith("error: Cannot write file/run") and said.err.count("\n") == 1


def test_an_unknown_command_is_one_sentence(command: Callable[..., Said], folder: Path) -> None:
    assert_one_sentence(command("trian"), folder, "there is no command 'trian'; expected one of train, undefended")


def test_undefended_training_cannot_be_resumed(command: Callable[..., Said], folder: Path) -> None:
    assert_one_sentence(command("undefended", "--resume", "run"), folder, "undefended training cannot be resumed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--gamma", "1"], "--gamma"),
        (["--alpha", "much"], "'much'"),
        (["--warmup", "2.5"], "'2.5'"),
        (["--completion", "all"], "'all'"),
        (["stray"], "stray"),
        (["--alpha"], "--alpha"),
    ],
)
def test_words_that_cannot_be_read_are_named(
    command: Callable[..., Said], folder: Path, words: list[str], expected: str
) -> None:
    """The parser says these in a box of its own."""
    said = command("train", "--preset", "smoke", "--out", "run", *words)
    assert said.status == 2 and said.out == "" and expected in said.err and "Traceback" not in said.err
    assert list(folder.iterdir()) == []


def test_bad_input_has_no_traceback_in_a_process_of_its_own(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bsd_engine", "train", "--alpha", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: alpha is 7.0, expected a number between 0 and 1.\n"


# --- what it writes ---


def test_train_writes_a_finished_run(
    command: Callable[..., Said], folder: Path, tiny_npz: str, summary_keys: set[str]
) -> None:
    said = command(*smoke("train", tiny_npz, "--target", "2", "--seed", "4", "--out", "my run"))
    assert said.status == 0, said.err
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
        said.out,
    )
    assert said.out.endswith("run folder: my run\n") and "Traceback" not in said.err
    reader = RunReader(folder / "my run")
    assert reader.status == "finished" and reader.config.seed == 4 and len(reader.epochs) == summary["epochs"]


def test_a_longer_warmup_moves_the_later_stages(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    assert command(*smoke("train", tiny_npz, "--warmup", "7", "--out", "run")).status == 0
    schedule = RunReader(folder / "run").config.schedule
    assert (schedule.t1, schedule.t2, schedule.t3) == (7, 10, 11)


def test_a_set_smaller_than_the_presets_limit_is_taken_whole(
    command: Callable[..., Said], folder: Path, tiny_npz: str
) -> None:
    assert command("train", "--data", tiny_npz, "--iterations", "1", "--device", "cpu", "--out", "run").status == 0
    assert RunReader(folder / "run").num_samples == 120


def test_without_out_a_run_gets_a_folder_below_runs(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    said = command(*smoke("train", tiny_npz, "--attack", "none", "--t3", "5"))
    (path,) = (folder / "runs").iterdir()
    assert (
        said.status == 0
        and said.out.endswith(f"run folder: runs/{path.name}\n")
        and "attack success rate unknown" in said.out
    )
    summary = json.loads((path / "summary.json").read_text())
    assert {summary[k] for k in ("attack_success_rate", "true_target", "poison_in_clean_pool")} == {None}


def test_undefended_writes_the_baseline_of_the_der(
    command: Callable[..., Said], folder: Path, tiny_npz: str, summary_keys: set[str]
) -> None:
    said = command(*smoke("undefended", tiny_npz, "--undefended-epochs", "2", "--out", "plain"))
    assert said.status == 0, said.err
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


# --- check ---


@pytest.fixture
def contradictory_npz(tmp_path: Path) -> str:
    """SPEC of 40 images in two classes of which the first two are the same, with different labels."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    images[1] = images[0]
    np.savez(tmp_path / "twice.npz", images=images, labels=np.arange(40) % 2)
    return f"npz:{tmp_path / 'twice.npz'}"


def test_check_describes_the_data_and_starts_nothing(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    said = command(*smoke("check", tiny_npz, "--target", "2", "--out", "run"))
    assert said.status == 0 and said.err == "" and list(folder.iterdir()) == []
    first, *lines = said.out.splitlines()
    assert (
        first == f"data: {tiny_npz}"
        and lines[0].startswith("training images: 120 in 4 classes")
        and "8x8 pixels, grey" in said.out
    )
    assert "exact duplicates: 0 groups" in said.out


def test_check_refuses_what_train_refuses(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    for name in ("alpha too large", "target of no class", "no file", "data unheard of", "nothing to resume"):
        words, expected = BAD_SETTINGS[name]
        assert_one_sentence(command(*smoke("check", tiny_npz), *words), folder, expected)


def test_contradicting_duplicates_are_told_by_check_and_warned_of_by_train(
    command: Callable[..., Said], folder: Path, contradictory_npz: str
) -> None:
    options = ["--attack", "none", "--t3", "5"]
    assert (
        "1 of them with different labels\n  image 0 (0), image 1 (1)\n"
        in command(*smoke("check", contradictory_npz, *options)).out
    )
    said = command(*smoke("train", contradictory_npz, "--out", "run", *options))
    assert said.status == 0, said.err
    first = said.err.splitlines()[0]
    assert first.startswith(
        "warning: 1 group of training images with the same pixels have different labels, such as image 0 (0)"
    )


def test_check_reads_the_settings_of_a_run(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    assert command(*smoke("train", tiny_npz, "--t3", "5", "--out", "run")).status == 0
    resumed, fresh = command("check", "--resume", "run").out, command(*smoke("check", tiny_npz)).out
    assert resumed.splitlines()[:-1] == fresh.splitlines()[:-1]


# --- help ---


def plain(text: str) -> str:
    """A help text without frames and line breaks."""
    return re.sub(r"[\s│─╭╮╰╯]+", " ", text)


@pytest.fixture(scope="module")
def help_text() -> str:
    """The help of `train`."""
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as leaving:
        main(["train", "--help"])
    assert not leaving.value.code
    return plain(out.getvalue())


def option_help(text: str, option: str) -> str:
    """The part of a help text that explains one option."""
    found = re.search(rf"(--[\w-]+, )*--{option}[ ,].*?\(default: .*?\)", text)
    assert found, f"the help lacks --{option}"
    return found.group()


def test_help_explains_every_setting_with_its_default(help_text: str) -> None:
    names = {"target_label": "target", "t1": "warmup"}
    for kind in GROUPS.values():
        for setting in fields(kind):
            option = names.get(setting.name, setting.name).replace("_", "-")
            assert len(option_help(help_text, option).split()) > 6, option


@pytest.mark.parametrize(
    ("option", "unit"),
    [
        ("altruistic-epochs", "epochs"),
        ("warmup", "epochs"),
        ("init-epochs", "Epochs"),
        ("t2", "epoch"),
        ("t3", "epochs"),
        ("iterations", "iterations in a main epoch"),
        ("limit", "number of training images"),
        ("rate", "share of the images"),
        ("alpha", "share of samples"),
        ("beta", "Share of the suspected class"),
        ("altruistic-batch", "Images in a batch"),
        ("labeled-batch", "images in an iteration"),
        ("rampup", "Epochs"),
        ("ema", "per iteration"),
        ("width", "Channels"),
        ("crop-padding", "pixels"),
        ("target", "0-based"),
    ],
)
def test_help_names_units(help_text: str, option: str, unit: str) -> None:
    assert unit in option_help(help_text, option)


def test_an_attacks_parameters_are_stored_as_numbers_and_words(
    command: Callable[..., Said], folder: Path, tiny_npz: str
) -> None:
    said = command(
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
    assert said.status == 0 and summary["config"]["attack"]["attack_parameters"] == {"opacity": 0.3, "pattern": "noise"}
    assert summary["config"]["attack"]["rate"] is None


def test_another_attack_does_not_inherit_the_presets_parameters() -> None:
    def attack(*words: str) -> AttackConfig:
        return train_options(["--preset", "demo-gtsrb", *words]).config.attack

    assert attack().attack_parameters == attack("--attack", "badnets").attack_parameters == {"pattern": "checkerboard"}
    assert attack("--attack", "blended").attack_parameters == {} and attack("--attack=blended").attack == "blended"
    assert attack("--attack", "sig", "--attack-parameters", "weight", "0.3").attack_parameters == {"weight": 0.3}


def test_all_to_all_has_no_one_target(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    said = command(
        *smoke("undefended", tiny_npz, "--undefended-epochs", "1", "--out", "run", "--attack", "badnets_all2all")
    )
    summary = json.loads((folder / "run/summary.json").read_text())
    assert said.status == 0 and summary["true_target"] is None and summary["attack_success_rate"] is not None


def test_help_shows_the_defaults_of_the_chosen_preset(command: Callable[..., Said]) -> None:
    text = plain(command("train", "--preset", "paper-cifar10", "--help").out)
    assert "(default: 1024)" in option_help(text, "iterations") and "(default: cifar10)" in option_help(text, "data")


def test_without_a_command_the_usage_is_shown(command: Callable[..., Said]) -> None:
    bare, asked = command(), command("--help")
    assert (bare.status, asked.status) == (2, 0) and bare.out == asked.out
    assert all(name in asked.out for name in ("train", "undefended", "Each COMMAND explains its options with --help"))


# --- Ctrl-C ---


def test_ctrl_c_stops_with_the_words_that_resume_and_they_do(
    command: Callable[..., Said], folder: Path, tiny_npz: str
) -> None:
    words = [
        sys.executable,
        "-m",
        "bsd_engine",
        *smoke("train", tiny_npz, "--iterations", "15", "--out", str(folder / "my run")),
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
    hint = re.search(r"\nStopped\. Go on with: python -m bsd_engine (.*)\n$", err)
    assert hint, err
    reader = RunReader(folder / "my run")
    assert reader.status == "stopped" and 3 <= len(reader.epochs) < 8
    said = command(*shlex.split(hint.group(1)))
    assert said.status == 0 and reader.status == "finished" and reader.epochs == list(range(8))


@pytest.mark.parametrize("name", ["train", "undefended"])
def test_ctrl_c_before_anything_is_written_promises_nothing(
    command: Callable[..., Said], folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "prepare", interrupted)
    monkeypatch.setattr("bsd_engine.training.undefended.prepare", interrupted)
    said = command(name, "--preset", "smoke", "--out", "run")
    assert said.status == 130 and said.err.strip() == "Stopped." and list(folder.iterdir()) == []


def test_resuming_a_finished_run_is_one_sentence(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    command(*smoke("train", tiny_npz, "--t3", "5", "--out", "run"))
    said = command("train", "--resume", "run")
    assert (
        said.status == 2
        and said.err == "error: run is finished; there is nothing to resume. Start a new run instead.\n"
    )


# --- a run's settings again ---


def test_a_runs_config_repeats_it(command: Callable[..., Said], folder: Path, tiny_npz: str) -> None:
    assert command(*smoke("train", tiny_npz, "--seed", "4", "--target", "2", "--out", "first")).status == 0
    assert command("train", "--config", "first/config.json", "--out", "second").status == 0
    first, second = RunReader(folder / "first"), RunReader(folder / "second")
    assert first.config == second.config and first.fingerprint == second.fingerprint
    assert differences([first.epoch(e) for e in first.epochs], [second.epoch(e) for e in second.epochs]) == []


def test_an_option_changes_one_setting_of_a_runs_config(
    command: Callable[..., Said], folder: Path, tiny_npz: str
) -> None:
    command(*smoke("train", tiny_npz, "--target", "2", "--out", "first"))
    assert command("train", "--config", "first", "--alpha", "0.5", "--out", "second").status == 0
    first, second = RunReader(folder / "first").config, RunReader(folder / "second").config
    assert second == first.with_settings(alpha=0.5)


def test_a_branch_starts_from_a_runs_settings_and_epochs(
    command: Callable[..., Said], folder: Path, tiny_npz: str
) -> None:
    command(*smoke("train", tiny_npz, "--target", "2", "--out", "first"))
    assert command("train", "--branch", "first", "--from-epoch", "3", "--alpha", "0.5", "--out", "second").status == 0
    first, second = RunReader(folder / "first"), RunReader(folder / "second")
    assert second.branched_from == {"run": "first", "epoch": 3} and second.config == first.config.with_settings(
        alpha=0.5
    )
    assert differences([first.epoch(e) for e in range(4)], [second.epoch(e) for e in range(4)]) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--config", "absent"], "absent is not a run folder"), (["--branch", "absent"], "absent is not a run folder")],
)
def test_settings_of_no_run_are_refused(
    command: Callable[..., Said], folder: Path, words: list[str], expected: str
) -> None:
    assert_one_sentence(command("train", *words, "--out", "run"), folder, expected)
