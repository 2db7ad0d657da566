"""Progress of slow preparations, for a caller that wants to show it; by default it is not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Bar = Callable[[range, str], Iterable[int]]
_bar: ContextVar[Bar] = ContextVar("bar", default=lambda steps, what: steps)


def steps(count: int, what: str) -> Iterable[int]:
    """The numbers 0 ... count - 1, wrapped by the current bar, which also gets the name of the work."""
    return _bar.get()(range(count), what)


@contextmanager
def shown_by(bar: Bar) -> Iterator[None]:
    """Let `bar` wrap the steps of all preparations inside the block, in this thread."""
    token = _bar.set(bar)
    try:
        yield
    finally:
        _bar.reset(token)
