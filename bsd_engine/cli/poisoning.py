"""The command that saves a poisoned set: poison."""

from __future__ import annotations

from bsd_engine.cli.options import PoisonOptions
from bsd_engine.cli.parsing import PROGRAM, parse_with_config
from bsd_engine.cli.progress import image_bar
from bsd_engine.errors import ConfigError


def poison_options(arguments: list[str], prog: str = f"{PROGRAM} poison") -> PoisonOptions:
    """Return the options of `poison`."""
    return parse_with_config(PoisonOptions, arguments, prog, poison.__doc__, poisons_own_data=True)


def poison(arguments: list[str], prog: str) -> None:
    """Save the poisoned set that training with the same options would use."""
    options = poison_options(arguments, prog)
    if options.out is None:
        raise ConfigError("poison needs --out: a new folder, or a file that ends in .npz.")
    if options.config.attack.attack == "none":
        raise ConfigError("attack is none, so nothing would be poisoned; choose an attack.")
    from bsd_engine.prepare import export
    from bsd_engine.prepare.prepare import prepare

    form = export.format_of(options.out, options.format)
    prepared = prepare(options.config)
    written = export.save(prepared, options.out, form, image_bar)
    assert prepared.is_poison is not None, "`save` refuses a set without poison"
    noise = "" if prepared.is_noise is None else f" and {int(prepared.is_noise.sum()):,} noise images"
    print(f"{int(prepared.is_poison.sum()):,} poisoned{noise} of {len(prepared.labels):,} training images")
    print(f"written: {', '.join(str(path) for path in written)}")
    print(f"train on it with: {export.load_words(prepared, options.out, form)}")
