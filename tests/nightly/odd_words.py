"""Odd command lines: valid ones of every command, with values and words replaced, added, doubled or left out."""

from __future__ import annotations

import os
import random
from dataclasses import fields

from bsd_engine.cli.options import BenchOptions, CleanedOptions, MapOptions, ReportOptions, RunOptions, SuspectsOptions
from bsd_engine.config.settings import GROUPS

BASES: dict[str, list[list[str]]] = {
    "train": [
        ["--preset", "smoke", "--data", "npz:set.npz", "--out", "new"],
        ["--resume", "own"],
        ["--config", "own", "--out", "new"],
        ["--config", "foreign", "--data", "npz:set.npz", "--out", "new"],
        ["--branch", "own", "--out", "new"],
    ],
    "undefended": [["--preset", "smoke", "--data", "folder:images", "--limit", "None", "--out", "new"]],
    "check": [["--preset", "smoke", "--data", "folder:images", "--limit", "None"], ["--resume", "foreign"]],
    "target": [["--preset", "smoke", "--data", "npz:set.npz", "--json"]],
    "poison": [
        ["--preset", "smoke", "--data", "npz:set.npz", "--out", "new.npz"],
        ["--preset", "smoke", "--data", "folder:images", "--limit", "None", "--target", "0", "--out", "new"],
        ["--preset", "smoke", "--attack", "custom", "--attack-parameters", "image", "picture.png", "--out", "new.npz"],
    ],
    "bench": [["--quick", "--no-presets", "--out", "new.json"]],
    "map": [["own"], ["foreign", "--follow"]],
    "suspects": [["own", "--out", "new.csv"], ["foreign", "--keep", "strict", "--out", "new.parquet"]],
    "report": [["own", "--out", "new.html"], ["foreign", "--no-truth", "--out", "new.html"]],
    "cleaned": [["own", "--out", "new"], ["foreign", "--weights", "new.safetensors"]],
    "replay": [["own", "--out", "new.html"], ["recording-healthy", "--epoch", "3", "--out", "new.html"]],
    "figure": [
        ["accuracy", "--run", "own", "--out", "new.json"],
        ["feature_map", "--run", "foreign", "--epoch", "3", "--out", "new.html"],
        ["attack_spectrum", "--out", "new.json", "--", "--preset", "smoke", "--data", "npz:set.npz"],
    ],
}
"""Valid arguments of each command, in the folder that `command_lines` lays out."""

_KINDS = (RunOptions, SuspectsOptions, ReportOptions, CleanedOptions, BenchOptions, MapOptions)
OPTIONS = sorted(
    {f"--{f.name.replace('_', '-')}" for kind in (*_KINDS, *GROUPS.values()) for f in fields(kind)}
    | {
        "--seed",
        "--device",
        "--precision",
        "--target",
        "--warmup",
        "--config",
        "--run",
        "--sample",
        "--theme",
        "--title",
    }
)

VALUES = [
    *(
        "",
        " ",
        "-",
        "--",
        "-1",
        "0",
        "1",
        "3",
        "7.5",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e-400",
        "0x10",
        "1_000",
        "²",
        "٣",
    ),
    *(
        "9" * 400,
        "9" * 5000,
        "-" + "9" * 5000,
        "1." + "0" * 5000,
        "None",
        "none",
        "True",
        "auto",
        "cpu",
        "cuda:99999999999",
    ),
    *("a" * 300, "a/" * 3000, "/" * 5000, "x" * 200_000, "../" * 900, "~", "~nobody", "~nobody/x", "~/x", "~\0"),
    *(
        "folder:",
        "folder:/",
        "folder:.",
        "folder:..",
        "folder:~nobody",
        "folder:" + "a" * 300,
        "folder:loop",
        "folder:pipe",
    ),
    *(
        "npz:",
        "npz:.",
        "npz:/dev/zero",
        "npz:/dev/full",
        "npz:pipe",
        "npz:/proc/self/mem",
        "npz:thesis.txt",
        "npz:a\0b",
    ),
    *("/dev/null", "/dev/full", "/dev/zero", "/dev/stdin", "/dev/fd/1", "/proc/self/mem", "/proc/self/environ"),
    *("/proc/1/cwd/x", "/proc/self/fd/99", "/proc/self/cwd/new", "/sys/x", "/etc/passwd", "/", ".", "..", "./", "new/"),
    *("link", "dangling", "loop", "pipe", "images", "images/train", "set.npz", "picture.png", "thesis.txt", "ours.csv"),
    *("own", "foreign", "own/config.json", "own/new.html", "own/epochs", "foreign/images.npy", "own/verdicts.sqlite"),
    *("recording-", "recording-healthy", "recording-../x", "bundled", "badnets", "refool", "custom", "torchvision:"),
    *(
        "%s%n",
        "$(id)",
        "`id`",
        ";",
        "|",
        "&",
        "\n",
        "\r\n",
        "\t",
        "a\nb.csv",
        "=1+1",
        "＝1+1",
        "@x",
        "'",
        '"',
        "\\",
        "*",
    ),
    *("🐜", "日本", "عربي", "é", "e\u0301", "\u202e", "\ufeff", "\x1b[31m", "\x7f", "\udcff\udcfe", "{}", "[]", "null"),
    *("--help", "-h", "--version", "--", "--no-", "--overwrite", "--config", "=", "--x=y", "--out=", "--out=link"),
]


def odd_line(seed: str) -> tuple[str, list[str]]:
    """Return a command and its arguments."""
    draw = random.Random(seed)
    command = draw.choice(sorted(BASES))
    words = list(draw.choice(BASES[command]))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        kind, at = draw.randrange(8), draw.randrange(len(words) + 1)
        if kind < 4 and words:
            words[min(at, len(words) - 1)] = odd_value(draw)
        elif kind < 6:
            words += [draw.choice(OPTIONS), odd_value(draw)]
        elif kind == 6:
            words[at:at] = draw.choice(([odd_value(draw)], words[at : at + 1]))
        else:
            del words[at : at + 1]
    if draw.random() < 0.02:
        command = odd_value(draw)
    return command, words


def odd_value(draw: random.Random) -> str:
    """Return one of the listed values, random bytes or random characters."""
    kind = draw.random()
    if kind < 0.85:
        return draw.choice(VALUES)
    if kind < 0.93:
        return os.fsdecode(draw.randbytes(draw.choice((1, 3, 40, 300))))
    return "".join(chr(draw.randrange(1, 0x3000)) for _ in range(draw.choice((1, 5, 80))))
