"""The golden session's resales with an open call, and claims on leases, of rules version 9."""

from __future__ import annotations

import random
from typing import Any

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_negotiations import ALTERNATING, MONOTONIC, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.town import MANAGER, Town, bid, call, grouped, key_pair

TRADERS = ("wim", "xia", "yan", "zoe")


def resales(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Leases that are sold on and called for, with bids of others and without, and what must not be done meanwhile;
    claims that are joined, left, given way to, and run out; calls of all lengths, and silence."""
    dice = random.Random(9)
    town.send(c.CreatePool("shop", town.state.account_names["manager"], 3), bank)
    for name in TRADERS:
        opened = c.OpenAccount(name, "traders", f"root of {name}", key_pair(name).public, bytes(32))
        town.send(c.IssueCredits(town.send(opened, bank).id, 9_000, ""), bank)
    town.send(c.SetWeight(town.state.account_names["wim"], 600), bank)
    for number in range(36):
        if number % 4 == 0:
            town.send(c.SetResaleCall(dice.choice([0, 500, 500, 2_000])), operator)
        holder, buyer, other, rival = dice.sample(TRADERS, 4)
        keys = {name: key_pair(name) for name in TRADERS}
        cfp = town.send(call(pool="shop", duration_ms=dice.choice([800, 9_000, 9_000, 9_000])), MANAGER).id
        lease = town.send(bid(cfp, 30, dice.choice([0, 0, 1_000]), "rent"), keys[holder]).id
        town.at_ms += 100
        town.tick()
        monotonic = dice.random() < 0.6
        terms: dict[str, Any] = {"protocol": MONOTONIC if monotonic else ALTERNATING, "round_ms": 2_000}
        if number % 3 == 0:
            talk = town.send(claim(lease, 120, "wish", **terms), keys[buyer]).id
            town.send(claim(lease, 120, "wish", **terms), keys[rival])
            if number % 9 == 0:
                town.send(negotiation(lease, town.state.account_names[other], **terms), keys[holder])
            town.send(joined(talk, dice.choice([0, 0, 0, 1])), keys[dice.choice([holder, holder, buyer])])
        else:
            talk = town.send(negotiation(lease, town.state.account_names[buyer], **terms), keys[holder]).id
            town.send(joined(talk, 120, "wish"), keys[buyer])
        price = dice.randrange(20, 120)
        town.send(c.MakeOffer(talk, 1, (), price), keys[holder])
        town.send(c.MakeOffer(talk, 1, (), price) if monotonic else c.AcceptOffer(talk, 1), keys[buyer])
        wrong = [
            (c.WithdrawBid(talk), buyer),
            (c.CancelCfp(talk), holder),
            (c.ReleaseLease(lease), holder),
            (claim(lease, 120, **terms), rival),
            (negotiation(lease, town.state.account_names[other], **terms), holder),
            (bid(talk, price, 1), rival),
            (c.LeaveNegotiation(talk), buyer),
        ]
        for command, name in dice.sample(wrong, 2):
            town.send(command, keys[name])
        for name in dice.sample([other, rival, holder], 2):
            price_ucr, group = dice.randrange(10, 200), bytes([number] * 16)
            town.send(bid(talk, price_ucr) if number % 2 else grouped(talk, price_ucr, group=group), keys[name])
        town.at_ms += dice.choice([100, 500, 500, 2_000])
        town.tick()
    town.send(c.SetResaleCall(0), operator)
    town.send(c.SetResaleCall(60_001), operator)
    for _ in range(4):
        town.at_ms += 30_000
        town.tick()
