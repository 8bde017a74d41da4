"""Commands of or about an account that owes decay, which break one rule each, and no other; see test_rules.py.

They are for its busy town. There the debtor has 12,000 and owes 10 of them.
"""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import BANK, MANAGER, Town, bid, budget, grouped, key_pair

DEBTOR = key_pair("debtor")
DECAY_IDS = ("debtor",)
HAS_UCR, OWES_UCR = 12_000, 10

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def owe(town: Town, ids: dict[str, bytes]) -> None:
    """Make it owe: all that it has backs a bid when a window ends of which it had that for 50 ms. The budget ends."""
    ids["debtor"] = town.account("debtor", DEBTOR, credits_ucr=HAS_UCR)
    minute = {"window_ms": 60_000, "offset_ms": (town.at_ms + 50) % 60_000}
    town.send(budget(ids["debtor"], limit_ucr=None, decay_permille=1000, **minute), BANK)
    cfp = town.cfp(open_ms=10_000)
    town.bid(cfp, "debtor", HAS_UCR)
    town.at_ms += 50
    town.tick()
    town.send(c.CancelCfp(cfp), MANAGER)
    town.send(c.ClearBudget(ids["debtor"], ""), BANK)


MORE_UCR = HAS_UCR - OWES_UCR + 1
DECAY_CASES: list[Case] = [
    ("bid what is owed", Code.INSUFFICIENT_CREDIT, DEBTOR, lambda i: bid(i["cfp"], MORE_UCR)),
    ("bid what is owed in a group", Code.INSUFFICIENT_CREDIT, DEBTOR, lambda i: grouped(i["cfp"], MORE_UCR)),
    (
        "transfer what is owed",
        Code.INSUFFICIENT_CREDIT,
        BANK,
        lambda i: c.TransferCredits(i["debtor"], i["bob"], MORE_UCR, ""),
    ),
]
