"""Winners and prices of a CFP by their definition.

Rank by weight times price, ties by the smallest SHA-256 of chain head, CFP and account; award greedily what still fits.
A winner's price p is its critical value exactly if it wins with p and loses with p - 1 (or p is the reserve): winning
is monotone in the price. Nothing is solved for, so nothing can be solved wrongly in the same way twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

LEASES_PER_POOL_MAX = 20_000
"""From the limits of rules version 1."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Units of a pool in use in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A bid in the ranking. `tie` decides between equal products, the smallest first."""

    bid: bytes
    price_ucr: int
    weight_permille: int
    tie: bytes
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


def tie_key(head: bytes, cfp: bytes, account: bytes) -> bytes:
    """What decides between equal products; nobody can know it before the close."""
    return hashlib.sha256(head + cfp + account).digest()


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
    ranked = sorted(offers, key=lambda o: (-o.weight_permille * o.price_ucr, o.tie))
    if sale.is_roomy:
        return [offer.bid for offer in ranked[: sale.slots]]
    more: list[Lease] = []
    won: list[bytes] = []
    for offer in ranked:
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
