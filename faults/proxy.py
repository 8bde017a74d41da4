"""A TCP proxy on loopback that can delay what passes, or cut the link."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self

CHUNK_BYTES = 65_536
Link = tuple[asyncio.StreamWriter, ...]
"""The near and the far end of a connection."""


class Proxy:
    """Passes `port` on to `target`, both on loopback, from a thread of its own until the block ends.

    `dropped` counts connections that were cut while they were open, `refused` those that were opened during a cut, and
    `delayed_bytes` what passed late, in either direction.
    """

    def __init__(self, port: int, target: int) -> None:
        self.delay_s = 0.0
        self.dropped = self.refused = self.delayed_bytes = 0
        self._port, self._target = port, target
        self._cutting = threading.Event()
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Drop every connection and take no other until `mend`."""
        self._cutting.set()
        self._run(self._drop())

    def mend(self) -> None:
        """Take connections again."""
        self._cutting.clear()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def _close(self) -> None:
        self._server.close()
        await self._drop()

    async def _drop(self) -> None:
        self.dropped += len(self._links)
        for link in self._links:
            _abort(link)
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cutting.is_set():
            self._refuse((writer,))
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = (writer, far_writer)
        if self._cutting.is_set():  # since we began: the drop has not seen this one
            self._refuse(link)
            return
        self._links.add(link)
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._links.discard(link)

    def _refuse(self, link: Link) -> None:
        self.refused += 1
        _abort(link)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                    self.delayed_bytes += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # the other end is gone, as it is meant to be
        finally:
            writer.close()


def _abort(link: Link) -> None:
    for writer in link:
        writer.transport.abort()
