"""The golden session's deposits of managers that buy, of rules version 11."""

from __future__ import annotations

import random

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.buyers import ask, buying, chosen, failed
from tests.market.cases_deposits import RATE
from tests.market.town import MANAGER, Town, key_pair

CONTRACTORS = ("ludo", "mira")
"""Agents of other budget roots than the manager's, with a pool of their name."""


def buyer_deposits(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Calls of both kinds that end in every way, under rates that change; asks that their pools have no room for, or
    that are taken back; a call whose deposit cannot be paid."""
    dice = random.Random(11)
    manager = town.state.account_names["manager"]
    town.send(c.IssueCredits(manager, 20_000, ""), bank)
    for name in CONTRACTORS:
        opened = c.OpenAccount(name, "elsewhere", f"root of {name}", key_pair(name).public, bytes(32))
        ident = town.send(opened, bank).id
        town.send(c.IssueCredits(ident, 5_000, ""), bank)
        town.send(c.CreatePool(name, ident, 2), bank)
    for number in range(40):
        if number % 5 == 0:
            town.send(c.SetDeposit(dice.choice([RATE, RATE, 10 * RATE, 0]), dice.choice([0, 10**6])), operator)
        terms = {"slots": dice.randrange(1, 3), "units": dice.randrange(1, 3), "bond_ucr": dice.choice([7, 40])}
        terms |= {"open_ms": dice.choice([9_000, 18_000]), "duration_ms": dice.choice([1_000, 60_000])}
        made = chosen(**terms | {"decide_ms": dice.choice([9_000, 30_000])}) if number % 2 else buying(**terms)
        cfp = town.send(made, MANAGER).id
        asks: list[tuple[str, bytes]] = []
        for name in dice.sample(CONTRACTORS, dice.randrange(1, 3)):
            town.at_ms += dice.choice([0, 1_000, 2_345])
            offer = ask(cfp, name, dice.randrange(30, 100), dice.choice([0, 0, 2_000]))
            asks.append((name, town.send(offer, key_pair(name)).id))
        if number % 7 == 2:
            name, ident = asks[0]
            town.send(c.WithdrawBid(ident), key_pair(name))
        if number % 7 in (3, 4):
            town.send(c.CancelCfp(cfp), MANAGER)
        town.at_ms += 18_000
        town.tick()
        for name, ident in dice.sample(asks, dice.randrange(len(asks) + 1)):
            town.send(c.AwardBid(ident) if dice.random() < 0.5 else c.RejectBid(ident), MANAGER)
            town.at_ms += dice.choice([0, 700])
            if dice.random() < 0.5:
                town.send(failed(ident), key_pair(name))
        town.at_ms += 30_000
        town.tick()
    town.send(c.SetDeposit(10 * RATE), operator)
    town.send(buying(open_ms=18_000, reserve_price_ucr=10_000, bond_ucr=10_000), MANAGER)
    town.send(c.SetDeposit(0), operator)
    for _ in range(4):
        town.at_ms += 60_000
        town.tick()
