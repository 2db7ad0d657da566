"""Sessions of closed pages: kept for a moment, since a page that lost its connection comes back to its session.

Streamlit would keep 128 of them for two minutes or longer, each with three descriptors and all that its page held.
"""

from __future__ import annotations

import asyncio
import gc

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.session_manager import SessionInfo, SessionStorage

KEPT_SECONDS = 20.0
"""A page that lost its connection asks again within seconds."""
MOST_KEPT = 24
"""As many as a class has pages; 72 descriptors of the 256 that macOS gives a program."""


class RecentSessions(SessionStorage):
    """Holds the sessions of closed pages for `seconds`, at most `most` of them, then shuts them down."""

    def __init__(self, seconds: float = KEPT_SECONDS, most: int = MOST_KEPT) -> None:
        self._seconds, self._most = seconds, most
        self._kept: dict[str, tuple[SessionInfo, asyncio.TimerHandle]] = {}

    def get(self, session_id: str) -> SessionInfo | None:
        """The session of that id, if it is still kept."""
        found = self._kept.get(session_id)
        return None if found is None else found[0]

    def save(self, session_info: SessionInfo) -> None:
        """Keep a session. The oldest ends if there are too many."""
        self.delete(session_info.session.id)
        timer = asyncio.get_running_loop().call_later(self._seconds, self._end, session_info.session.id)
        self._kept[session_info.session.id] = session_info, timer
        if len(self._kept) > self._most:
            # The session manager holds a lock here, so the session ends after that.
            asyncio.get_running_loop().call_soon(self._end, next(iter(self._kept)))

    def delete(self, session_id: str) -> None:
        """Forget a session, which goes on elsewhere."""
        if (found := self._kept.pop(session_id, None)) is not None:
            found[1].cancel()

    def list(self) -> list[SessionInfo]:
        """All sessions that are kept."""
        return [info for info, _ in self._kept.values()]

    def _end(self, session_id: str) -> None:
        info = self.get(session_id)
        self.delete(session_id)
        if info is not None and isinstance(info.session, AppSession):
            info.session.shutdown()
        if not self._kept:
            gc.collect()  # sessions are circles of references, and Streamlit's own collection is switched off
