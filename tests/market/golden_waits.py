"""The golden session's claims that wait in vain, floors under deposits, and bonds within the ceiling, of rules version
10."""

from __future__ import annotations

import random
from typing import Any

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.buyers import ask, buying
from tests.market.cases_deposits import RATE
from tests.market.cases_negotiations import joined, negotiation
from tests.market.cases_resales import claim
from tests.market.town import MANAGER, Town, bid, call, key_pair

CLAIMANTS = ("ada", "ben", "cleo", "dora")
"""Ada and ben are of one budget root."""
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def waits(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Claims that end in every way before their holder has joined, and those that follow, by the same root and others;
    calls at next to nothing under floors that change; purchases with bonds up to the ceiling and above; silence."""
    dice = random.Random(10)
    keys = {name: key_pair(name) for name in CLAIMANTS}
    town.send(c.CreatePool("den", town.state.account_names["manager"], 6), bank)
    town.send(c.IssueCredits(town.state.account_names["manager"], 500_000, ""), bank)
    for name in CLAIMANTS:
        root = "root of ada" if name == "ben" else f"root of {name}"
        opened = c.OpenAccount(name, "den", root, keys[name].public, bytes(32))
        town.send(c.IssueCredits(town.send(opened, bank).id, 20_000, ""), bank)
    town.send(c.CreatePool("ada", town.state.account_names["ada"], 2), bank)
    for number in range(12):
        cfp = town.send(call(pool="den", duration_ms=dice.choice([700_000, 6 * HOUR_MS])), MANAGER).id
        holder, *others = dice.sample(CLAIMANTS, 4)
        lease = town.send(bid(cfp, 30), keys[holder]).id
        town.at_ms += 100
        town.tick()
        for turn in range(4):
            _claim(town, dice, lease, keys, holder, others)
            if (number, turn) in ((4, 1), (9, 2)):
                _pass(town, 61)
        if number % 2:
            _deposit(town, dice, keys, operator)
        else:
            bond_ucr = dice.choice([1, 40, 41, 10**6])
            wanted = town.send(buying(pool="den", reserve_price_ucr=40, bond_ucr=bond_ucr), keys["cleo"]).id
            town.send(ask(wanted, "ada", 30), keys["ada"])
        town.at_ms += dice.choice([1_000, 50_000])
        town.tick()
    town.send(c.SetDeposit(0), operator)
    for floor in (-1, 10**15 + 1):
        town.send(c.SetDeposit(RATE, floor), operator)
    for _ in range(4):
        town.at_ms += 30_000
        town.tick()


def _claim(
    town: Town, dice: random.Random, lease: bytes, keys: dict[str, KeyPair], holder: str, others: list[str]
) -> None:
    """Somebody claims a lease, and it ends somehow, with another claim before and after."""
    claimant, rival = dice.sample(others, 2)
    terms: dict[str, Any] = {"rounds_max": 4, "round_ms": dice.choice([2_000, MINUTE_MS, 2 * HOUR_MS])}
    talk = town.send(claim(lease, 90, "wish", **terms), keys[claimant]).id
    town.send(claim(lease, 80, **terms), keys[rival])
    end = dice.randrange(6)
    if end < 2:
        town.send(c.LeaveNegotiation(talk), keys[(holder, claimant)[end]])
    elif end == 2:
        asked = town.state.account_names[dice.choice([claimant, rival])]
        town.send(c.LeaveNegotiation(town.send(negotiation(lease, asked), keys[holder]).id), keys[holder])
    elif end == 3:
        town.send(joined(talk, 0), keys[holder])
        town.send(c.LeaveNegotiation(talk), keys[holder])
    else:
        _pass(town, 6)
        town.send(joined(talk, 0), keys[holder])
    town.send(claim(lease, 70, **terms), keys[dice.choice([claimant, rival])])


def _pass(town: Town, minutes: int) -> None:
    """Time goes on, a minute a record."""
    for _ in range(minutes):
        town.at_ms += MINUTE_MS
        town.tick()


def _deposit(town: Town, dice: random.Random, keys: dict[str, KeyPair], operator: KeyPair) -> None:
    """A call at next to nothing, which is taken back, under a floor or none."""
    town.send(c.SetDeposit(10 * RATE, dice.choice([0, 5_000, 20_000, 10**9])), operator)
    terms: dict[str, Any] = {"units": dice.randrange(1, 3), "duration_ms": dice.choice([100, 9_000, HOUR_MS])}
    cfp = town.send(call(pool="den", open_ms=9_000, reserve_price_ucr=1, slots=2, **terms), MANAGER).id
    for name in dice.sample(CLAIMANTS, 2):
        town.send(bid(cfp, dice.choice([1, 50])), keys[name])
        town.at_ms += 1_000
    town.send(c.CancelCfp(cfp), MANAGER)
