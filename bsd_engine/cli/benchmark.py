"""The command that measures the machine: bench."""

from __future__ import annotations

import json

from bsd_engine.cli.options import BenchOptions
from bsd_engine.cli.parsing import parse
from bsd_engine.config.presets import preset
from bsd_engine.files.outputs import Kind, check_output, write_output

BENCH = Kind(name="a measurement", marks=(b'"peak_flop_per_second"', b'"outside_networks"'))


def bench(arguments: list[str], prog: str) -> None:
    """Measure this machine: parts of BSD in images per second, and the engine's iteration against a plain loop's."""
    options = parse(BenchOptions, arguments, prog)
    changes = {name: getattr(options, name) for name in ("model", "width") if getattr(options, name) is not None}
    config = preset(options.preset).with_settings(device=options.device, **changes)
    if options.out:
        check_output(options.out, BENCH, overwrite=options.overwrite)
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
        content = json.dumps(report.to_dict(), indent=1) + "\n"
        write_output(options.out, content.encode(), BENCH, overwrite=options.overwrite)
