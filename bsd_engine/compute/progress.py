"""How far a slow preparation has come, for whoever wants to show it; by default nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Bar = Callable[[range, str], Iterable[int]]
_bar: ContextVar[Bar] = ContextVar("bar", default=lambda steps, what: steps)


def steps(count: int, what: str) -> Iterable[int]:
    """0 ... count - 1, shown under the name of the work by the bar in force."""
    return _bar.get()(range(count), what)


@contextmanager
def shown_by(bar: Bar) -> Iterator[None]:
    """Let `bar` wrap the steps of what is prepared inside the block, in this thread."""
    token = _bar.set(bar)
    try:
        yield
    finally:
        _bar.reset(token)
