"""How the dashboard is served: the middleware before Streamlit, the address in the terminal, and a regular end."""

from __future__ import annotations

import ipaddress
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware import Middleware
from streamlit import cli_util, config, runtime
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.url_util import make_url_path
from streamlit.web.server.server_util import get_url

from app.server.web.gate import Gate
from app.server.web.headers import Headers
from app.server.web.sessions import RecentSessions
from app.server.web.token import PARAMETER, VARIABLE, Token, token_of_environment
from bsd_engine.errors import BSDError, ConfigError


def app_settings() -> dict[str, Any]:
    """The arguments of `st.App` that make it the dashboard's server; ends the process if BSD_TOKEN cannot be used."""
    # Its lines show an address without the token, and the addresses of all pages that connect.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        token = token_of_environment()
        if token is None:
            check_local(config.get_option("server.address"))
    except BSDError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        sessions = runtime.get_instance()._session_mgr
        assert isinstance(sessions, WebsocketSessionManager)
        sessions._session_storage = RecentSessions()
        announce(token)
        try:
            yield
        finally:
            # uvicorn ends by raising the signal that ended it once more. That would end the process at once; a
            # training in progress could not record that it was stopped.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

    health = make_url_path(config.get_option("server.baseUrlPath"), "_stcore/health")
    return {"middleware": [Middleware(Headers), Middleware(Gate, token=token, health=health)], "lifespan": lifespan}


def check_local(address: str | None) -> None:
    """Raise `ConfigError` if a server without a token would listen to other machines."""
    try:
        is_local = address == "localhost" or ipaddress.ip_address(address or "::").is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ConfigError(
            f"{VARIABLE}=off was given for a server at {address or 'every address'}, expected 127.0.0.1: other "
            f"machines could use it. Leave {VARIABLE} unset, or keep server.address at 127.0.0.1."
        )


def announce(token: Token | None) -> None:
    """Print the dashboard's address, and open it in a browser unless `server.headless` says that there is none."""
    address = get_url(config.get_option("browser.serverAddress"))
    print(f"\n  Open the dashboard:  {with_token(address, token.text if token else None)}")
    if token is None:
        print(f"  {VARIABLE} is off: everyone on this machine can open it.")
    print("  Ctrl+C ends it.\n", flush=True)
    if not config.get_option("server.headless"):
        cli_util.open_browser(with_token(address, token.once() if token else None))


def with_token(address: str, word: str | None) -> str:
    """An address with a token in it."""
    return address if word is None else f"{address}/?{PARAMETER}={word}"
