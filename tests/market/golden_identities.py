"""The golden session's ties between budget roots, and weights of roots, of rules version 10."""

from __future__ import annotations

import random

from contractnet.messages import Pricing
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.buyers import ask, buying
from tests.market.town import MANAGER, Town, bid, call, key_pair, token_pool

ROOTS = {"nora": "north", "nils": "north", "nina": "north", "saul": "south", "sven": "south", "wade": "west"}
POOL = "provider/chat of roots"


def identities(town: Town, bank: KeyPair) -> None:
    """Three roots of three, two and one accounts bid, ask and order the same, or nearly, for one slot or several, at
    weights that go down and up again while calls are open; somebody joins a root whose weight is low."""
    dice = random.Random(10)
    manager = town.state.account_names["manager"]
    town.send(c.CreatePool("barrack", manager, 12), bank)
    town.send(token_pool(POOL, manager, tokens_per_minute=6_000, burst_tokens=300), bank)
    town.send(c.IssueCredits(manager, 20_000, ""), bank)
    roots = dict(ROOTS)
    for name, root in roots.items():
        _join(town, bank, name, root)
    for number in range(40):
        if number == 20:
            roots["nell"] = "north"
            _join(town, bank, "nell", "north")
        terms = {"slots": dice.choice([1, 1, 2, 3]), "pricing": dice.choice([Pricing.SECOND] * 3 + [Pricing.FIRST])}
        sold = town.send(call(pool="barrack", duration_ms=300, **terms), MANAGER).id
        bought = town.send(buying(duration_ms=100, **terms), MANAGER).id
        if dice.random() < 0.3:
            weighed = town.state.account_names[dice.choice(list(roots))]
            town.send(c.SetWeight(weighed, dice.choice([500, 800, 1_000, 1_000])), bank)
        for name in dice.sample(list(roots), 5):
            town.send(bid(sold, dice.choice([20, 40, 40]), dice.choice([0, 0, 0, 200])), key_pair(name))
        for name in dice.sample(list(ROOTS), 4):
            # A delay of 100 ms costs 10.
            town.send(ask(bought, name, *dice.choice([(50, 0), (50, 0), (40, 100), (60, 0)])), key_pair(name))
        for name in dice.sample(list(roots), 3):
            order = c.PlaceStandingOrder(POOL, 200, dice.choice([1_000, 2_000]), "chat", 3_000)
            town.send(order, key_pair(name))
        town.at_ms += dice.choice([100, 1_000, 2_500])
        town.tick()


def _join(town: Town, bank: KeyPair, name: str, root: str) -> None:
    """An account of a root, with credits and a pool to work with."""
    opened = c.OpenAccount(name, "families", root, key_pair(name).public, bytes(32))
    ident = town.send(opened, bank).id
    town.send(c.IssueCredits(ident, 9_000, ""), bank)
    town.send(c.CreatePool(name, ident, 20), bank)
