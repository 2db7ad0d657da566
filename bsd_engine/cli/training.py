"""The commands that train, and the command that describes their data beforehand: check, train, undefended, target."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bsd_engine.cli.exit_status import INTERRUPTED
from bsd_engine.cli.noting import noted
from bsd_engine.cli.options import RunOptions, TargetOptions
from bsd_engine.cli.parsing import PROGRAM, parse_with_config, trusted_config
from bsd_engine.cli.progress import EpochBar, epoch_bar
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError
from bsd_engine.events import Event, RunStarted

if TYPE_CHECKING:
    from bsd_engine.prepare.prepare import PreparedData


def train_options(arguments: list[str], prog: str = f"{PROGRAM} train") -> RunOptions:
    """Return the options of `train`."""
    return parse_with_config(RunOptions, arguments, prog, train.__doc__)


def check(arguments: list[str], prog: str) -> None:
    """Describe the data and the time that training with the same options would use; nothing is trained."""
    options = parse_with_config(RunOptions, arguments, prog, check.__doc__)
    from bsd_engine.prepare.prepare import prepare
    from bsd_engine.prepare.report import report
    from bsd_engine.runs.reader import RunReader
    from bsd_engine.training.estimate import estimate

    config = trusted_config(RunReader(options.resume), ()) if options.resume else options.config
    prepared = prepare(config)
    print("\n".join([f"data: {config.data.data}", *report(prepared).lines()]), flush=True)
    print(estimate(config, prepared).line())


def train(arguments: list[str], prog: str) -> None:
    """Train a clean model with BSD from data that may be poisoned, and record the run."""
    options = train_options(arguments, prog)
    folder = options.resume or _out_folder(options)
    progress = EpochBar()
    try:
        summary = _trained(options, folder, progress)
    except KeyboardInterrupt:
        progress.close()
        if not (folder / "config.json").exists():
            raise
        print(f"\nStopped. Resume with: {prog} --resume {shlex.quote(str(folder))}", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    finally:
        progress.close()
    _print_summary(summary, folder)


def _trained(options: RunOptions, folder: Path, progress: EpochBar) -> dict[str, Any]:
    """Return the summary of the run that the options select: resumed, branched or new."""
    from bsd_engine.runs.record import branch_run, record_run, resume_run

    def on_event(event: Event) -> None:
        if isinstance(event, RunStarted):
            noted("resume" if options.resume else "branch" if options.branch else "start", folder)
        progress(event)

    if options.resume:
        return resume_run(folder, on_event=on_event)
    if options.branch:
        return branch_run(options.branch, options.from_epoch, options.config, folder, on_event=on_event)
    return record_run(options.config, folder, prepared=_prepare_and_warn(options.config), on_event=on_event)


def undefended(arguments: list[str], prog: str) -> None:
    """Train without a defence on the same poisoned set: the baseline of the defense effectiveness rating."""
    options = parse_with_config(RunOptions, arguments, prog, undefended.__doc__)
    if options.resume:
        raise ConfigError("undefended training cannot be resumed; it is short. Start it again without --resume.")
    from bsd_engine.training.undefended import train_undefended

    folder = _out_folder(options)
    _print_summary(train_undefended(options.config, folder, progress=epoch_bar), folder)


def target(arguments: list[str], prog: str) -> None:
    """Train the altruistic model only and print the target class that each estimator finds, and how certain it is."""
    options = parse_with_config(TargetOptions, arguments, prog, target.__doc__)
    from bsd_engine.training.target_command import find_target

    progress = EpochBar(options.config.schedule.altruistic_epochs)
    try:
        findings = find_target(options.config, _prepare_and_warn(options.config), progress)
    finally:
        progress.close()
    print(json.dumps(findings.to_dict(), indent=1) if options.json else findings.table())


def _out_folder(options: RunOptions) -> Path:
    from bsd_engine.runs.layout import new_run_id

    return options.out or Path("runs") / new_run_id()


def _prepare_and_warn(config: BSDConfig) -> PreparedData:
    """Return data ready for training; prints a warning about duplicates with different labels."""
    from bsd_engine.prepare.prepare import prepare
    from bsd_engine.prepare.report import report

    prepared = prepare(config)
    if warning := report(prepared).warning:
        print(f"warning: {warning}", file=sys.stderr)
    return prepared


def _print_summary(summary: Mapping[str, Any], folder: Path) -> None:
    def percent(name: str) -> str:
        return "unknown" if summary.get(name) is None else f"{summary[name]:.1f} %"

    print(
        f"{summary['status']} after {summary['epochs']} epochs, {summary['seconds']:.0f} s on {summary['device']}: "
        f"clean accuracy {percent('clean_accuracy')}, attack success rate {percent('attack_success_rate')}"
    )
    if summary.get("verdict"):
        print(summary["verdict"])
    print(f"run folder: {folder}")
