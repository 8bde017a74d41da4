"""What a call locks of others' credits: its manager's deposit, and what of it goes to bidders whom it did not serve.

Both are in proportion to the reserve, or to the operator's floor under it, and where the manager buys to the bond that
it asks for; never to a price: nobody's bid changes what anybody gets (docs/decisions/0024, 0031 and 0032).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOUR_MS = 3_600 * 1_000
PERMILLE_HOURS = 1_000 * HOUR_MS
"""What turns micro-credits times permille an hour times milliseconds into micro-credits."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A bid that could have been served and was not: whose it was, and for how long it bound its bidder."""

    account: bytes
    bound_ms: int


def base_of(reserve_ucr: int, floor_ucr: int, units: int, lease_ms: int) -> int:
    """What the deposit of a slot is a part of: the reserve, or more where the floor, for each unit and hour of what is
    sold, comes to more, rounded up."""
    return max(reserve_ucr, -(-floor_ucr * units * lease_ms // HOUR_MS))


def deposit_ucr(base_ucr: int, slots: int, bound_ms: int, hourly_permille: int) -> int:
    """The deposit of a call whose bids may be bound for so long, rounded up."""
    return -(-base_ucr * slots * bound_ms * hourly_permille // PERMILLE_HOURS)


def shares(
    deposit_ucr: int, slots: int, bound_ms: int, unserved: int, claims: Sequence[Claim]
) -> list[tuple[bytes, int]]:
    """What each claim is paid: the rate for the time that it was bound, as far as the deposits of the `unserved` slots
    go; beyond that, its part by time. Rounded down; who gets nothing is left out."""
    total_ms = max(sum(claim.bound_ms for claim in claims), unserved * bound_ms)
    paid = [(claim.account, deposit_ucr * unserved * claim.bound_ms // (slots * total_ms)) for claim in claims]
    return [(account, amount_ucr) for account, amount_ucr in paid if amount_ucr]
