"""The token in the dashboard's address: who has it may use the dashboard, and the browser keeps it as a cookie.

BSD_TOKEN chooses it. If it is unset or empty, a new token is made at each start; "off" asks for none.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable

from bsd_engine.errors import ConfigError

VARIABLE = "BSD_TOKEN"
PARAMETER = "token"
"""Its name in the address."""
_ALLOWED = re.compile(r"[A-Za-z0-9_.~-]{4,200}")


class Token:
    """A secret, in the forms in which a browser may show it: in the address, as a cookie, or as a word for one use."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._once: str | None = None

    def once(self) -> str:
        """A new word that opens the page a single time.

        The browser that this server opens gets it: other users of the machine can read the arguments of a process.
        """
        self._once = secrets.token_urlsafe(24)
        return self._once

    def opens(self, given: str) -> bool:
        """Whether a word from an address is the token or the unused word for one use, which is used up by this."""
        if self._once is not None and _same(given, self._once):
            self._once = None
            return True
        return _same(given, self.text)

    @property
    def cookie(self) -> str:
        """What the browser keeps. It is not the token itself: a browser sends it to every port of this machine."""
        return hmac.new(self.text.encode(), b"bsd-dashboard cookie", hashlib.sha256).hexdigest()

    def knows(self, cookies: Iterable[str]) -> bool:
        """Whether one of the cookies is this token's."""
        return any(_same(cookie, self.cookie) for cookie in cookies)


def token_of_environment() -> Token | None:
    """The token that BSD_TOKEN asks for; None if it asks for none.

    Raises
    ------
    ConfigError
        If it holds characters that an address would change, or is too short.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen.lower() == "off":
        return None
    if chosen and not _ALLOWED.fullmatch(chosen):
        raise ConfigError(
            f"{VARIABLE} has {len(chosen)} characters, expected 4 to 200 letters, digits or any of - _ . ~; choose "
            f"another word, or leave it unset and take the one that the terminal shows."
        )
    return Token(chosen or secrets.token_urlsafe(24))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
