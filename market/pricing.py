"""Who wins a CFP and what they pay: greedy allotment by weight times price, critical values as prices.

Vickrey (1961) for one slot; Lehmann, O'Callaghan & Shoham (2002) for the greedy rank with critical-value payments,
which keep truthful bidding dominant where bids need different intervals. Products are compared, never quotients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contractnet.messages import Pricing, ReleaseReason
from market.capacity import Timeline
from market.limits import LEASES_PER_POOL_MAX
from market.state import Bid, Cfp, Pool, State
from market.ties import Ties


@dataclass(frozen=True, slots=True)
class Win:
    """A winning bid and the price it pays, micro-credits."""

    bid: Bid
    price_ucr: int


@dataclass(frozen=True, slots=True)
class Allotment:
    """The result of a CFP: winners in rank order, and every other bid with the reason, in order of arrival."""

    wins: list[Win]
    losses: list[tuple[Bid, ReleaseReason]]


def allot(state: State, cfp: Cfp, pool: Pool, at_ms: int, head: bytes) -> Allotment:
    """Settle a CFP at `at_ms`; `head` is the chain head before the record that settles it."""
    room = _Room(cfp, pool, at_ms)
    reasons: dict[bytes, ReleaseReason] = {}
    for bid in cfp.bids.values():
        if bid.withdrawn:
            reasons[bid.id] = ReleaseReason.WITHDRAWN
        elif bid.price_ucr < cfp.reserve_price_ucr:
            reasons[bid.id] = ReleaseReason.BELOW_RESERVE
        elif not room.fits(bid, pool.timeline):
            reasons[bid.id] = ReleaseReason.UNLOCKABLE
    ties = Ties(state, cfp.id, head)
    ranked = ties.rank((b for b in cfp.bids.values() if b.id not in reasons), _score)
    winners = _greedy(ranked, room)
    won = {b.id for b in winners}
    if cfp.pricing is Pricing.FIRST:
        wins = [Win(b, b.price_ucr) for b in winners]
    else:
        wins = [Win(b, _critical_value(b, ranked, ties, room)) for b in winners]
    for win in wins:
        assert cfp.reserve_price_ucr <= win.price_ucr <= win.bid.price_ucr, "a winner pays at most its bid"
    losses = [(b, reasons.get(b.id, ReleaseReason.OUTBID)) for b in cfp.bids.values() if b.id not in won]
    return Allotment(wins, losses)


def _score(bid: Bid) -> int:
    return -bid.weight_permille * bid.price_ucr


@dataclass(frozen=True, slots=True)
class _Room:
    """What can be locked for a CFP at its close."""

    cfp: Cfp
    pool: Pool
    at_ms: int

    def interval(self, bid: Bid) -> tuple[int, int]:
        start_ms = self.at_ms + bid.start_delay_ms
        return start_ms, start_ms + self.cfp.duration_ms

    @property
    def slots(self) -> int:
        """Slots of the CFP, as far as the pool takes more leases."""
        return min(self.cfp.slots, LEASES_PER_POOL_MAX - self.pool.leases)

    def fits(self, bid: Bid, timeline: Timeline) -> bool:
        if self.pool.leases >= LEASES_PER_POOL_MAX:
            return False
        return timeline.peak(*self.interval(bid)) + self.cfp.units <= self.pool.units


def _greedy(ranked: Sequence[Bid], room: _Room) -> list[Bid]:
    """Winners in rank order: each bid that still fits beside the better ones, until the slots are gone."""
    timeline = room.pool.timeline.copy()
    winners: list[Bid] = []
    for bid in ranked:
        if len(winners) == room.slots:
            break
        if room.fits(bid, timeline):
            timeline.add(*room.interval(bid), room.cfp.units)
            winners.append(bid)
    return winners


def _critical_value(winner: Bid, ranked: Sequence[Bid], ties: Ties, room: _Room) -> int:
    """Least price at which the same procedure still awards to `winner`.

    Run without it, the procedure locks others one by one; the one whose lock leaves no room for `winner` is the one it
    has to outrank. Nobody: the reserve. Among equals those that come before a bid are the same with it and without it.
    """
    others = ties.without(winner, ranked, _score)
    timeline = room.pool.timeline.copy()
    locked = 0
    for other in others:
        if not room.fits(other, timeline):
            continue
        timeline.add(*room.interval(other), room.cfp.units)
        locked += 1
        if locked == room.slots or not room.fits(winner, timeline):
            least, rest = divmod(other.weight_permille * other.price_ucr, winner.weight_permille)
            if rest or not ties.falls_to(replace(winner, price_ucr=least), other, others, _score):
                least += 1
            return max(least, room.cfp.reserve_price_ucr)
    return room.cfp.reserve_price_ucr
