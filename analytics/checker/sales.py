"""What a CFP that the market awards must come to, for the independent checker."""

from __future__ import annotations

from dataclasses import replace

from analytics.checker.parts import Cfp, Pool, need
from analytics.checker.prices import Lots, Offer, Sale, is_critical, winners


def check_sale(cfp: Cfp, pool: Pool, now_ms: int, lots: dict[bytes, Lots]) -> None:
    """Winners, their order and prices, and the losers' reasons."""
    used = pool.leased_units - len(cfp.wins) * cfp.units
    sale = Sale(
        cfp.units, cfp.duration_ms, cfp.slots, cfp.reserve_ucr, pool.units, used, len(pool.leases) - len(cfp.wins)
    )
    if not sale.is_roomy:
        leases = tuple(held.lease for award, held in pool.leases.items() if award not in cfp.wins)
        sale = replace(sale, leases=leases)
    check_won(cfp, sale, now_ms, lots)


def check_won(cfp: Cfp, sale: Sale, now_ms: int, lots: dict[bytes, Lots]) -> None:
    """The same, where it is known what can be sold."""
    offers: list[Offer] = []
    for bid, b in cfp.bids.items():
        offer = Offer(bid, b.price_ucr, b.weight_permille, lots[b.account], now_ms + b.delay_ms)
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
