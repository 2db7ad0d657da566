"""The command that measures the machine: bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bsd_engine.cli.options import BenchOptions
from bsd_engine.cli.parsing import parse
from bsd_engine.config.presets import preset
from bsd_engine.errors import StorageError


def bench(arguments: list[str], prog: str) -> None:
    """Measure this machine: parts of BSD in images per second, and the engine's iteration against a plain loop's."""
    options = parse(BenchOptions, arguments, prog)
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
        _write(options.out, report.to_dict())


def _write(out: Path, content: dict[str, Any]) -> None:
    try:
        out.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise StorageError(f"Cannot write {out}: {error.strerror}. Choose another place.") from None
