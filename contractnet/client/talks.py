"""What an account was told of its negotiations, and who waits for what comes next."""

from __future__ import annotations

import asyncio
from weakref import WeakSet

from contractnet.client.stream import Stream
from contractnet.errors import ConnectionClosedError
from contractnet.messages.notices import LeaseWanted, NegotiationEnded, NegotiationProposed, RoundBegan

Terms = NegotiationProposed | LeaseWanted
"""What a negotiation is about, as it was told: a holder has asked for it, or whoever wants its lease."""

TALKS_MAX = 1_024
"""How many negotiations are remembered; the oldest go first."""


class Proposals(Stream[Terms]):
    """Negotiations that an account is asked for."""


def is_asked(terms: Terms) -> bool:
    """Whether the account that is told is the one that is asked, and may join."""
    return terms.account == (terms.holder if isinstance(terms, LeaseWanted) else terms.counterpart)


class Talk:
    """One negotiation, as far as it was told."""

    def __init__(self) -> None:
        self.proposed: Terms | None = None
        self.began: RoundBegan | None = None
        self.ended: NegotiationEnded | None = None
        self._changed: asyncio.Future[None] | None = None
        self._closed = False

    def take(self, notice: Terms | RoundBegan | NegotiationEnded) -> None:
        """One more notice."""
        if isinstance(notice, Terms):
            self.proposed = notice
        elif isinstance(notice, RoundBegan):
            self.began = notice
        else:
            self.ended = notice
        self._tell()

    async def terms(self) -> Terms:
        """What it is about."""
        while self.proposed is None:
            await self._change()
        return self.proposed

    async def after(self, round_: int) -> RoundBegan | NegotiationEnded:
        """The newest round, once that is a later one, or the end."""
        while self.ended is None:
            if self.began is not None and self.began.round > round_:
                return self.began
            await self._change()
        return self.ended

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True
        self._tell()

    async def _change(self) -> None:
        if self._closed:
            raise ConnectionClosedError("the connection was closed")
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _tell(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None


class Talks:
    """All negotiations of an account."""

    def __init__(self) -> None:
        self._talks: dict[bytes, Talk] = {}
        self._readers: WeakSet[Proposals] = WeakSet()

    def of(self, negotiation: bytes) -> Talk:
        """A negotiation, also one of which nothing was told yet."""
        talk = self._talks.setdefault(negotiation, Talk())
        if len(self._talks) > TALKS_MAX:
            del self._talks[next(iter(self._talks))]
        return talk

    def take(self, notice: Terms | RoundBegan | NegotiationEnded) -> None:
        """One more notice."""
        self.of(notice.negotiation).take(notice)
        if isinstance(notice, Terms) and is_asked(notice):
            for reader in self._readers:
                reader.push(notice)

    def asked(self) -> Proposals:
        """A new iterator: over what the account was asked for and has neither joined nor seen the end of, and over
        every later one."""
        waiting = [t.proposed for t in self._talks.values() if t.proposed and not (t.began or t.ended)]
        proposals = Proposals(filter(is_asked, waiting))
        self._readers.add(proposals)
        return proposals

    def end(self) -> None:
        """Nothing comes any more: end every iterator and everybody's waiting."""
        for reader in list(self._readers):
            reader.close()
        for talk in self._talks.values():
            talk.close()
