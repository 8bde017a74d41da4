"""Who wins a CFP that buys and what they are paid: the lowest asks by (price + delay cost) / weight, critical values as
prices, and what realised delay makes of a price.

A reverse Vickrey auction with a known cost of delay. Contractors commit units of their own pools, so that one's lock
leaves the others room, and every winner is held against the same best loser. Amounts with a delay in them are
thousandths of micro-credits, as delays are milliseconds and their cost is per second. Products are compared, never
quotients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cmp_to_key

from contractnet.messages import Pricing, ReleaseReason
from market.limits import LEASES_PER_POOL_MAX
from market.pricing import Allotment, Win
from market.state import Bid, Cfp, State
from market.ties import Score, Ties
from market.works import Terms, Work


def allot_asks(state: State, cfp: Cfp, terms: Terms, at_ms: int, head: bytes) -> Allotment:
    """Settle a CFP that buys at `at_ms`; `head` is the chain head before the record that settles it."""
    reasons: dict[bytes, ReleaseReason] = {}
    for ask in cfp.bids.values():
        if ask.withdrawn:
            reasons[ask.id] = ReleaseReason.WITHDRAWN
        elif not _can_lock(state, cfp, terms, ask, at_ms):
            reasons[ask.id] = ReleaseReason.UNLOCKABLE
    ties, score = Ties(state, cfp.id, head), _score_by(terms)
    ranked = ties.rank((a for a in cfp.bids.values() if a.id not in reasons), score)
    winners = ranked[: cfp.slots]
    wins = [Win(ask, _price(cfp, terms, ask, ranked, ties)) for ask in winners]
    for win in wins:
        assert win.bid.price_ucr <= win.price_ucr <= cfp.reserve_price_ucr, "a winner is promised at least its ask"
    won = {ask.id for ask in winners}
    losses = [(a, reasons.get(a.id, ReleaseReason.OUTBID)) for a in cfp.bids.values() if a.id not in won]
    return Allotment(wins, losses)


def lease_ms(cfp: Cfp, terms: Terms) -> int:
    """How long a contractor's units are locked at most: after that the work has timed out."""
    return cfp.duration_ms + terms.grace_ms


def payment_ucr(work: Work) -> int:
    """What work that has started is paid when it is done: its price less what the delay beyond the promised one costs
    the manager, rounded down."""
    assert work.delay_ms is not None
    late = work.delay_cost_per_s_ucr * (work.delay_ms - work.promised_ms)
    return max(0, (work.price_ucr * 1000 - late) // 1000)


def _score_by(terms: Terms) -> Score:
    """What asks are ranked by: the total by weight, the lowest first."""

    def difference(one: Bid, other: Bid) -> int:
        return _total(terms, one) * other.weight_permille - _total(terms, other) * one.weight_permille

    return cmp_to_key(difference)


def _total(terms: Terms, ask: Bid) -> int:
    """What an ask costs the manager, delay included, in thousandths of micro-credits."""
    return ask.price_ucr * 1000 + terms.delay_cost_per_s_ucr * ask.start_delay_ms


def _can_lock(state: State, cfp: Cfp, terms: Terms, ask: Bid, at_ms: int) -> bool:
    pool, start_ms = state.pools[ask.pool], at_ms + ask.start_delay_ms
    used = pool.timeline.peak(start_ms, start_ms + lease_ms(cfp, terms))
    return pool.leases < LEASES_PER_POOL_MAX and used + cfp.units <= pool.units


def _price(cfp: Cfp, terms: Terms, winner: Bid, ranked: Sequence[Bid], ties: Ties) -> int:
    """What a winner is promised: with SECOND the largest ask, up to the ceiling, at which it would still win."""
    if cfp.pricing is Pricing.FIRST:
        return winner.price_ucr
    if len(ranked) <= cfp.slots:
        return cfp.reserve_price_ucr
    loser = ranked[cfp.slots]
    delay = terms.delay_cost_per_s_ucr * winner.start_delay_ms
    most, rest = divmod(
        _total(terms, loser) * winner.weight_permille - delay * loser.weight_permille, 1000 * loser.weight_permille
    )
    others = [ask for ask in ranked if ask is not winner]
    if not rest and not ties.falls_to(replace(winner, price_ucr=most), loser, others, _score_by(terms)):
        most -= 1
    return min(most, cfp.reserve_price_ucr)
