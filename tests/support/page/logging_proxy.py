"""A proxy that notes what it is asked for and refuses it: whatever it has noted would have left the machine."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class LoggingProxy:
    """A proxy on a free port of 127.0.0.1, on a thread of its own while the context lasts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """The first line of each request, such as "CONNECT example.org:443 HTTP/1.1"."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="logging proxy", daemon=True)
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """Its address, for the settings of a client."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._refuse, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(server.wait_closed())

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readline()).decode("latin-1").strip())
        writer.write(REFUSAL)
        writer.close()
