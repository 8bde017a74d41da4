"""Commands about negotiations that break one rule each, and no other; see test_rules.py.

They are for its busy town. There sue holds leases and bargains with tom, whose cap is 100. Monotonic concession on
`mono`: in round 1 sue asked 90 for the first option and tom offered 10 for the second, in round 2 sue has offered.
Alternating offers on `turns`: sue has asked 150, it is tom's turn. `asked` waits for tom to join, `over` has ended.
Nobody bargains over sue's lease `spare`.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contractnet.messages import Code, Command, Issue, NegotiationProtocol
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, budget, call, key_pair

SUE, TOM = key_pair("sue"), key_pair("tom")
INT64_MAX = 2**63 - 1
NEGOTIATION_IDS = ("sue", "tom", "spare", "mono", "turns", "asked", "over", "taken")
WHEN = Issue("when", ("now", "later"))
MONOTONIC, ALTERNATING = NegotiationProtocol.MONOTONIC, NegotiationProtocol.ALTERNATING

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def negotiation(award: bytes, counterpart: bytes, **changes: Any) -> c.OpenNegotiation:
    """Monotonic concession over a price alone, ten rounds of a second, of which one may pass without a concession."""
    usual: dict[str, Any] = {
        "protocol": MONOTONIC,
        "issues": (),
        "rounds_max": 10,
        "round_ms": 1_000,
        "still_rounds_max": 1,
    }
    return c.OpenNegotiation(award, counterpart, **(usual | changes))


def joined(ident: bytes, cap_ucr: int, task: str = "") -> c.JoinNegotiation:
    """The counterpart joins."""
    return c.JoinNegotiation(ident, cap_ucr, task, bytes(32))


def bargain(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town with a manager."""
    ids |= {name: town.account(name, credits_ucr=1_000) for name in ("sue", "tom")}
    town.send(budget(ids["tom"], limit_ucr=500, window_ms=24 * 3600 * 1000), BANK)
    town.pool("rack", ids["manager"], 8)
    leases: list[bytes] = []
    for _ in range(5):
        cfp = town.send(call(pool="rack", duration_ms=20 * 3600 * 1000), MANAGER).id
        leases.append(town.bid(cfp, "sue", 50).id)
    town.at_ms += 100
    town.tick()
    ids["spare"], ids["taken"] = leases[0], leases[1]
    terms = {"round_ms": 3_600_000}
    opened = [
        negotiation(leases[1], ids["tom"], issues=(WHEN,), **terms),
        negotiation(leases[2], ids["tom"], protocol=ALTERNATING, **terms),
        negotiation(leases[3], ids["tom"], **terms),
        negotiation(leases[4], ids["tom"], **terms),
    ]
    for name, command in zip(("mono", "turns", "asked", "over"), opened, strict=True):
        ids[name] = town.send(command, SUE).id
    for name in ("mono", "turns"):
        town.send(joined(ids[name], 100), TOM)
    rounds = [
        (c.MakeOffer(ids["mono"], 1, (0,), 90), SUE),
        (c.MakeOffer(ids["mono"], 1, (1,), 10), TOM),
        (c.MakeOffer(ids["mono"], 2, (0,), 85), SUE),
        (c.MakeOffer(ids["turns"], 1, (), 150), SUE),
        (c.LeaveNegotiation(ids["over"]), TOM),
    ]
    for offer, keys in rounds:
        assert town.send(offer, keys).code is Code.ACCEPTED


def _issues(*counts: int) -> tuple[Issue, ...]:
    return tuple(Issue(f"issue {i}", tuple(f"option {o}" for o in range(n))) for i, n in enumerate(counts))


def _asks(**changes: Any) -> Callable[[dict[str, bytes]], Command]:
    return lambda i: negotiation(i["spare"], i["tom"], **changes)


def _offers(name: str, number: int, options: tuple[int, ...], price_ucr: int) -> Callable[[dict[str, bytes]], Command]:
    return lambda i: c.MakeOffer(i[name], number, options, price_ucr)


NEGOTIATION_CASES: list[Case] = [
    ("agent sells another's lease", Code.NOT_OWNER, ANN, _asks()),
    ("bank sells another's lease", Code.NOT_OWNER, BANK, _asks()),
    ("the pool's owner sells a lease of it", Code.NOT_OWNER, MANAGER, _asks()),
    ("operator sells", Code.NOT_PERMITTED, OPERATOR, _asks()),
    ("sell no lease", Code.UNKNOWN_LEASE, SUE, lambda i: negotiation(UNKNOWN_ID, i["tom"])),
    ("sell to nobody", Code.UNKNOWN_ACCOUNT, SUE, lambda i: negotiation(i["spare"], UNKNOWN_ID)),
    ("bargain with oneself", Code.BAD_COUNTERPART, SUE, lambda i: negotiation(i["spare"], i["sue"])),
    ("bargain with the bank", Code.BAD_COUNTERPART, SUE, lambda i: negotiation(i["spare"], i["bank"])),
    ("bargain twice over one lease", Code.LEASE_IN_NEGOTIATION, SUE, lambda i: negotiation(i["taken"], i["ann"])),
    ("no protocol", Code.UNKNOWN_VALUE, SUE, _asks(protocol=NegotiationProtocol.UNSPECIFIED)),
    ("five issues", Code.BAD_ISSUES, SUE, _asks(issues=_issues(2, 2, 2, 2, 2))),
    ("one option", Code.BAD_ISSUES, SUE, _asks(issues=_issues(1))),
    ("no options", Code.BAD_ISSUES, SUE, _asks(issues=_issues(0))),
    ("65 options", Code.BAD_ISSUES, SUE, _asks(issues=_issues(65))),
    ("an issue twice", Code.BAD_ISSUES, SUE, _asks(issues=(WHEN, WHEN))),
    ("an option twice", Code.BAD_ISSUES, SUE, _asks(issues=(Issue("when", ("now", "now")),))),
    ("long issues", Code.BAD_ISSUES, SUE, _asks(issues=_issues(60, 60))),
    ("an issue without a name", Code.BAD_NAME, SUE, _asks(issues=(Issue("", ("a", "b")),))),
    ("an option that is no text", Code.BAD_NAME, SUE, _asks(issues=(Issue("when", ("now", "\u202e")),))),
    *[(f"{n} rounds", Code.BAD_ROUNDS, SUE, _asks(rounds_max=n)) for n in (-1, 0, 257, 2**31 - 1)],
    *[(f"{n} still rounds", Code.BAD_ROUNDS, SUE, _asks(still_rounds_max=n)) for n in (-1, 11, 2**31 - 1)],
    *[
        (f"rounds of {n} ms", Code.BAD_DURATION, SUE, _asks(round_ms=n))
        for n in (-INT64_MAX - 1, 0, 49, 24 * 3600 * 1000 // 11 + 1, INT64_MAX)
    ],
    ("third party joins", Code.NOT_A_PARTY, ANN, lambda i: joined(i["asked"], 50)),
    ("holder joins", Code.OUT_OF_TURN, SUE, lambda i: joined(i["asked"], 50)),
    ("join twice", Code.OUT_OF_TURN, TOM, lambda i: joined(i["mono"], 50)),
    ("operator joins", Code.NOT_PERMITTED, OPERATOR, lambda i: joined(i["asked"], 50)),
    ("join with nothing", Code.BAD_AMOUNT, TOM, lambda i: joined(i["asked"], 0)),
    ("join with more than there is", Code.INSUFFICIENT_CREDIT, TOM, lambda i: joined(i["asked"], 801)),
    ("join with more than the budget", Code.BUDGET_EXCEEDED, TOM, lambda i: joined(i["asked"], 301)),
    ("join for a bad task", Code.BAD_NAME, TOM, lambda i: joined(i["asked"], 50, "x" * 65)),
    ("join nothing", Code.UNKNOWN_NEGOTIATION, TOM, lambda i: joined(UNKNOWN_ID, 50)),
    ("join what is over", Code.NEGOTIATION_CLOSED, TOM, lambda i: joined(i["over"], 50)),
    ("third party offers", Code.NOT_A_PARTY, ANN, _offers("mono", 2, (0,), 50)),
    ("bank offers", Code.NOT_A_PARTY, BANK, _offers("mono", 2, (0,), 50)),
    ("offer in what is over", Code.NEGOTIATION_CLOSED, SUE, _offers("over", 1, (), 50)),
    ("offer before the other has joined", Code.OUT_OF_TURN, SUE, _offers("asked", 1, (), 50)),
    ("offer for a round that is over", Code.ROUND_OVER, TOM, _offers("mono", 1, (1,), 20)),
    ("offer for a round to come", Code.OUT_OF_TURN, TOM, _offers("mono", 3, (1,), 20)),
    ("offer twice in a round", Code.OUT_OF_TURN, SUE, _offers("mono", 2, (0,), 80)),
    ("offer in the other's turn", Code.OUT_OF_TURN, SUE, _offers("turns", 2, (), 50)),
    ("take a concession back", Code.NOT_MONOTONIC, TOM, _offers("mono", 2, (1,), 9)),
    ("offer above the cap", Code.ABOVE_CAP, TOM, _offers("mono", 2, (1,), 101)),
    *[(f"offer {n}", Code.BAD_AMOUNT, TOM, _offers("mono", 2, (1,), n)) for n in (0, -1, INT64_MAX)],
    *[
        (f"options {options}", Code.BAD_OFFER, TOM, _offers("mono", 2, options, 50))
        for options in ((), (2,), (-1,), (0, 0), (2**31 - 1,))
    ],
    ("accept in monotonic concession", Code.WRONG_PROTOCOL, TOM, lambda i: c.AcceptOffer(i["mono"], 1)),
    ("accept one's own offer", Code.OUT_OF_TURN, SUE, lambda i: c.AcceptOffer(i["turns"], 1)),
    ("accept above the cap", Code.ABOVE_CAP, TOM, lambda i: c.AcceptOffer(i["turns"], 1)),
    ("accept what was before", Code.ROUND_OVER, TOM, lambda i: c.AcceptOffer(i["turns"], 0)),
    ("accept what is to come", Code.OUT_OF_TURN, TOM, lambda i: c.AcceptOffer(i["turns"], 2)),
    ("third party accepts", Code.NOT_A_PARTY, ANN, lambda i: c.AcceptOffer(i["turns"], 1)),
    ("third party ends it", Code.NOT_A_PARTY, ANN, lambda i: c.LeaveNegotiation(i["mono"])),
    ("leave what is over", Code.NEGOTIATION_CLOSED, SUE, lambda i: c.LeaveNegotiation(i["over"])),
    ("leave nothing", Code.UNKNOWN_NEGOTIATION, SUE, lambda i: c.LeaveNegotiation(UNKNOWN_ID)),
]
