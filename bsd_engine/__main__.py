"""Command line: python -m bsd_engine COMMAND. Exit status 2 and one sentence for bad input; Ctrl-C stops cleanly."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tyro
from tqdm import tqdm

from bsd_engine.cli.options import (
    BenchOptions,
    CleanedOptions,
    MapOptions,
    PoisonOptions,
    ReportOptions,
    RunOptions,
    SuspectsOptions,
    TargetOptions,
)
from bsd_engine.compute.progress import shown_by
from bsd_engine.config.presets import PRESETS, preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, ConfigError, StorageError

if TYPE_CHECKING:
    from bsd_engine.prepare.prepare import PreparedData

Options = TypeVar("Options")
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


def _given(arguments: list[str], *names: str) -> str | None:
    """Value of the last of these options, for those that must be known before the others' defaults are."""
    value = None
    for word, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, inline = word.partition("=")
        if name in names:
            value = inline if equals else following
    return value


def _base(arguments: list[str]) -> BSDConfig:
    """What the settings start from: a run's, or a preset."""
    source = _given(arguments, "--branch") or _given(arguments, "--config")
    if source is None:
        return preset(_given(arguments, "--preset") or "demo")
    from bsd_engine.runs.reader import RunReader

    path = Path(source)
    return RunReader(path.parent if path.name == "config.json" else path).config


def _defaults(arguments: list[str]) -> BSDConfig:
    """Where the settings start: another attack does not take over a preset's parameters, and another warm-up moves T2 and
    T3 along, so that the later stages keep their length."""
    config = _base(arguments)
    if "--attack-parameters" in arguments or _given(arguments, "--attack") not in (None, config.attack.attack):
        config = config.with_settings(attack_parameters={})
    warmup = _given(arguments, "--warmup", "--t1")
    if warmup is None or not warmup.isdecimal():
        return config
    return dataclasses.replace(config, schedule=config.schedule.with_warmup(int(warmup)))


def _run_options(command: str, arguments: list[str]) -> RunOptions:
    return _options(RunOptions, command, arguments)


def _options(kind: type[Options], command: str, arguments: list[str]) -> Options:
    """Options of a command that starts from a configuration."""
    description = f"{_COMMANDS[command].__doc__} Presets: {', '.join(PRESETS)}."
    return _parsed(kind, command, arguments, default=kind(config=_defaults(arguments)), description=description)


def _parsed(kind: type[Options], command: str, arguments: list[str], **more: Any) -> Options:
    return tyro.cli(
        kind, args=arguments, prog=f"python -m bsd_engine {command}", config=(tyro.conf.OmitArgPrefixes,), **more
    )


def _out_folder(options: RunOptions) -> Path:
    from bsd_engine.runs.layout import new_run_id

    return options.out or Path("runs") / new_run_id()


def _image_bar(numbers: Iterable[int]) -> Iterable[int]:
    """A bar over the numbers of images."""
    return tqdm(numbers, unit="image", leave=False, mininterval=0.5)


class _Progress:
    """A bar an epoch's iterations move, with the newest numbers behind it."""

    def __init__(self, total: int | None = None) -> None:
        self.bar: tqdm | None = None
        self.total = total

    def __call__(self, event: object) -> None:
        from bsd_engine.events import EpochFinished, IterationDone, RunFinished, RunStarted

        if isinstance(event, RunStarted):
            self.bar = tqdm(
                total=self.total or event.total_epochs,
                initial=event.first_epoch,
                unit="epoch",
                dynamic_ncols=True,
                mininterval=0.5,
                bar_format="{l_bar}{bar}| {n:.1f}/{total} epochs [{elapsed}<{remaining}]{postfix}",
            )
        elif isinstance(event, IterationDone):
            self.bar.n = event.epoch + event.iteration / event.iterations
            self.bar.set_description(event.stage.replace("_", " "), refresh=False)
            self.bar.update(0)
        elif isinstance(event, EpochFinished):
            self.bar.n = event.state.epoch + 1
            self.bar.set_postfix(_headline(event.state.metrics), refresh=True)
        elif isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Leave the bar as it is, so that what is said next stands below it."""
        if self.bar:
            self.bar.close()


def _headline(numbers: dict) -> dict[str, str]:
    shown = {"CA": "clean_accuracy", "ASR": "attack_success_rate"}
    result = {short: f"{numbers[name]:.1f}%" for short, name in shown.items() if numbers.get(name) is not None}
    if numbers.get("poison_in_clean_pool") is not None:
        result["poison in pool"] = str(numbers["poison_in_clean_pool"])
    return result


def _print_summary(summary: dict, folder: Path) -> None:
    def percent(name: str) -> str:
        return "unknown" if summary.get(name) is None else f"{summary[name]:.1f} %"

    print(
        f"{summary['status']} after {summary['epochs']} epochs, {summary['seconds']:.0f} s on {summary['device']}: "
        f"clean accuracy {percent('clean_accuracy')}, attack success rate {percent('attack_success_rate')}"
    )
    print(f"run folder: {folder}")


def _prepare_and_warn(config: BSDConfig) -> PreparedData:
    """Data ready for training, with a word on duplicates that contradict each other."""
    from bsd_engine.prepare.prepare import prepare
    from bsd_engine.prepare.report import report as report_on

    prepared = prepare(config)
    if warning := report_on(prepared).warning:
        print(f"warning: {warning}", file=sys.stderr)
    return prepared


def check(arguments: list[str]) -> None:
    """Say what training with the same options would work on, and start nothing."""
    options = _run_options("check", arguments)
    from bsd_engine.prepare.prepare import prepare
    from bsd_engine.prepare.report import report as report_on
    from bsd_engine.runs.reader import RunReader
    from bsd_engine.training.estimate import estimate

    config = RunReader(options.resume).config if options.resume else options.config
    prepared = prepare(config)
    print("\n".join([f"data: {config.data.data}", *report_on(prepared).lines()]), flush=True)
    print(estimate(config, prepared).line())


def train(arguments: list[str]) -> None:
    """Train a clean model with BSD from data that may be poisoned, and record the run."""
    options = _run_options("train", arguments)
    from bsd_engine.runs.record import branch_run, record_run, resume_run

    folder = options.resume or _out_folder(options)
    progress = _Progress()
    try:
        if options.resume:
            summary = resume_run(folder, on_event=progress)
        elif options.branch:
            summary = branch_run(options.branch, options.from_epoch, options.config, folder, on_event=progress)
        else:
            summary = record_run(options.config, folder, prepared=_prepare_and_warn(options.config), on_event=progress)
    except KeyboardInterrupt:
        progress.close()
        if not (folder / "config.json").exists():
            raise
        print(f"\nStopped. Go on with: python -m bsd_engine train --resume {shlex.quote(str(folder))}", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    finally:
        progress.close()
    _print_summary(summary, folder)


def undefended(arguments: list[str]) -> None:
    """Train plainly on the same poisoned set: the baseline that the defense effectiveness rating needs."""
    options = _run_options("undefended", arguments)
    if options.resume:
        raise ConfigError("undefended training cannot be resumed; it is short. Start it again without --resume.")
    from bsd_engine.training.undefended import train_undefended

    folder = _out_folder(options)
    _print_summary(train_undefended(options.config, folder, progress=lambda epochs: tqdm(epochs, unit="epoch")), folder)


def poison_options(arguments: list[str]) -> PoisonOptions:
    """Options of the command poison."""
    return _options(PoisonOptions, "poison", arguments)


def poison(arguments: list[str]) -> None:
    """Save the poisoned set that training with the same options would work on."""
    options = poison_options(arguments)
    if options.out is None:
        raise ConfigError("poison needs --out: a new folder, or a file that ends in .npz.")
    if options.config.attack.attack == "none":
        raise ConfigError("attack is none, so nothing would be poisoned; choose an attack.")
    from bsd_engine.prepare import export
    from bsd_engine.prepare.prepare import prepare

    form = export.format_of(options.out, options.format)
    prepared = prepare(options.config)
    written = export.save(prepared, options.out, form, _image_bar)
    noise = "" if prepared.is_noise is None else f" and {int(prepared.is_noise.sum()):,} noise images"
    print(f"{int(prepared.is_poison.sum()):,} poisoned{noise} of {len(prepared.labels):,} training images")
    print(f"written: {', '.join(str(path) for path in written)}")
    print(f"train on it with: {export.load_words(prepared, options.out, form)}")


def find(arguments: list[str]) -> None:
    """Train the altruistic model only and print which class each estimator takes for the target, and how surely."""
    options = _options(TargetOptions, "target", arguments)
    from bsd_engine.training.target_command import find_target

    progress = _Progress(options.config.schedule.altruistic_epochs)
    try:
        found = find_target(options.config, _prepare_and_warn(options.config), progress)
    finally:
        progress.close()
    print(json.dumps(found.to_dict(), indent=1) if options.json else found.table())


def map_run(arguments: list[str]) -> None:
    """Make the 2-D UMAP maps of a run folder."""
    options = _parsed(MapOptions, "map", arguments)
    from bsd_engine.runs.map_process import make_maps

    make_maps(options.folder, follow=options.follow)


def suspects(arguments: list[str]) -> None:
    """Rank the samples of a run by how suspect its record makes them, with reasons, and list those to keep."""
    options = _parsed(SuspectsOptions, "suspects", arguments)
    from bsd_engine.audit.export.commands import write_suspects

    written, kept = write_suspects(options.folder, options.out, options.keep)
    print(f"written: {', '.join(map(str, written))}")
    print(
        f"{kept:,} samples to keep"
        if len(written) > 1
        else "no list of samples to keep: the run has not reached T1 yet"
    )


def report(arguments: list[str]) -> None:
    """Write one self-contained HTML page on a run."""
    options = _parsed(ReportOptions, "report", arguments)
    from bsd_engine.audit.export.commands import write_report

    path = write_report(options.folder, options.out, with_truth=options.truth)
    print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def cleaned(arguments: list[str]) -> None:
    """Save the samples that a run keeps as a folder of images, and the clean model's weights."""
    options = _parsed(CleanedOptions, "cleaned", arguments)
    if options.out is None and options.weights is None:
        raise ConfigError("cleaned needs --out, a new folder, or --weights, a file, or both.")
    from bsd_engine.audit.export.commands import write_cleaned, write_weights

    if options.out is not None:
        kept = write_cleaned(options.folder, options.out, options.keep, _image_bar)
        print(f"written: {options.out} ({kept:,} images)")
    if options.weights is not None:
        print(f"written: {write_weights(options.folder, options.weights)}")


def bench(arguments: list[str]) -> None:
    """Measure this machine: parts of BSD in images a second, and the engine's iteration against a plain loop's."""
    options = _parsed(BenchOptions, "bench", arguments)
    changes = {name: getattr(options, name) for name in ("model", "width") if getattr(options, name) is not None}
    config = preset(options.preset).with_settings(device=options.device, **changes)
    if options.out and not options.out.parent.is_dir():
        raise StorageError(
            f"Cannot write {options.out}: there is no folder {options.out.parent}. Make it, or choose another place."
        )
    from bsd_engine.bench.parts import PRESET_SIZES
    from bsd_engine.bench.suite import measure

    report = measure(
        config,
        rounds=1 if options.quick else options.rounds,
        samples=options.samples,
        workers=options.workers,
        landmarks=options.landmarks,
        presets=tuple(PRESET_SIZES) if options.presets else (),
    )
    print(report.table())
    if options.out:
        try:
            options.out.write_text(json.dumps(report.to_dict(), indent=1) + "\n")
        except OSError as error:
            raise StorageError(f"Cannot write {options.out}: {error.strerror}. Choose another place.") from None


_COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "train": train,
    "undefended": undefended,
    "check": check,
    "target": find,
    "poison": poison,
    "bench": bench,
    "map": map_run,
    "suspects": suspects,
    "report": report,
    "cleaned": cleaned,
}


def _usage() -> str:
    lines = [f"  {name:<12}{command.__doc__.splitlines()[0]}" for name, command in _COMMANDS.items()]
    return (
        "usage: python -m bsd_engine COMMAND [options]\n\n"
        + "\n".join(lines)
        + "\n\nEach COMMAND explains its options with --help."
    )


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    command, *rest = arguments
    try:
        if command not in _COMMANDS:
            raise ConfigError(f"there is no command {command!r}; expected one of {', '.join(_COMMANDS)}.")
        with shown_by(lambda steps, what: tqdm(steps, desc=what, leave=False, disable=None)):
            _COMMANDS[command](rest)
    except BSDError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
