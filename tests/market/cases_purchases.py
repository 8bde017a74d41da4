"""Commands about CFPs that buy that break one rule each, and no other; see test_rules.py.

They are for its busy town. There ivy buys and has 1,000: `asked` takes asks still, and fay, who owns the pool `fay` of
two units, has one on it. Fay works for two more awards: `begun` has started, `idle` has not. Gus owns the pool `gus` of
one unit and has 3, cat has refused `asked`.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Awarder, Code, Command, Pricing, Progress
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.buyers import ask, buying, chosen, done, failed, started
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, bid, call, inbox_key, key_pair

IVY, FAY, GUS, HAL, CAT = map(key_pair, ("ivy", "fay", "gus", "hal", "cat"))
INT64_MAX, WEEK_MS = 2**63 - 1, 7 * 24 * 3600 * 1000
PURCHASE_IDS = ("asked", "ask", "wide", "begun", "idle")

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def let_buy(town: Town, ids: dict[str, bytes], bank: KeyPair = BANK) -> None:
    """Make them, in a town with cat."""
    for name, credits_ucr in (("ivy", 2_000), ("fay", 1_000), ("gus", 3), ("hal", 1_000)):
        ids[name] = town.send(c.OpenAccount(name, "project", "root", key_pair(name).public, inbox_key(name)), bank).id
        town.send(c.IssueCredits(ids[name], credits_ucr, ""), bank)
    for name, units in (("fay", 2), ("gus", 1), ("hal", 1)):
        town.send(c.CreatePool(name, ids[name], units), bank)
    for name in ("begun", "idle"):
        cfp = town.send(buying(duration_ms=3_600_000), IVY).id
        ids[name] = town.send(ask(cfp, "fay", 50), FAY).id
        town.at_ms += 100
        town.tick()
    assert town.send(started(ids["begun"]), FAY).code is Code.ACCEPTED
    ids["asked"] = town.send(buying(open_ms=10_000), IVY).id
    ids["ask"] = town.send(ask(ids["asked"], "fay", 50), FAY).id
    assert town.send(c.RefuseCfp(ids["asked"], ""), CAT).code is Code.ACCEPTED
    ids["wide"] = town.send(buying(open_ms=10_000, units=2), IVY).id


PURCHASE_CASES: list[Case] = [
    ("bank buys", Code.NOT_PERMITTED, BANK, lambda i: buying()),
    ("operator buys", Code.NOT_PERMITTED, OPERATOR, lambda i: buying()),
    ("buy what has no name", Code.BAD_NAME, IVY, lambda i: buying(pool="")),
    ("buy what has a bad name", Code.BAD_NAME, IVY, lambda i: buying(pool="x" * 65)),
    ("buy by a choice at second prices", Code.BAD_PRICING, IVY, lambda i: chosen(pricing=Pricing.SECOND)),
    ("buy by nobody's choice", Code.UNKNOWN_VALUE, IVY, lambda i: buying(award=Awarder.UNSPECIFIED)),
    ("buy with time to decide", Code.BAD_DURATION, IVY, lambda i: buying(decide_ms=1_000)),
    *[
        (f"buy with {n} to decide", Code.BAD_DURATION, IVY, lambda i, n=n: chosen(decide_ms=n))
        for n in (-INT64_MAX - 1, 0, 99, 24 * 3600 * 1000 - 99, INT64_MAX)
    ],
    ("buy for more than there is", Code.INSUFFICIENT_CREDIT, IVY, lambda i: buying(reserve_price_ucr=601, slots=3)),
    *[
        (f"bond of {n}", Code.BAD_AMOUNT, IVY, lambda i, n=n: buying(bond_ucr=n))
        for n in (-INT64_MAX - 1, -1, 0, limits.AMOUNT_UCR_MAX + 1, INT64_MAX)
    ],
    ("bond above the ceiling", Code.BAD_AMOUNT, IVY, lambda i: buying(bond_ucr=101)),
    *[
        (f"delay cost of {n}", Code.BAD_AMOUNT, IVY, lambda i, n=n: buying(delay_cost_per_s_ucr=n))
        for n in (-INT64_MAX - 1, -1, limits.AMOUNT_UCR_MAX + 1, INT64_MAX)
    ],
    ("ceiling of all slots", Code.BAD_AMOUNT, IVY, lambda i: buying(reserve_price_ucr=limits.AMOUNT_UCR_MAX, slots=2)),
    *[
        (f"start within {n}", Code.BAD_DURATION, IVY, lambda i, n=n: buying(start_within_ms=n))
        for n in (-INT64_MAX - 1, -1, limits.START_DELAY_MS_MAX + 1, INT64_MAX)
    ],
    *[
        (f"grace of {n}", Code.BAD_DURATION, IVY, lambda i, n=n: buying(grace_ms=n))
        for n in (-INT64_MAX - 1, -1, WEEK_MS - 999, INT64_MAX)
    ],
    ("buy without second or first price", Code.UNKNOWN_VALUE, IVY, lambda i: buying(pricing=Pricing.UNSPECIFIED)),
    ("buy in no slots", Code.BAD_UNITS, IVY, lambda i: buying(slots=0)),
    ("buy no units", Code.BAD_UNITS, IVY, lambda i: buying(units=0)),
    ("buy for nothing", Code.BAD_AMOUNT, IVY, lambda i: buying(reserve_price_ucr=0)),
    ("buy what is over at once", Code.BAD_DURATION, IVY, lambda i: buying(duration_ms=99)),
    ("buy from whoever is quick", Code.BAD_DURATION, IVY, lambda i: buying(open_ms=49)),
    *[
        (f"sell with {name}", Code.UNKNOWN_RULES, MANAGER, lambda i, name=name: call(**{name: 1}))
        for name in ("delay_cost_per_s_ucr", "bond_ucr", "start_within_ms", "grace_ms")
    ],
    ("bid on what buys", Code.OUT_OF_SEQUENCE, ANN, lambda i: bid(i["asked"], 20)),
    ("ask on what sells", Code.OUT_OF_SEQUENCE, HAL, lambda i: ask(i["cfp"], "hal", 20)),
    ("ask after a refusal", Code.OUT_OF_SEQUENCE, CAT, lambda i: ask(i["asked"], "hal", 20)),
    ("refuse after an ask", Code.OUT_OF_SEQUENCE, FAY, lambda i: c.RefuseCfp(i["asked"], "")),
    ("ask twice", Code.ALREADY_BID, FAY, lambda i: ask(i["asked"], "fay", 20)),
    ("ask oneself", Code.OWN_CFP, IVY, lambda i: ask(i["asked"], "fay", 20)),
    ("bank asks", Code.NOT_PERMITTED, BANK, lambda i: ask(i["asked"], "hal", 20)),
    ("operator asks", Code.NOT_PERMITTED, OPERATOR, lambda i: ask(i["asked"], "hal", 20)),
    ("ask on no CFP", Code.UNKNOWN_CFP, HAL, lambda i: ask(UNKNOWN_ID, "hal", 20)),
    ("ask on an ended CFP", Code.CFP_CLOSED, HAL, lambda i: ask(i["ended"], "hal", 20)),
    *[
        (f"ask for {n}", Code.BAD_AMOUNT, HAL, lambda i, n=n: ask(i["asked"], "hal", n))
        for n in (-INT64_MAX - 1, -1, 0, 101, INT64_MAX)
    ],
    *[
        (f"ask to start after {n}", Code.BAD_DURATION, HAL, lambda i, n=n: ask(i["asked"], "hal", 20, n))
        for n in (-INT64_MAX - 1, -1, 2_001, INT64_MAX)
    ],
    ("ask for a bad task", Code.BAD_NAME, HAL, lambda i: ask(i["asked"], "hal", 20, 0, "x" * 65)),
    ("ask with no pool", Code.UNKNOWN_POOL, HAL, lambda i: ask(i["asked"], "h100", 20)),
    ("ask with another's pool", Code.NOT_OWNER, HAL, lambda i: ask(i["asked"], "fay", 20)),
    ("ask with a small pool", Code.UNITS_EXCEED_POOL, HAL, lambda i: ask(i["wide"], "hal", 20)),
    ("ask without the bond", Code.INSUFFICIENT_CREDIT, GUS, lambda i: ask(i["asked"], "gus", 20)),
    ("award an ask", Code.NOT_MANAGED, IVY, lambda i: c.AwardBid(i["ask"])),
    ("start twice", Code.OUT_OF_SEQUENCE, FAY, lambda i: started(i["begun"])),
    ("be done before the start", Code.OUT_OF_SEQUENCE, FAY, lambda i: done(i["idle"])),
    ("give work back", Code.OUT_OF_SEQUENCE, FAY, lambda i: c.ReleaseLease(i["begun"])),
    ("manager is done", Code.NOT_OWNER, IVY, lambda i: done(i["begun"])),
    ("another starts", Code.NOT_OWNER, ANN, lambda i: started(i["idle"])),
    ("another fails", Code.NOT_OWNER, BANK, lambda i: failed(i["idle"])),
    ("operator starts", Code.NOT_PERMITTED, OPERATOR, lambda i: started(i["idle"])),
    ("start no work", Code.UNKNOWN_LEASE, FAY, lambda i: started(UNKNOWN_ID)),
    ("report a lease that was sold", Code.UNKNOWN_LEASE, key_pair("bob"), lambda i: done(i["lease"])),
    ("fail with a long reason", Code.BAD_NAME, FAY, lambda i: failed(i["begun"], "x" * 257)),
    ("be done with a bad result", Code.BAD_NAME, FAY, lambda i: done(i["begun"], "\u202e")),
    *[
        (f"report {p}", Code.UNKNOWN_VALUE, FAY, lambda i, p=p: c.ReportWork(i["begun"], p, ""))
        for p in (Progress.UNSPECIFIED, Progress.TIMED_OUT)
    ],
]
