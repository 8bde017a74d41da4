"""Winners and prices of a CFP by their definition.

Rank by weight times price, ties by lots; award greedily what still fits. A winner's price p is its critical value
exactly if it wins with p and loses with p - 1 (or p is the reserve): winning is monotone in the price. Nothing is
solved for, so nothing can be solved wrongly in the same way twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

LEASES_PER_POOL_MAX = 20_000
"""From the limits of rules version 1."""


Lots = tuple[bytes, bytes]
"""Of a budget root and of one of its accounts. Before roots were told apart, all were as one, whose lot was empty."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Units of a pool in use in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A bid in the ranking."""

    bid: bytes
    price_ucr: int
    weight_permille: int
    lots: Lots
    start_ms: int


@dataclass(frozen=True, slots=True)
class Sale:
    """What a CFP sells: `slots` leases of `units` for `duration_ms` from a pool of `pool_units`."""

    units: int
    duration_ms: int
    slots: int
    reserve_ucr: int
    pool_units: int
    used_units: int
    """Units of all leases of the pool, whenever they are."""
    used_leases: int
    leases: tuple[Lease, ...] = ()
    """Those leases; needed only where not everything fits anyway."""

    def fits(self, offer: Offer, more: Sequence[Lease] = ()) -> bool:
        """Whether the offer's lease can be locked beside the pool's leases and `more`."""
        if len(self.leases) + len(more) >= LEASES_PER_POOL_MAX:
            return False
        highest = peak((*self.leases, *more), offer.start_ms, offer.start_ms + self.duration_ms)
        return highest + self.units <= self.pool_units

    @property
    def is_roomy(self) -> bool:
        """Whether everything fits whatever the times: then no instant has to be looked at."""
        few = self.used_leases + self.slots <= LEASES_PER_POOL_MAX
        return few and self.used_units + self.slots * self.units <= self.pool_units


def lots_of(head: bytes, cfp: bytes, account: bytes, root: str | None) -> Lots:
    """What decides between equals; nobody can know it before the close. `root` is None before roots were told apart."""
    own = hashlib.sha256(head + cfp + account).digest()
    return (b"" if root is None else hashlib.sha256(head + cfp + root.encode()).digest()), own


def in_order(offers: Iterable[tuple[Fraction | int, Lots, bytes]]) -> list[bytes]:
    """Bids by rank: (how good, the least being the best; lots; bid) each. Equals of one root by their own lots; and of
    several roots the first of each, by the roots' lots, then the second of each, and so on."""
    before: Counter[tuple[Fraction | int, bytes]] = Counter()
    places: list[tuple[Fraction | int, int, Lots, bytes]] = []
    for score, lots, bid in sorted(offers):
        places.append((score, before[score, lots[0]], lots, bid))
        before[score, lots[0]] += 1
    return [bid for *_, bid in sorted(places)]


def peak(leases: Iterable[Lease], start_ms: int, end_ms: int) -> int:
    """Most units in use at any instant of [start_ms, end_ms)."""
    changes: dict[int, int] = {start_ms: 0}
    for lease in leases:
        first, last = max(lease.start_ms, start_ms), min(lease.end_ms, end_ms)
        if first < last:
            changes[first] = changes.get(first, 0) + lease.units
            changes[last] = changes.get(last, 0) - lease.units
    used = highest = 0
    for at_ms in sorted(changes):
        used += changes[at_ms]
        if at_ms < end_ms:
            highest = max(highest, used)
    return highest


def winners(offers: Iterable[Offer], sale: Sale) -> list[bytes]:
    """Bids that win, best first."""
    by_id = {offer.bid: offer for offer in offers}
    ranked = in_order((-o.weight_permille * o.price_ucr, o.lots, o.bid) for o in by_id.values())
    if sale.is_roomy:
        return ranked[: sale.slots]
    more: list[Lease] = []
    won: list[bytes] = []
    for offer in map(by_id.__getitem__, ranked):
        if len(won) == sale.slots:
            break
        if sale.fits(offer, more):
            more.append(Lease(offer.start_ms, offer.start_ms + sale.duration_ms, sale.units))
            won.append(offer.bid)
    return won


def is_critical(bid: bytes, price_ucr: int, offers: Sequence[Offer], sale: Sale) -> bool:
    """Whether `price_ucr` is the least price at which `bid` still wins."""

    def wins_with(ucr: int) -> bool:
        tried = [replace(o, price_ucr=ucr) if o.bid == bid else o for o in offers]
        return bid in winners(tried, sale)

    if price_ucr < sale.reserve_ucr or not wins_with(price_ucr):
        return False
    return price_ucr == sale.reserve_ucr or not wins_with(price_ucr - 1)
