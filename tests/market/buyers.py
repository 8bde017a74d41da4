"""What tests of CFPs that buy send."""

from __future__ import annotations

from typing import Any

from contractnet.messages import Awarder, Direction, Pricing, Progress
from contractnet.messages import commands as c
from tests.market.town import Town, call, key_pair, small_town

BUYER = key_pair("buyer")
PASS = bytes(32)


def buying(**changes: Any) -> c.CallForProposals:
    """A call for one unit of `h100` for 1 s, open for 100 ms: ceiling 100, bond 5, a delay costs 0.1 per ms, asks may
    promise a start within 2 s, and there is 1 s of grace; with `changes`."""
    usual: dict[str, Any] = {
        "direction": Direction.BUY,
        "pool": "h100",
        "reserve_price_ucr": 100,
        "bond_ucr": 5,
        "delay_cost_per_s_ucr": 100,
        "start_within_ms": 2_000,
        "grace_ms": 1_000,
    }
    return call(**(usual | changes))


def chosen(**changes: Any) -> c.CallForProposals:
    """The same where the buyer chooses among the asks, for a second."""
    return buying(**({"award": Awarder.MANAGER, "pricing": Pricing.FIRST, "decide_ms": 1_000} | changes))


def ask(cfp: bytes, pool: str, price_ucr: int, start_delay_ms: int = 0, task: str = "") -> c.PlaceAsk:
    """An ask on units of a pool."""
    return c.PlaceAsk(cfp, pool, price_ucr, start_delay_ms, task, PASS)


def started(award: bytes) -> c.ReportWork:
    """The work begins."""
    return c.ReportWork(award, Progress.STARTED, "")


def done(award: bytes, result: str = "") -> c.ReportWork:
    """The work is done (inform-done; inform-result with a result)."""
    return c.ReportWork(award, Progress.DONE, result)


def failed(award: bytes, why: str = "") -> c.ReportWork:
    """The work has failed."""
    return c.ReportWork(award, Progress.FAILED, why)


def bazaar(*contractors: str, units: int = 2, credits_ucr: int = 10_000) -> tuple[Town, dict[str, bytes]]:
    """A town with a buyer, and contractors who each own a pool of their name; the ids of all by name."""
    town, ids = small_town("buyer", *contractors, credits_ucr=credits_ucr, strangers=True)
    for name in contractors:
        town.pool(name, ids[name], units)
    return town, ids
