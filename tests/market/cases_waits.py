"""Commands about claims that were not joined that break one rule each, and no other; see test_rules.py.

They are for its busy town. There `vain` is sue's lease, which tom has claimed in vain: he left before she had joined.
"""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_negotiations import TOM
from tests.market.cases_resales import claim
from tests.market.town import ANN, MANAGER, Town, call

WAIT_IDS = ("vain",)

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def claim_in_vain(town: Town, ids: dict[str, bytes]) -> None:
    """Make it, in a town where sue and tom bargain."""
    cfp = town.send(call(pool="rack", duration_ms=20 * 3600 * 1000), MANAGER).id
    ids["vain"] = town.bid(cfp, "sue", 10).id
    town.settle(cfp)
    wish = town.send(claim(ids["vain"], 20), TOM).id
    assert town.send(c.LeaveNegotiation(wish), TOM).code is Code.ACCEPTED


WAIT_CASES: list[Case] = [
    ("claim again what was not joined", Code.LIMIT_REACHED, TOM, lambda i: claim(i["vain"], 20)),
    ("claim what a sibling has kept waiting", Code.LIMIT_REACHED, ANN, lambda i: claim(i["vain"], 20)),
]
