"""The gate before Streamlit: only the dashboard's own page passes, and only with the token.

What is refused here never reaches Streamlit, which would look up this machine's outside address for a foreign origin.
"""

from __future__ import annotations

from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from app.server.web.no_token import no_token_page, reopening_page
from app.server.web.token import PARAMETER, Token

CLOSED = ("/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent")
"""Parts of Streamlit that tell about all sessions or drive them. The page needs none of them."""


class Gate:
    """Answers what is not for Streamlit: foreign hosts and origins, closed paths, and browsers without the token.

    Parameters
    ----------
    token : None where none is needed
    health : the path that answers without the token, since what watches over a container asks it
    """

    def __init__(self, app: ASGIApp, token: Token | None, health: str = "/_stcore/health") -> None:
        self.app, self.token, self.health = app, token, health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] in ("http", "websocket") else None
        if answer is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the browser gets a 403

    def _answer(self, scope: Scope) -> Response | None:
        """The gate's own answer to a request; None if the request may pass."""
        headers = Headers(scope=scope)
        if not is_own(headers, scope["scheme"]):
            return PlainTextResponse("Only the dashboard's own page may ask its server.\n", 403)
        if any(f"{closed}/" in f"{scope['path']}/" for closed in CLOSED):
            return PlainTextResponse("This part of the server is closed.\n", 404)
        given, rest = _without_token(scope["query_string"].decode("latin-1"))
        name = cookie_name(headers["host"], scope["scheme"])
        if self.token is None or self.token.knows(_cookies(headers, name)):
            return None if given is None else _redirect(scope, rest)
        if scope["path"] == self.health:
            return None
        if scope["type"] == "http" and given is not None and self.token.opens(given):
            answer = _redirect(scope, rest)
            answer.set_cookie(
                name, self.token.cookie, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
            )
            return answer
        if is_foreign_link(headers):
            return HTMLResponse(reopening_page(), 403, {"Cache-Control": "no-store"})
        return HTMLResponse(no_token_page(rest, is_wrong=given is not None), 403, {"Cache-Control": "no-store"})


def is_own(headers: Headers, scheme: str) -> bool:
    """Whether a request names this server as its host and, if it says where it comes from, comes from its own page.

    The own origin is the address that the browser asked for. A page on another port or host name cannot choose it, and
    the address may differ from the server's own where a tunnel leads to it. A link on another site may open a page.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or not is_host_allowed(hosts[0]):
        return False
    own = f"{'https' if scheme in ('https', 'wss') else 'http'}://{hosts[0]}"
    if any(origin != own for origin in origins):
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin") or is_foreign_link(headers)


def is_foreign_link(headers: Headers) -> bool:
    """Whether the browser follows a link on another site, in a tab, not in a frame. It sends no strict cookie then."""
    return (
        headers.get("sec-fetch-site") in ("cross-site", "same-site")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def cookie_name(host: str, scheme: str) -> str:
    """Name of the cookie, with the port: a browser sends cookies to all ports of a machine, where others may serve."""
    port = host.rpartition(":")[2] if ":" in host else "443" if scheme in ("https", "wss") else "80"
    return f"bsd_token_{port}"


def _cookies(headers: Headers, name: str) -> list[str]:
    """All cookies of a name; another server of this machine may have set a second one."""
    pairs = (pair.strip().partition("=") for header in headers.getlist("cookie") for pair in header.split(";"))
    return [value for key, _, value in pairs if key == name]


def _without_token(query: str) -> tuple[str | None, str]:
    """The token in a query, None if it has none, and the rest of the query, letter by letter.

    Who pastes the whole address into the form means the token in it.
    """
    parts = [part for part in query.split("&") if part]
    given = [part.partition("=")[2] for part in parts if part.partition("=")[0] == PARAMETER]
    rest = "&".join(part for part in parts if part.partition("=")[0] != PARAMETER)
    return (unquote_plus(given[-1]).strip().rpartition(f"{PARAMETER}=")[2] if given else None), rest


def _redirect(scope: Scope, query: str) -> Response:
    """An answer that leads to the same page without the token in its address."""
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
    # Two slashes would begin the name of another machine.
    target = "/" + path.lstrip("/\\") + (f"?{query}" if query else "")
    return Response(status_code=303, headers={"Location": target, "Cache-Control": "no-store"})
