"""A call for proposals as an agent sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from contractnet.client.shown import Shown
from contractnet.messages import Direction, Pricing
from contractnet.messages.notices import CfpSettled, PurchaseAnnounced

Outcome = Callable[[bytes, float | None], Awaitable[CfpSettled]]


@dataclass(frozen=True, slots=True, weakref_slot=True, repr=False)
class Cfp(Shown):
    """A CFP that was announced. Times are market time, milliseconds since the epoch; bids count before `closes_at_ms`.

    `units` of `pool` for `duration_ms` go to each of up to `slots` winners, for at least `reserve_price_ucr` a slot.
    With `decide_ms` above 0 its manager chooses them, at most so long after the deadline; bids bind until then.
    With `by_invitation` it takes bids of invited accounts only: `Agent.is_invited` says whether of this one. With
    direction BUY `pool` is the kind of resource that is wanted, `reserve_price_ucr` the most that is paid a slot, and
    `purchase` the other terms: see `Agent.ask`.
    """

    id: bytes
    direction: Direction
    pool: str
    units: int
    duration_ms: int
    slots: int
    reserve_price_ucr: int
    pricing: Pricing
    opened_at_ms: int
    closes_at_ms: int
    decide_ms: int
    by_invitation: bool
    _outcome: Outcome = field(repr=False, compare=False)
    purchase: PurchaseAnnounced | None = field(default=None, repr=False)

    async def outcome(self, timeout_s: float | None = None) -> CfpSettled:
        """How the CFP ended: its outcome and its winners (bid ids and prices).

        Raises OutcomeTimeoutError when it does not end within `timeout_s` seconds (None: wait).
        """
        return await self._outcome(self.id, timeout_s)
