"""Commands about deposits that break one rule each, and no other; see test_rules.py.

They are for its busy town. There `full` is a CFP with a deposit, whose pool has no room; its bidders are turned away.
"""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, Town, bid, key_pair

INT64_MAX = 2**63 - 1
RATE = 100_000
"""A hundred reserves an hour: one in 36 seconds."""
SELLER = key_pair("seller")
DEPOSIT_IDS = ("full",)

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def ask_deposits(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town with ann; from then on there are no deposits again."""
    seller = town.account("seller", SELLER, credits_ucr=100)
    town.pool("press", seller, 1)
    taken = town.cfp(SELLER, pool="press", duration_ms=3_600_000)
    town.bid(taken, "ann", 10)
    town.settle(taken)
    town.send(c.SetDeposit(RATE), OPERATOR)
    ids["full"] = town.cfp(SELLER, pool="press", open_ms=36_000, reserve_price_ucr=100)
    town.send(c.SetDeposit(0), OPERATOR)


DEPOSIT_CASES: list[Case] = [
    ("bank sets the deposit", Code.NOT_PERMITTED, BANK, lambda _: c.SetDeposit(1)),
    ("manager sets the deposit", Code.NOT_PERMITTED, MANAGER, lambda _: c.SetDeposit(0)),
    *[
        (f"deposit {n}", Code.BAD_AMOUNT, OPERATOR, lambda _, n=n: c.SetDeposit(n))
        for n in (-INT64_MAX - 1, -1, limits.DEPOSIT_HOURLY_PERMILLE_MAX + 1, INT64_MAX)
    ],
    *[
        (f"floor {n}", Code.BAD_AMOUNT, OPERATOR, lambda _, n=n: c.SetDeposit(1, n))
        for n in (-INT64_MAX - 1, -1, limits.DEPOSIT_FLOOR_UCR_MAX + 1, INT64_MAX)
    ],
    ("bid where there is no room", Code.NO_CAPACITY, ANN, lambda i: bid(i["full"], 100)),
]
