"""The commands of the audit write what they promise, and refuse with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsd_engine.cli.main import main


def test_the_commands_write_what_they_say(
    recorded_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspects", str(recorded_run), "--out", str(tmp_path / "suspects.csv")]) == 0
    assert main(["report", str(recorded_run), "--out", str(tmp_path / "report.html"), "--no-truth"]) == 0
    assert (
        main(
            [
                "cleaned",
                str(recorded_run),
                "--out",
                str(tmp_path / "clean"),
                "--keep",
                "strict",
                "--weights",
                str(tmp_path / "w.safetensors"),
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "samples to keep" in said and "report.html (0." in said and "images)" in said
    assert {p.name for p in tmp_path.iterdir()} == {
        "suspects.csv",
        "suspects.clean_index.txt",
        "report.html",
        "clean",
        "w.safetensors",
    }


def test_a_preset_with_parameters_of_its_attack_takes_data_of_ones_own(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "check",
                "--preset",
                "demo-gtsrb",
                "--data",
                f"folder:{own_folder}",
                "--attack",
                "none",
                "--model",
                "small_resnet",
            ]
        )
        == 0
    )
    assert "72 in 3 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["suspects", "absent"], "is not a run folder"),
        (["report", "absent"], "is not a run folder"),
        (["cleaned", "RUN"], "cleaned needs --out"),
        (["suspects", "RUN", "--out", "."], "is a folder; give the name of a file"),
        (["cleaned", "RUN", "--out", "RUN"], "nothing is written over"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    recorded_run: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recorded_run) if word == "RUN" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and expected in said and said.count("\n") == 1
