"""The commands that work on a run folder: adopt, map, suspects, report, cleaned."""

from __future__ import annotations

import sys

from bsd_engine.cli.noting import noted
from bsd_engine.cli.options import AdoptOptions, CleanedOptions, MapOptions, ReportOptions, SuspectsOptions
from bsd_engine.cli.parsing import parse
from bsd_engine.cli.progress import image_bar
from bsd_engine.errors import ConfigError


def map_run(arguments: list[str], prog: str) -> None:
    """Make the 2-D UMAP maps of a run folder."""
    options = parse(MapOptions, arguments, prog)
    from bsd_engine.runs.map_process import make_maps

    make_maps(options.folder, follow=options.follow)


def adopt(arguments: list[str], prog: str) -> None:
    """Make a copy of your own from somebody else's run folder, from an old one or from a recording."""
    options = parse(AdoptOptions, arguments, prog)
    from bsd_engine.audit.adopting import adopt as adopted
    from bsd_engine.runs.reader import RunReader

    for sentence in adopted(options.folder, options.out):
        print(f"left out: {sentence}", file=sys.stderr)
    noted("adopt", options.out, source=str(options.folder))
    print(f"written: {options.out} ({len(RunReader(options.out).epochs)} epochs)")


def suspects(arguments: list[str], prog: str) -> None:
    """Rank the samples of a run by how suspect they are, with reasons, and list the samples to keep."""
    options = parse(SuspectsOptions, arguments, prog)
    from bsd_engine.audit.export.commands import write_suspects

    written, kept = write_suspects(options.folder, options.out, options.keep, overwrite=options.overwrite)
    noted("export", options.folder, file=str(options.out))
    has_list_of_kept = len(written) > 1
    print(f"written: {', '.join(map(str, written))}")
    print(
        f"{kept:,} samples to keep"
        if has_list_of_kept
        else "no list of samples to keep: the run has not reached T1 yet"
    )


def report(arguments: list[str], prog: str) -> None:
    """Write a self-contained HTML report on a run."""
    options = parse(ReportOptions, arguments, prog)
    from bsd_engine.audit.export.commands import write_report

    path = write_report(options.folder, options.out, with_truth=options.truth, overwrite=options.overwrite)
    noted("export", options.folder, file=str(path))
    print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def cleaned(arguments: list[str], prog: str) -> None:
    """Save the samples that a run keeps as a folder of images, and the weights of the clean model."""
    options = parse(CleanedOptions, arguments, prog)
    if options.out is None and options.weights is None:
        raise ConfigError("cleaned needs --out, a new folder, or --weights, a file, or both.")
    from bsd_engine.audit.export.cleaned import originals_left_out
    from bsd_engine.audit.export.commands import write_cleaned, write_weights
    from bsd_engine.runs.reader import RunReader

    if options.out is not None:
        chosen = write_cleaned(options.folder, options.out, options.keep, image_bar)
        noted("export", options.folder, file=str(options.out))
        run = RunReader(options.folder)
        print(f"written: {options.out} ({int(chosen.keep.sum()):,} images)")
        print(chosen.sentence(run.class_names))
        print(f"to train on it: python -m bsd_engine undefended --preset audit --data folder:{options.out}")
        if note := originals_left_out(run):
            print(note)
    if options.weights is not None:
        path = write_weights(options.folder, options.weights, overwrite=options.overwrite)
        noted("export", options.folder, file=str(path))
        print(f"written: {path}")
