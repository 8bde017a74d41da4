"""A lease that was bargained for is called for at the agreed price, where the operator says so (docs/negotiations.md).

The call is an ordinary CFP with the id of the negotiation: its manager is the holder, its reserve the agreed price, and
the buyer's offer its first bid, under the buyer's own weight. What it sells is the lease itself, so that no capacity
is looked for: the lease ends in the record in which the winner's begins.
"""

from __future__ import annotations

from contractnet.messages import Direction, Event, LeaseEnd, Pricing
from contractnet.messages import events as e
from market.bargaining import BUYER, Negotiation
from market.pricing import allot
from market.rules import contracts
from market.state import Cfp, Lease, Pool, State


def called(state: State, negotiation: Negotiation, lease: Lease, price_ucr: int, at_ms: int) -> list[Event]:
    """The parties agree on a price: others may bid more, the buyer's offer is the first bid, and what was held for it
    beyond the price is free. No limit of open CFPs or bids stands in the way of a deal."""
    buyer, ident = state.accounts[negotiation.parties[BUYER].account], negotiation.id
    closes_at_ms = at_ms + state.resale_call_ms
    return [
        e.CfpOpened(
            cfp=ident,
            manager=lease.account,
            direction=Direction.SELL,
            pool=lease.pool,
            units=lease.units,
            duration_ms=lease.ends_at_ms - max(closes_at_ms, lease.starts_at_ms),
            slots=1,
            reserve_price_ucr=price_ucr,
            pricing=Pricing.SECOND,
            closes_at_ms=closes_at_ms,
        ),
        e.BidPlaced(
            bid=ident,
            cfp=ident,
            account=buyer.id,
            price_ucr=price_ucr,
            weight_permille=state.weight_at(buyer, state.weight_epoch),
            start_delay_ms=0,
            task=negotiation.task,
            pass_hash=negotiation.pass_hash,
            claim=None,
        ),
        e.HoldResized(hold=ident, account=buyer.id, amount_ucr=price_ucr),
    ]


def close(state: State, cfp: Cfp, lease: Lease, at_ms: int, head: bytes) -> list[Event]:
    """The market awards the lease at the call's deadline; nobody gets one that is over by then, as its clock was late.

    `head` is the chain head before the record that settles it.
    """
    units = lease.units if at_ms < lease.ends_at_ms else 0
    allotment = allot(state, cfp, Pool(lease.pool, lease.account, units), at_ms, head)
    awards: list[Event] = []
    for slot, win in enumerate(allotment.wins):
        awards += [
            contracts.made(cfp, slot, win),
            e.LeaseEnded(award=lease.award, pool=lease.pool, reason=LeaseEnd.RESOLD),
            e.SlotReserved(
                award=win.bid.id,
                pool=lease.pool,
                units=lease.units,
                account=win.bid.account,
                starts_at_ms=max(at_ms, lease.starts_at_ms),
                ends_at_ms=lease.ends_at_ms,
                pass_hash=win.bid.pass_hash,
            ),
            *contracts.paid(state, cfp, win),
        ]
    return contracts.ended(state, cfp, allotment, awards)
