"""What an account was granted of token pools, as far as it was told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from contractnet.client.shown import Shown
from contractnet.client.stream import Stream
from contractnet.errors import ConnectionClosedError
from contractnet.messages.notices import GrantShown

GRANTS_MAX = 1_024
"""How many grants are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True, repr=False)
class Grant(Shown):
    """Tokens of a pool that an account may spend until market time `expires_at_ms` (milliseconds since the epoch).

    `id` and `order` (None: drawn by a System agent) have 16 bytes; `paid_ucr` is what all of them cost; `at_ms` is when
    they were granted, market time.
    """

    id: bytes
    pool: str
    order: bytes | None
    tokens: int
    paid_ucr: int
    expires_at_ms: int
    system: bool
    at_ms: int


class Grants(Stream[Grant]):
    """An async iterator over grants: first those that are not over yet, then each as it comes.

    It ends when it, its agent or its connection is closed.
    """


class GrantBook:
    """All grants of an account."""

    def __init__(self) -> None:
        self._known: dict[bytes, Grant] = {}
        self._awaited: dict[bytes, asyncio.Future[Grant]] = {}
        self._readers: WeakKeyDictionary[Grants, str | None] = WeakKeyDictionary()
        self._closed = False

    def take(self, notice: GrantShown, at_ms: int) -> None:
        """One more grant."""
        terms = (notice.tokens, notice.paid_ucr, notice.expires_at_ms, notice.system)
        grant = Grant(notice.grant, notice.pool, notice.order, *terms, at_ms)
        self._known[grant.id] = grant
        if len(self._known) > GRANTS_MAX:
            del self._known[next(iter(self._known))]
        waiting = self._awaited.pop(grant.id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(grant)
        for reader, pool in list(self._readers.items()):
            if pool in (None, grant.pool):
                reader.push(grant)

    def since(self, pool: str | None, now_ms: int) -> Grants:
        """A new iterator, over the grants of a pool or of all; `now_ms` is market time."""
        grants = Grants(g for g in self._known.values() if pool in (None, g.pool) and g.expires_at_ms > now_ms)
        self._readers[grants] = pool
        return grants

    async def of(self, ident: bytes) -> Grant:
        """The grant of an id, once it is told."""
        if ident in self._known:
            return self._known[ident]
        if self._closed:
            raise ConnectionClosedError("the connection was closed")
        waiting = self._awaited.setdefault(ident, asyncio.get_running_loop().create_future())
        return await asyncio.shield(waiting)

    def end(self) -> None:
        """Nothing comes any more: end every iterator and everybody's waiting."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()
        for waiting in self._awaited.values():
            if not waiting.done():
                waiting.set_exception(ConnectionClosedError("the connection was closed"))
                waiting.exception()  # marks it as seen: nobody may be waiting
