"""The golden session's deposits of managers that sell, of rules version 8."""

from __future__ import annotations

import random

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_deposits import RATE
from tests.market.cases_policies import policy
from tests.market.town import MANAGER, Town, bid, call, key_pair, managed

STRANGERS = ("uma", "vic")
"""Agents of other budget roots than the manager's."""


def deposits(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Calls of both kinds with deposits that end in every way, under rates that change; one that cannot be paid. Then
    no budgets and no orders any more, and silence."""
    dice = random.Random(8)
    town.send(policy(None), operator)
    town.send(c.CreatePool("mill", town.state.account_names["manager"], 8), bank)
    town.send(c.ClearBudget(town.state.account_names["cat"], ""), bank)
    keys = {"cat": key_pair("cat")}
    for name in STRANGERS:
        keys[name] = key_pair(name)
        opened = c.OpenAccount(name, "elsewhere", f"root of {name}", keys[name].public, bytes(32))
        town.send(c.IssueCredits(town.send(opened, bank).id, 5_000, ""), bank)
    for number in range(40):
        if number % 5 == 0:
            town.send(c.SetDeposit(dice.choice([RATE, RATE, 10 * RATE, 0])), operator)
        terms = {"pool": "mill", "slots": dice.randrange(1, 3), "units": dice.choice([1, 2, 8]), "duration_ms": 20_000}
        terms |= {"open_ms": dice.choice([9_000, 18_000]), "reserve_price_ucr": dice.choice([10, 100])}
        made = managed(**terms, decide_ms=dice.choice([9_000, 30_000])) if number % 2 else call(**terms)
        cfp = town.send(made, MANAGER).id
        bids: list[bytes] = []
        for name in dice.sample(sorted(keys), dice.randrange(1, 4)):
            town.at_ms += dice.choice([0, 1_000, 2_345])
            bids.append(town.send(bid(cfp, dice.randrange(80, 200), 0, "task"), keys[name]).id)
        if number % 7 == 3:
            town.send(c.CancelCfp(cfp), MANAGER)
        if number % 7 == 4:
            town.send(c.ResizePool("mill", 7 + number % 2), MANAGER)
        town.at_ms += 18_000
        town.tick()
        for ident in dice.sample(bids, dice.randrange(len(bids) + 1)):
            town.send(c.AwardBid(ident) if dice.random() < 0.3 else c.RejectBid(ident), MANAGER)
            town.at_ms += dice.choice([0, 700])
        town.at_ms += 30_000
        town.tick()
    town.send(c.SetDeposit(10 * RATE), operator)
    town.send(call(pool="mill", open_ms=18_000, reserve_price_ucr=10**12), MANAGER)
    town.send(c.SetDeposit(0), operator)
    for budget in list(town.state.budgets.values()):
        town.send(c.ClearBudget(budget.account, budget.project), bank)
    for pool in town.state.token_pools.values():
        for order in list(pool.orders.values()):
            town.send(c.CancelStandingOrder(order.id), key_pair(town.state.accounts[order.account].name))
    for _ in range(4):
        town.at_ms += 30_000
        town.tick()
