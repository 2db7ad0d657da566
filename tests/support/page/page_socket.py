"""A page without a browser: the WebSocket that Streamlit's page speaks, in plain sockets, for tests that need many or
brutal ones.

page = PageSocket(port, "run=20260101-000000-abcdef")
page.rerun()                       # the script has run once; page.texts, page.buttons, page.choices hold what it drew
page.rerun(press="Start")
"""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from typing import Self
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.support.page.dashboard import cookie

BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
KEPT_RUNS = 2


class PageSocket:
    """One page, open until `close`."""

    def __init__(self, port: int, query: str = "", timeout: float = 60.0, page: str = "run", session: str = "") -> None:
        """Open the page; with the id of a session that lost its connection, go on with that session."""
        self.query, self.session_id, self.page = query, "", page
        self._page_hash = ""
        self.texts: list[str] = []
        self.buttons: dict[str, str] = {}
        self.choices: dict[str, tuple[str, list[str]]] = {}
        self.timers: dict[str, float] = {}
        """Seconds between two runs that a fragment asks for, by its id."""
        self.values: dict[str, WidgetState] = {}
        self.bytes_received = 0
        self._kept: dict[str, int] = {}
        """Large messages that need not be sent again, by their hash: the run that used each last, as a browser keeps
        them."""
        self._runs = 0
        self._buffer, self._timeout = b"", timeout
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._upgrade(port, session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As when a tab is closed."""
        self._socket.close()

    @property
    def run_id(self) -> str | None:
        """The run in the page's address."""
        return parse_qs(self.query).get("run", [None])[0]

    def rerun(
        self, *, press: str | None = None, choose: tuple[str, str] | None = None, fragment: str | None = None
    ) -> float:
        """Run the script, or one fragment on its timer, and wait for its end; returns the seconds that it took.

        `press` is the label of a button, `choose` the label of a list and the beginning of the option.
        """
        message = BackMsg()
        request = message.rerun_script
        request.query_string, request.page_name, request.page_script_hash = self.query, self.page, self._page_hash
        if fragment is not None:
            request.fragment_id, request.is_auto_rerun = fragment, True
        if choose is not None:
            widget, options = self.choices[choose[0]]
            self.values[widget] = WidgetState(
                id=widget, string_value=next(o for o in options if o.startswith(choose[1]))
            )
        request.cached_message_hashes.extend(self._kept)
        request.widget_states.widgets.extend(self.values.values())
        if press is not None:
            request.widget_states.widgets.append(WidgetState(id=self.buttons[press], trigger_value=True))
        begin = time.perf_counter()
        self._send(BINARY, message.SerializeToString())
        if fragment is None:
            self.texts, self.timers = [], {}
        self._runs += 1
        while self._take(ForwardMsg.FromString(self._receive())):
            pass
        self._kept = {name: run for name, run in self._kept.items() if run >= self._runs - KEPT_RUNS}
        return time.perf_counter() - begin

    def _take(self, message: ForwardMsg) -> bool:
        """Note what a message draws; whether more are to come."""
        kind = message.WhichOneof("type")
        if message.metadata.cacheable or kind == "ref_hash":
            self._kept[message.ref_hash or message.hash] = self._runs
        if kind == "new_session":
            self.session_id = message.new_session.initialize.session_id
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.timers[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._draw(message.delta.new_element)
        return kind != "script_finished" or message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def _draw(self, element: object) -> None:
        kind = element.WhichOneof("type")  # type: ignore[attr-defined]
        part = getattr(element, kind) if kind else None
        if kind == "button":
            self.buttons[part.label] = part.id
        elif kind == "selectbox":
            self.choices[part.label] = (part.id, list(part.options))
        elif kind in ("markdown", "html", "alert"):
            self.texts.append(part.body)
        elif kind == "exception":
            raise AssertionError(f"the page shows an exception: {part.type}: {part.message}")

    # -- the protocol (RFC 6455) -------------------------------------------------------------------

    def _upgrade(self, port: int, session: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        own = f"127.0.0.1:{port}"
        lines = [
            "GET /_stcore/stream HTTP/1.1",
            f"Host: {own}",
            f"Origin: http://{own}",
            f"Cookie: {cookie(port)}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: streamlit{f', none, {session}' if session else ''}",
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(f"the server refused the page: {head.splitlines()[0]!r}")

    def _fill(self) -> None:
        content = self._socket.recv(1 << 16)
        if not content:
            raise ConnectionError("the server closed the page's connection")
        self._buffer += content
        self.bytes_received += len(content)

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        result, self._buffer = self._buffer[:count], self._buffer[count:]
        return result

    def _receive(self) -> bytes:
        """The next message, whole; pings are answered."""
        message = b""
        while True:
            first, second = self._read(2)
            length = second & 127
            if length >= 126:
                length = int.from_bytes(self._read(2 if length == 126 else 8), "big")
            content = self._read(length)
            if first & 15 == PING:
                self._send(PONG, content)
            elif first & 15 == CLOSE:
                raise ConnectionError("the server closed the page's connection")
            elif first & 15 != PONG:
                message += content
                if first & 128:
                    return message

    def _send(self, kind: int, content: bytes) -> None:
        length = len(content)
        size = (
            struct.pack("!B", 128 | length)
            if length < 126
            else struct.pack("!BH", 254, length)
            if length < 65536
            else struct.pack("!BQ", 255, length)
        )
        self._socket.sendall(
            bytes([128 | kind]) + size + bytes(4) + content
        )  # a mask of zeros leaves the content as it is
