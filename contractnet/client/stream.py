"""What agents iterate over: things that come, oldest first, until the iterator is closed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, Self, TypeVar

T = TypeVar("T")

BACKLOG_MAX = 256
"""How many things wait for a slow reader; the oldest go first, as newer ones replace them."""


class Stream(Generic[T]):
    """An async iterator: first what is known, then each as it comes. It ends when it, its agent or its connection is
    closed."""

    def __init__(self, known: Iterable[T]) -> None:
        self._backlog: deque[T] = deque(known, maxlen=BACKLOG_MAX)
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def push(self, item: T) -> None:
        """Append something for the reader."""
        self._backlog.append(item)
        self._notify()

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._backlog.clear()
        self._notify()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._backlog:
            if self._closed:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._backlog.popleft()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
