"""The monotonic concession protocol: both parties offer at the same time, and never take back what they offered."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from contractnet.errors import BrokenRuleError
from contractnet.strategies.bargaining.domain import Domain


class Standing(NamedTuple):
    """What lies on the table: a party's own offer and the other's (outcomes), and the number of rounds so far."""

    own: int
    other: int
    round: int


class MonotonicParty(Protocol):
    """A strategy for one side. Bring your own: any object with these two methods will do."""

    def propose(self) -> int:
        """The opening offer. Asked only where a negotiation set exists."""

    def respond(self, standing: Standing) -> int:
        """The next offer: `standing.own` to stand still, or one that is better for the other."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """How a negotiation went. `deal` is an outcome, or None for the conflict deal; `trace` has both offers by round.

    A message is one offer, repeated ones included: in a round each party sends one.
    """

    deal: int | None
    trace: tuple[tuple[int, int], ...]

    @property
    def rounds(self) -> int:
        """Rounds of simultaneous offers, the opening included."""
        return len(self.trace)

    @property
    def messages(self) -> int:
        """Offers sent by both."""
        return 2 * len(self.trace)


def negotiate(
    domain: Domain,
    first: MonotonicParty,
    second: MonotonicParty,
    *,
    still_rounds_max: int = 0,
    rng: random.Random | None = None,
) -> Negotiation:
    """Play the monotonic concession protocol (Rosenschein & Zlotkin 1994, ch. 3) and enforce its rules.

    - Both offer at once, from the negotiation set.
    - It ends in a deal when a party likes the other's offer at least as much as its own. When both do, the offer with
      the greater product of gains is the deal; of equal ones a coin chooses with `rng`, without it the first party's.
    - An offer is never worse for the other party than the one before.
    - It ends in the conflict deal when in more than `still_rounds_max` rounds in a row nobody made an offer that is
      better for the other. 0 is the protocol as published; time-dependent strategies need patience.

    Raises BrokenRuleError when a strategy breaks a rule: its bug, so there is no deal to fall back on.
    """
    if not domain.frontier:
        return Negotiation(None, ())
    offers = (first.propose(), second.propose())
    for side in (0, 1):
        _check_in_set(domain, side, offers[side])
    trace = [offers]
    still_rounds = 0
    while (deal := agreed(domain, offers, rng)) is None:
        round_ = len(trace)
        asked = (
            first.respond(Standing(offers[0], offers[1], round_)),
            second.respond(Standing(offers[1], offers[0], round_)),
        )
        conceded = [_concedes(domain, side, offers[side], asked[side]) for side in (0, 1)]
        still_rounds = 0 if any(conceded) else still_rounds + 1
        offers = asked
        trace.append(offers)
        if still_rounds > still_rounds_max:
            break
    return Negotiation(deal, tuple(trace))


def agreed(domain: Domain, offers: tuple[int, int], rng: random.Random | None = None) -> int | None:
    """The deal that two offers (outcomes; party 0's first) come to, or None: see `negotiate`."""
    mine, yours = offers
    first_agrees = domain.gains[0][yours] >= domain.gains[0][mine]
    second_agrees = domain.gains[1][mine] >= domain.gains[1][yours]
    if first_agrees and second_agrees:
        by_product = domain.product(yours) - domain.product(mine)
        if by_product == 0:
            return mine if rng is None else rng.choice(offers)
        return yours if by_product > 0 else mine
    if first_agrees:
        return yours
    return mine if second_agrees else None


def _concedes(domain: Domain, side: int, before: int, after: int) -> bool:
    _check_in_set(domain, side, after)
    others = domain.gains[1 - side]
    if others[after] < others[before]:
        raise BrokenRuleError(f"party {side} took back a concession: outcome {after} after {before}")
    return others[after] > others[before]


def _check_in_set(domain: Domain, side: int, offer: int) -> None:
    if not domain.acceptable(offer):
        raise BrokenRuleError(f"party {side} offered outcome {offer}, which is not in the negotiation set")
