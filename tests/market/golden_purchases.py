"""The golden session's CFPs that buy, of rules version 6 and later."""

from __future__ import annotations

import random
from dataclasses import replace

from contractnet.messages import Awarder, Pricing
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.buyers import ask, buying, done, failed, started
from tests.market.cases_purchases import PURCHASE_CASES, let_buy
from tests.market.town import MANAGER, UNKNOWN_ID, Town, call, key_pair


def purchases(town: Town, bank: KeyPair, version: int) -> None:
    """CFPs that buy: each broken rule, then asks with weights and delays; work is done, fails, or times out."""
    ids = {name: town.state.account_names[name] for name in ("cat", "bob")} | {"bank": town.state.bank}
    cfps = [town.send(call(open_ms=20_000), MANAGER).id for _ in range(2)]
    ids |= {"cfp": cfps[0], "ended": cfps[1], "lease": UNKNOWN_ID}
    town.send(c.CancelCfp(cfps[1]), MANAGER)
    let_buy(town, ids, bank)
    for _, _, sender, command in PURCHASE_CASES:
        town.send(command(ids), sender)
    dice = random.Random(4)
    contractors = ("fay", "gus", "hal")
    for name in contractors:
        town.send(c.IssueCredits(ids[name], 10_000, ""), bank)
    town.send(c.IssueCredits(ids["ivy"], 50_000, ""), bank)
    for _ in range(40):
        town.send(c.SetWeight(ids[dice.choice(contractors)], dice.randrange(500, 1001)), bank)
        terms = {
            "slots": dice.randrange(1, 3),
            "duration_ms": dice.choice([100, 400]),
            "grace_ms": dice.choice([0, 300]),
        }
        terms |= {"delay_cost_per_s_ucr": dice.choice([0, 7, 333]), "bond_ucr": dice.randrange(1, 9)}
        pricing = Pricing.FIRST if dice.random() < 0.2 else Pricing.SECOND
        wanted = buying(**terms, pricing=pricing)
        if version >= 7 and dice.random() < 0.4:
            wanted = replace(wanted, pricing=Pricing.FIRST, award=Awarder.MANAGER, decide_ms=1_000)
        cfp = town.send(wanted, key_pair("ivy")).id
        for name in dice.sample(contractors, dice.randrange(0, 4)):
            asked = town.send(ask(cfp, name, dice.randrange(20, 101), dice.choice([0, 0, 200]), "task"), key_pair(name))
            if dice.random() < 0.1:
                town.send(c.WithdrawBid(asked.id), key_pair(name))
        if dice.random() < 0.1:
            town.send(c.CancelCfp(cfp), key_pair("ivy"))
        town.at_ms += 100
        town.tick()
        for placed in list(town.state.cfps[cfp].bids) if cfp in town.state.cfps else ():
            decide = dice.choice((c.AwardBid, c.AwardBid, c.RejectBid))
            town.send(decide(placed), key_pair("ivy"))
        for work in list(town.state.works.values()):
            name = next(name for name in contractors if ids[name] == work.account)
            reports = (started(work.award), done(work.award, "result"), failed(work.award, "why"))
            for report in dice.sample(reports, dice.randrange(0, 4)):
                town.send(report, key_pair(name))
                town.at_ms += dice.choice([0, 30, 150])
        town.at_ms += dice.choice([0, 500, 30_000])
        town.tick()
