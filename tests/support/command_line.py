"""Shared parts of the tests of the command line: settings that it refuses, and the result of a command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
    "target is not a class": (["--target", "99"], "target is 99, but the data have classes 0 to 3"),
    "target negative": (["--target", "-1"], "target_label is -1, expected a whole number between 0 and"),
    "assumed target is not a class": (
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
    "limit too small": (["--limit", "5"], "limit is 5, expected a whole number between 20 and"),
    "seed negative": (["--seed", "-1"], "seed is -1, expected a whole number from 0"),
    "attack unheard of": (["--attack", "nonsense"], "attack is 'nonsense', expected one of badnets"),
    "parameter unheard of": (
        ["--attack-parameters", "opacity", "0.2"],
        "badnets has no parameter 'opacity'; it has pattern, size, row, col",
    ),
    "parameter is not a number": (
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
    "more poison than samples": (
        ["--rate", "0.8", "--poison-count-mode", "exact_all_from_nontarget"],
        "asks for 96 poisoned samples of 90",
    ),
    "device unheard of": (["--device", "tpu"], "device is 'tpu', expected auto, cpu, cuda or cuda:N"),
    "missing device": (["--device", "cuda:77"], "CUDA devices are visible. Use --device cpu or auto"),
    "data unheard of": (
        ["--data", "imagenet"],
        "data is 'imagenet', expected bundled, cifar10, gtsrb, folder:PATH or npz:PATH",
    ),
    "a path without its kind": (["--data", "my/images"], "For a path of your own write folder:my/images."),
    "an archive without its kind": (["--data", "set.npz"], "For a path of your own write npz:set.npz."),
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
        "preset is 'fast', expected one of demo, demo-gtsrb, audit, audit-quick, paper-cifar10, paper-gtsrb, paper-im",
    ),
    "nothing to resume": (["--resume", "absent"], "absent is not a run folder"),
}


@dataclass
class CommandResult:
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


def smoke(command_name: str, data: str, *more: str) -> list[str]:
    """A command on data of one's own, poisoned with the preset's attack unless another one is named."""
    attack = () if "--attack" in more else ("--attack", "badnets")
    return [command_name, "--preset", "smoke", "--data", data, "--limit", "120", "--device", "cpu", *attack, *more]


def assert_one_sentence(result: CommandResult, folder: Path, expected: str) -> None:
    assert result.status == 2 and result.out == ""
    assert (
        result.err.startswith("error: ")
        and result.err.count("\n") == 1
        and result.err.rstrip().endswith((".", "help."))
    )
    assert expected in result.err
    assert list(folder.iterdir()) == []


def plain(text: str) -> str:
    """Return a help text without frames and line breaks."""
    return re.sub(r"[\s│─╭╮╰╯]+", " ", text)
