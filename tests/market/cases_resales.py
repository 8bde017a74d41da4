"""Commands about resales and claims that break one rule each, and no other; see test_rules.py.

They are for its busy town. There `sold` is sue's lease that she has sold to tom, `resale` the call for it, in which his
bid has the same id, and `claim` is tom's claim on her lease `wished`, which waits for her.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contractnet.messages import Code, Command, Issue, NegotiationProtocol
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_negotiations import ALTERNATING, MONOTONIC, SUE, TOM, WHEN, joined, negotiation
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, bid, call

INT64_MAX = 2**63 - 1
RESALE_IDS = ("sold", "resale", "wished", "claim")
CALL_MS = 60_000

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def claim(award: bytes, cap_ucr: int, task: str = "", **changes: Any) -> c.ClaimLease:
    """A claim with the usual terms of a negotiation."""
    usual: dict[str, Any] = {
        "protocol": MONOTONIC,
        "issues": (),
        "rounds_max": 10,
        "round_ms": 1_000,
        "still_rounds_max": 1,
    }
    return c.ClaimLease(award, **(usual | changes), cap_ucr=cap_ucr, task=task, pass_hash=bytes(32))


def sell_on(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town where sue and tom bargain; from then on deals are settled at once again."""
    leases: list[bytes] = []
    for _ in range(2):
        cfp = town.send(call(pool="rack", duration_ms=20 * 3600 * 1000), MANAGER).id
        leases.append(town.bid(cfp, "sue", 10).id)
    town.at_ms += 100
    town.tick()
    ids["sold"], ids["wished"] = leases
    town.send(c.SetResaleCall(CALL_MS), OPERATOR)
    deal = negotiation(ids["sold"], ids["tom"], protocol=ALTERNATING, round_ms=3_600_000)
    ids["resale"] = town.send(deal, SUE).id
    town.send(joined(ids["resale"], 40), TOM)
    town.send(c.MakeOffer(ids["resale"], 1, (), 30), SUE)
    assert town.send(c.AcceptOffer(ids["resale"], 1), TOM).code is Code.ACCEPTED
    town.send(c.SetResaleCall(0), OPERATOR)
    wish = claim(ids["wished"], 20, round_ms=3_600_000)
    ids["claim"] = town.send(wish, TOM).id


def _wants(cap_ucr: int = 20, task: str = "", **changes: Any) -> Callable[[dict[str, bytes]], Command]:
    return lambda i: claim(i["spare"], cap_ucr, task, **changes)


RESALE_CASES: list[Case] = [
    ("bank sets the call of resales", Code.NOT_PERMITTED, BANK, lambda _: c.SetResaleCall(1_000)),
    ("manager ends the calls of resales", Code.NOT_PERMITTED, MANAGER, lambda _: c.SetResaleCall(0)),
    *[
        (f"resales called for {n} ms", Code.BAD_DURATION, OPERATOR, lambda _, n=n: c.SetResaleCall(n))
        for n in (-INT64_MAX - 1, -1, 1, 49, 60_001, INT64_MAX)
    ],
    ("bid on a resale for later", Code.BAD_DURATION, ANN, lambda i: bid(i["resale"], 50, 1)),
    ("holder bids on its resale", Code.OWN_CFP, SUE, lambda i: bid(i["resale"], 50)),
    ("buyer bids twice on a resale", Code.ALREADY_BID, TOM, lambda i: bid(i["resale"], 50)),
    ("buyer takes its part back", Code.OUT_OF_SEQUENCE, TOM, lambda i: c.WithdrawBid(i["resale"])),
    ("holder takes its part back", Code.OUT_OF_SEQUENCE, SUE, lambda i: c.CancelCfp(i["resale"])),
    ("buyer takes the call back", Code.NOT_OWNER, TOM, lambda i: c.CancelCfp(i["resale"])),
    ("release what is being sold", Code.OUT_OF_SEQUENCE, SUE, lambda i: c.ReleaseLease(i["sold"])),
    ("bargain over what is being sold", Code.LEASE_IN_NEGOTIATION, SUE, lambda i: negotiation(i["sold"], i["ann"])),
    ("offer after the deal", Code.NEGOTIATION_CLOSED, SUE, lambda i: c.MakeOffer(i["resale"], 2, (), 20)),
    ("leave a deal", Code.NEGOTIATION_CLOSED, TOM, lambda i: c.LeaveNegotiation(i["resale"])),
    ("claim what is being sold", Code.LEASE_IN_NEGOTIATION, TOM, lambda i: claim(i["sold"], 20)),
    ("claim what is claimed", Code.LEASE_IN_NEGOTIATION, ANN, lambda i: claim(i["wished"], 20)),
    ("claim what is bargained for", Code.LEASE_IN_NEGOTIATION, ANN, lambda i: claim(i["taken"], 20)),
    ("claim one's own lease", Code.BAD_COUNTERPART, SUE, lambda i: claim(i["spare"], 20)),
    ("claim no lease", Code.UNKNOWN_LEASE, TOM, lambda i: claim(UNKNOWN_ID, 20)),
    ("bank claims", Code.NOT_PERMITTED, BANK, _wants()),
    ("operator claims", Code.NOT_PERMITTED, OPERATOR, _wants()),
    ("claim without a protocol", Code.UNKNOWN_VALUE, TOM, _wants(protocol=NegotiationProtocol.UNSPECIFIED)),
    ("claim with an issue twice", Code.BAD_ISSUES, TOM, _wants(issues=(WHEN, WHEN))),
    ("claim with an issue without a name", Code.BAD_NAME, TOM, _wants(issues=(Issue("", ("a", "b")),))),
    *[(f"claim with {n} rounds", Code.BAD_ROUNDS, TOM, _wants(rounds_max=n)) for n in (0, 257)],
    *[
        (f"claim with rounds of {n} ms", Code.BAD_DURATION, TOM, _wants(round_ms=n))
        for n in (49, 24 * 3600 * 1000 // 11 + 1)
    ],
    *[(f"claim with {n} ucr", Code.BAD_AMOUNT, TOM, _wants(n)) for n in (-1, 0, 10**15 + 1)],
    ("claim for a bad task", Code.BAD_NAME, TOM, _wants(task="x" * 65)),
    ("claim with more than there is", Code.INSUFFICIENT_CREDIT, ANN, _wants(1_001)),
    ("claim with more than the budget", Code.BUDGET_EXCEEDED, TOM, _wants(251)),
    ("claimant joins", Code.OUT_OF_TURN, TOM, lambda i: joined(i["claim"], 20)),
    ("third party joins a claim", Code.NOT_A_PARTY, ANN, lambda i: joined(i["claim"], 0)),
    *[(f"holder joins with {n}", Code.BAD_AMOUNT, SUE, lambda i, n=n: joined(i["claim"], n)) for n in (-1, 1)],
    ("holder joins for a bad task", Code.BAD_NAME, SUE, lambda i: joined(i["claim"], 0, "x" * 65)),
    ("offer before the holder has joined", Code.OUT_OF_TURN, TOM, lambda i: c.MakeOffer(i["claim"], 1, (), 10)),
    ("third party ends a claim", Code.NOT_A_PARTY, ANN, lambda i: c.LeaveNegotiation(i["claim"])),
]
