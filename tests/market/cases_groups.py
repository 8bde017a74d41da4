"""Bids of groups that break one rule each, and no other; see test_rules.py.

They are for its busy town. There dan's group `GROUP` has won once, which is enough, and of his group `OTHER`, of which
two may win, one bid of 20 stands on `cfp`.
"""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.cases_decisions import CAT
from tests.market.town import MANAGER, Town, grouped, key_pair

DAN = key_pair("dan")
OTHER = b"\xbb" * 16
INT32_MAX = 2**31 - 1

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def bid_in_groups(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town with a manager."""
    ids["dan"] = town.account("dan", credits_ucr=1_000)
    won = town.cfp(duration_ms=100)
    assert town.send(grouped(won, 30), DAN).code is Code.ACCEPTED
    assert len(town.settle(won)) == 1
    town.at_ms += 100
    town.tick()
    assert town.send(grouped(ids["cfp"], 20, 2, OTHER), DAN).code is Code.ACCEPTED


GROUP_CASES: list[Case] = [
    *[
        (f"a group of which {n} may win", Code.BAD_GROUP, DAN, lambda i, n=n: grouped(i["quiet"], 20, n, OTHER))
        for n in (-INT32_MAX - 1, -1, 0, limits.BIDS_PER_GROUP_MAX + 1, INT32_MAX)
    ],
    *[
        (f"no group, of which {n} may win", Code.BAD_GROUP, DAN, lambda i, n=n: _without(i["quiet"], n))
        for n in (-1, 1, INT32_MAX)
    ],
    ("a group of another number", Code.GROUP_DIFFERS, DAN, lambda i: grouped(i["quiet"], 20, 3, OTHER)),
    ("a group that has won, of another number", Code.GROUP_DIFFERS, DAN, lambda i: grouped(i["quiet"], 20, 2)),
    ("a group that has won", Code.GROUP_WON, DAN, lambda i: grouped(i["quiet"], 20)),
    ("two prices of a group", Code.INSUFFICIENT_CREDIT, DAN, lambda i: grouped(i["quiet"], 971, 2, OTHER)),
    ("bid twice in a group", Code.ALREADY_BID, DAN, lambda i: grouped(i["cfp"], 20, 2, OTHER)),
    ("bid in a group after a refusal", Code.OUT_OF_SEQUENCE, CAT, lambda i: grouped(i["quiet"], 20)),
    ("bid in a group on an ended CFP", Code.CFP_CLOSED, DAN, lambda i: grouped(i["ended"], 20, 2, OTHER)),
    ("bid in a group on one's own CFP", Code.OWN_CFP, MANAGER, lambda i: grouped(i["cfp"], 20)),
    ("nothing, in a group", Code.BAD_AMOUNT, DAN, lambda i: grouped(i["quiet"], 0, 2, OTHER)),
]


def _without(cfp: bytes, wins_max: int) -> c.PlaceBid:
    return c.PlaceBid(cfp, 20, 0, "", bytes(32), None, None, wins_max)
