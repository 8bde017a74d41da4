"""The golden session's decay by the average, and what is owed, of rules version 9."""

from __future__ import annotations

import random

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import MANAGER, Town, bid, budget, call, grouped, key_pair

HOLDERS = ("will", "xena", "yuri")
MINUTE_MS = 60_000


def decay(town: Town, bank: KeyPair) -> None:
    """Three accounts whose budgets decay, their own and their project's: credits that go round, that bids hold when
    windows end, that are owed and collected; terms that change, an account that comes later. Then no budgets any more,
    and silence."""
    dice = random.Random(9)
    ids: dict[str, bytes] = {}

    def join(name: str) -> None:
        opened = c.OpenAccount(name, "hoard", f"root of {name}", key_pair(name).public, bytes(32))
        ids[name] = town.send(opened, bank).id
        town.send(c.IssueCredits(ids[name], 5_000, ""), bank)

    town.send(c.CreatePool("barn", town.state.account_names["manager"], 8), bank)
    for name in HOLDERS[:2]:
        join(name)
        town.send(budget(ids[name], limit_ucr=None, decay_permille=100, offset_ms=None), bank)
    town.send(budget(None, "hoard", limit_ucr=None, decay_permille=50, allowance_ucr=90, window_ms=90_000), bank)
    for number in range(40):
        if number == 12:
            join(HOLDERS[2])
        if number % 10 == 5:
            terms = {"decay_permille": dice.choice([0, 100, 333]), "cap_allowances": dice.choice([0, 40])}
            terms |= {"allowance_ucr": dice.choice([0, 120]), "window_ms": dice.choice([MINUTE_MS, 90_000])}
            town.send(budget(ids[HOLDERS[0]], limit_ucr=None, **terms), bank)
        open_ms = dice.choice([1_000, 40_000, 2 * MINUTE_MS])
        cfp = town.send(call(pool="barn", open_ms=open_ms, reserve_price_ucr=10), MANAGER).id
        for name in dice.sample(sorted(ids), 2):
            free_ucr = town.state.accounts[ids[name]].available_ucr
            price_ucr = max(10, free_ucr * dice.choice([1, 5, 10]) // 10)
            placed = grouped(cfp, price_ucr) if dice.random() < 0.5 else bid(cfp, price_ucr)
            town.send(placed, key_pair(name))
        debit, credit = dice.sample(sorted(ids), 2)
        town.send(c.TransferCredits(ids[debit], ids[credit], dice.choice([1, 300, 2_000]), ""), bank)
        if number % 4 == 3:
            town.send(c.CancelCfp(cfp), MANAGER)
        town.at_ms += dice.choice([0, 7_777, 30_000, MINUTE_MS])
        town.tick()
    town.send(c.ClearBudget(ids[HOLDERS[1]], ""), bank)
    for _ in range(4):
        town.at_ms += 50_000
        town.tick()
    for one in list(town.state.budgets.values()):
        town.send(c.ClearBudget(one.account, one.project), bank)
    for _ in range(4):
        town.at_ms += 30_000
        town.tick()
