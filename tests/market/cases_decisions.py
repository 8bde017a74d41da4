"""Commands about a manager's own awards and about refusals that break one rule each, and no other; see test_rules.py.

They are for its busy town. There cat has bid on three CFPs that their manager awards: `chosen` can be awarded, `wide`
needs more units than are free, `early` is on one that takes bids still; bob's `low` is below the reserve. Cat has
refused `quiet`, on which nobody has bid.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Awarder, Code, Command, Pricing
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, bid, call, key_pair, managed

CAT = key_pair("cat")
INT64_MAX, DAY_MS = 2**63 - 1, 24 * 3600 * 1000
DECISION_IDS = ("decided", "chosen", "low", "wide", "early")

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def leave_to_the_manager(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town with a manager and bob."""
    ids["cat"] = town.account("cat", credits_ucr=1_000)
    wide = town.send(managed(units=2, decide_ms=3_600_000), MANAGER).id
    ids["wide"] = town.bid(wide, "cat", 11).id
    ids["decided"] = town.send(managed(slots=2, decide_ms=3_600_000), MANAGER).id
    ids["chosen"] = town.bid(ids["decided"], "cat", 30).id
    ids["low"] = town.bid(ids["decided"], "bob", 9).id
    town.at_ms += 100
    town.tick()
    ids["early"] = town.bid(town.send(managed(open_ms=10_000), MANAGER).id, "cat", 20).id
    assert town.send(c.RefuseCfp(ids["quiet"], "no need"), CAT).code is Code.ACCEPTED


DECISION_CASES: list[Case] = [
    ("a manager with second prices", Code.BAD_PRICING, MANAGER, lambda i: managed(pricing=Pricing.SECOND)),
    ("award by nobody", Code.UNKNOWN_VALUE, MANAGER, lambda i: call(award=Awarder.UNSPECIFIED)),
    ("time to decide without a manager", Code.BAD_DURATION, MANAGER, lambda i: call(decide_ms=1_000)),
    *[
        (f"{n} to decide", Code.BAD_DURATION, MANAGER, lambda i, n=n: managed(decide_ms=n))
        for n in (-INT64_MAX - 1, -1, 0, 99, DAY_MS - 99, INT64_MAX)
    ],
    ("award what the market awards", Code.NOT_MANAGED, MANAGER, lambda i: c.AwardBid(i["bid"])),
    ("reject what the market awards", Code.NOT_MANAGED, MANAGER, lambda i: c.RejectBid(i["bid"])),
    ("award before the deadline", Code.CFP_OPEN, MANAGER, lambda i: c.AwardBid(i["early"])),
    ("reject before the deadline", Code.CFP_OPEN, MANAGER, lambda i: c.RejectBid(i["early"])),
    ("award below the reserve", Code.BELOW_RESERVE, MANAGER, lambda i: c.AwardBid(i["low"])),
    ("award what has no room", Code.NO_CAPACITY, MANAGER, lambda i: c.AwardBid(i["wide"])),
    ("withdraw after the deadline", Code.BID_BINDING, CAT, lambda i: c.WithdrawBid(i["chosen"])),
    ("agent awards another's", Code.NOT_OWNER, ANN, lambda i: c.AwardBid(i["chosen"])),
    ("bidder awards its own", Code.NOT_OWNER, CAT, lambda i: c.AwardBid(i["chosen"])),
    ("agent rejects another's", Code.NOT_OWNER, ANN, lambda i: c.RejectBid(i["chosen"])),
    ("bank awards", Code.NOT_OWNER, BANK, lambda i: c.AwardBid(i["chosen"])),
    ("agent withdraws another's after the deadline", Code.NOT_OWNER, ANN, lambda i: c.WithdrawBid(i["chosen"])),
    ("agent cancels another's after the deadline", Code.NOT_OWNER, CAT, lambda i: c.CancelCfp(i["decided"])),
    ("operator awards", Code.NOT_PERMITTED, OPERATOR, lambda i: c.AwardBid(i["chosen"])),
    ("operator rejects", Code.NOT_PERMITTED, OPERATOR, lambda i: c.RejectBid(i["chosen"])),
    ("award no bid", Code.UNKNOWN_BID, MANAGER, lambda i: c.AwardBid(UNKNOWN_ID)),
    ("reject no bid", Code.UNKNOWN_BID, MANAGER, lambda i: c.RejectBid(UNKNOWN_ID)),
    ("award a settled bid", Code.UNKNOWN_BID, MANAGER, lambda i: c.AwardBid(i["lease"])),
    ("bid after the deadline", Code.CFP_CLOSED, ANN, lambda i: bid(i["decided"], 20)),
    ("refuse after the deadline", Code.CFP_CLOSED, ANN, lambda i: c.RefuseCfp(i["decided"], "")),
    ("refuse an ended CFP", Code.CFP_CLOSED, ANN, lambda i: c.RefuseCfp(i["ended"], "")),
    ("refuse no CFP", Code.UNKNOWN_CFP, ANN, lambda i: c.RefuseCfp(UNKNOWN_ID, "")),
    ("refuse one's own CFP", Code.OWN_CFP, MANAGER, lambda i: c.RefuseCfp(i["cfp"], "")),
    ("bank refuses", Code.NOT_PERMITTED, BANK, lambda i: c.RefuseCfp(i["cfp"], "")),
    ("operator refuses", Code.NOT_PERMITTED, OPERATOR, lambda i: c.RefuseCfp(i["cfp"], "")),
    ("refuse with a long reason", Code.BAD_NAME, CAT, lambda i: c.RefuseCfp(i["cfp"], "x" * 65)),
    ("refuse with a bad reason", Code.BAD_NAME, CAT, lambda i: c.RefuseCfp(i["cfp"], "\u202e")),
    ("refuse after a bid", Code.OUT_OF_SEQUENCE, ANN, lambda i: c.RefuseCfp(i["cfp"], "")),
    ("refuse twice", Code.OUT_OF_SEQUENCE, CAT, lambda i: c.RefuseCfp(i["quiet"], "")),
    ("bid after a refusal", Code.OUT_OF_SEQUENCE, CAT, lambda i: bid(i["quiet"], 20)),
]
