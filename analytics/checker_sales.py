"""What a CFP that the market awards must come to, for the independent checker."""

from __future__ import annotations

from dataclasses import replace

from analytics.checker_parts import Cfp, Pool, need
from analytics.checker_prices import Offer, Sale, is_critical, tie_key, winners


def check_sale(ident: bytes, cfp: Cfp, pool: Pool, now_ms: int, head: bytes) -> None:
    """Winners, their order and prices, and the losers' reasons."""
    used = pool.leased_units - len(cfp.wins) * cfp.units
    sale = Sale(
        cfp.units, cfp.duration_ms, cfp.slots, cfp.reserve_ucr, pool.units, used, len(pool.leases) - len(cfp.wins)
    )
    if not sale.is_roomy:
        leases = tuple(held.lease for award, held in pool.leases.items() if award not in cfp.wins)
        sale = replace(sale, leases=leases)
    check_won(ident, cfp, sale, now_ms, head)


def check_won(ident: bytes, cfp: Cfp, sale: Sale, now_ms: int, head: bytes) -> None:
    """The same, where it is known what can be sold."""
    offers: list[Offer] = []
    for bid, b in cfp.bids.items():
        tie = tie_key(head, ident, b.account)
        offer = Offer(bid, b.price_ucr, b.weight_permille, tie, now_ms + b.delay_ms)
        if b.withdrawn:
            reason = "WITHDRAWN"
        elif b.price_ucr < cfp.reserve_ucr:
            reason = "BELOW_RESERVE"
        elif not (sale.is_roomy or sale.fits(offer)):
            reason = "UNLOCKABLE"
        else:
            offers.append(offer)
            reason = "OUTBID"
        need(cfp.losses.get(bid, reason) == reason, f"bid {bid.hex()} lost because {reason}")
    need(winners(offers, sale) == list(cfp.wins), "the best bids win, in order")
    for bid, win in cfp.wins.items():
        price_ucr = win["price_ucr"]
        if cfp.pricing == "FIRST":
            need(price_ucr == cfp.bids[bid].price_ucr, "a winner pays its own bid")
        else:
            need(is_critical(bid, price_ucr, offers, sale), f"{price_ucr} is the critical value of {bid.hex()}")
