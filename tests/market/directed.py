"""Histories that a random search seldom finds, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable

from contractnet.messages import Code, Pricing
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.directed_budgets import BUDGET_SCENARIOS
from tests.market.directed_buyer_deposits import BUYER_DEPOSIT_SCENARIOS
from tests.market.directed_claims import CLAIM_SCENARIOS
from tests.market.directed_decay import DECAY_SCENARIOS
from tests.market.directed_decisions import DECISION_SCENARIOS
from tests.market.directed_deposits import DEPOSIT_SCENARIOS
from tests.market.directed_groups import GROUP_SCENARIOS
from tests.market.directed_identities import IDENTITY_SCENARIOS
from tests.market.directed_invitations import INVITATION_SCENARIOS
from tests.market.directed_negotiations import NEGOTIATION_SCENARIOS
from tests.market.directed_policies import POLICY_SCENARIOS
from tests.market.directed_purchases import PURCHASE_SCENARIOS
from tests.market.directed_resales import RESALE_SCENARIOS
from tests.market.directed_roots import ROOT_SCENARIOS
from tests.market.directed_tokens import TOKEN_SCENARIOS
from tests.market.directed_waits import WAIT_SCENARIOS
from tests.market.play import SMALL, Play, founded
from tests.market.stages import CASE_IDS
from tests.market.test_rules import CASES
from tests.market.town import BANK, INBOX_KEY, MANAGER, OPERATOR, PARTITIONS, UNKNOWN_ID, bid, call


def strangers_at_the_door(play: Play) -> None:
    """Records that never reach a market, before there is one and after."""
    stranger = play.pair("stranger")
    genesis = c.OpenMarket(BANK.public, PARTITIONS, 1, True)
    assert play.send(genesis, stranger).code is Code.UNTRUSTED_OPERATOR
    assert play.send(c.OpenMarket(BANK.public, 5, 1, True), OPERATOR).code is Code.BAD_PARTITIONS
    assert play.send(c.OpenMarket(BANK.public, PARTITIONS, 99, True), OPERATOR).code is Code.UNKNOWN_RULES
    assert play.send(c.OpenMarket(OPERATOR.public, PARTITIONS, 1, True), OPERATOR).code is Code.KEY_TAKEN
    assert play.forged(genesis, OPERATOR).code is Code.BAD_SIGNATURE
    founded(play, "ann")
    for key, code in (
        (b"gpu-eu-west", Code.WRONG_PARTITION),
        (b"gpu-us-east", Code.UNKNOWN_MARKET),
        (b"\xff", Code.BAD_MARKET_NAME),
        (b"", Code.BAD_MARKET_NAME),
        (None, Code.BAD_MARKET_NAME),
    ):
        command = bid(UNKNOWN_ID, 1)
        _, value, headers = play.town.seal(command, play.keys_of(play.account("ann")))
        assert play.post((key, value, headers), command, valid=False).code is code
        assert play.post((key, value, headers[1:]), command, valid=False).code in (code, Code.MISSING_SIGNATURE)


def every_broken_rule(play: Play) -> None:
    """The commands of `test_rules`, each of which breaks one rule, in one market."""
    play.send(c.OpenMarket(BANK.public, PARTITIONS, 1, True), OPERATOR)
    ids = {"bank": play.model.bank} | dict.fromkeys(CASE_IDS, UNKNOWN_ID)
    for name in ("manager", "ann", "bob"):
        keys = play.pair(name)
        ids[name] = play.send(c.OpenAccount(name, "project", "root", keys.public, INBOX_KEY), BANK).id
        play.send(c.IssueCredits(ids[name], 1_000, ""), BANK)
    play.send(c.CreatePool("gpu", ids["manager"], 2), BANK)
    ids["ended"] = play.send(call(duration_ms=60_000), MANAGER).id
    ids["lease"] = play.by("bob", bid(ids["ended"], 100)).id
    play.town.at_ms += 100
    play.tick()
    ids["cfp"], ids["quiet"] = (play.send(call(open_ms=10_000), MANAGER).id for _ in range(2))
    ids["bid"] = play.by("ann", bid(ids["cfp"], 100)).id
    for _, _, sender, command in CASES:
        play.send(command(ids), sender)


def a_pool_changes_its_size(play: Play) -> None:
    """Units that leases use now or later cannot go; a CFP cannot ask for more than there are."""
    founded(play, "ann", "bob", units=2)
    cfp = play.by("manager", call(units=2)).id
    assert play.by("manager", bid(cfp, 20)).code is Code.OWN_CFP
    assert play.by("ann", bid(cfp, 20, -1)).code is Code.BAD_DURATION
    play.by("ann", bid(cfp, 20, 500))
    play.town.at_ms += 100
    assert len(play.tick().of(e.AwardMade)) == 1
    assert play.by("manager", c.ResizePool("gpu", 1)).code is Code.CAPACITY_RESERVED
    assert play.by("manager", c.ResizePool("gpu", 3)).of(e.PoolResized)
    assert play.by("manager", call(units=4)).code is Code.UNITS_EXCEED_POOL
    shrunk = play.by("manager", call(units=3)).id
    play.by("bob", bid(shrunk, 20, 5_000))
    assert play.by("bank", c.ResizePool("gpu", 2)).code is Code.ACCEPTED
    play.town.at_ms += 100
    assert not play.tick().of(e.AwardMade)


def other_rules(play: Play) -> None:
    """The operator activates the next version, once, and never goes back."""
    founded(play, "ann")
    assert play.by("ann", c.ActivateRules(2)).code is Code.NOT_PERMITTED
    assert play.by("operator", c.ActivateRules(2)).of(e.RulesActivated)
    assert play.by("operator", c.ActivateRules(1)).code is Code.UNKNOWN_RULES


def keys_come_and_go(play: Play) -> None:
    """Keys up to the limit, a rotation, a revocation, bytes that are no command, and a long silence."""
    founded(play, "ann")
    ann = play.account("ann")
    for number in range(SMALL["keys"] - 2):
        assert play.by("ann", c.RegisterKey(ann, play.pair(f"key {number}").public)).code is Code.ACCEPTED
    old = play.keys_of(ann)
    assert play.by("ann", c.RotateKey(play.pair("last").public)).of(e.KeyRevoked)
    assert play.send(bid(UNKNOWN_ID, 1), old).code is Code.REVOKED_KEY
    assert play.by("ann", c.RotateKey(play.pair("one more").public)).code is Code.LIMIT_REACHED
    assert play.by("ann", c.RevokeKey(ann, play.pair("key 0").public)).of(e.KeyRevoked)
    assert play.by("bank", c.RevokeKey(ann, play.pair("key 0").public)).code is Code.UNKNOWN_KEY
    for signed in (True, False):
        assert play.garbage(play.keys_of(ann), b"garbage", signed=signed).of(e.CommandUnreadable)
    assert play.repeat(-1).of(e.CommandUnreadable)
    assert play.by("bank", c.SetWeight(ann, 700)).of(e.WeightChanged)
    assert play.repeat(-1).of(e.CommandRepeated)
    play.town.at_ms += 30_000
    assert play.tick().of(e.ClockAdvanced)
    play.town.at_ms += 60_001
    assert play.tick().of(e.ClockJumped)


def keys_end(play: Play) -> None:
    """Under version 3 keys expire, an ended key is answered its repeats, and the operator's can be rotated."""
    founded(play, "ann")
    ann, old = play.account("ann"), play.keys_of(play.account("ann"))
    assert play.by("ann", c.RegisterKey(ann, play.pair("late").public, 2**62)).code is Code.UNKNOWN_RULES
    assert play.by("ann", c.RotateKey(play.pair("late").public, 2**62)).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.RotateKey(play.pair("other operator").public)).code is Code.NOT_PERMITTED
    assert play.by("ann", c.RotateKey(play.pair("second").public)).of(e.KeyRevoked)
    assert play.repeat(-1).code is Code.REVOKED_KEY
    assert play.by("operator", c.ActivateRules(3)).of(e.RulesActivated)
    assert play.send(bid(UNKNOWN_ID, 1), old).code is Code.REVOKED_KEY
    assert play.by("operator", c.RegisterKey(ann, play.pair("x").public)).code is Code.NOT_OWNER
    assert play.by("operator", c.RegisterKey(play.model.bank, play.pair("bank's second").public)).of(e.KeyRegistered)
    ends_at_ms = play.town.at_ms + 1_000
    assert play.by("ann", c.RotateKey(play.pair("third").public, ends_at_ms)).of(e.KeyExpires)
    assert play.repeat(-1).of(e.CommandRepeated)
    play.town.at_ms = ends_at_ms - 1
    assert play.by("ann", bid(UNKNOWN_ID, 1)).code is Code.UNKNOWN_CFP
    play.town.at_ms = ends_at_ms
    assert play.by("ann", bid(UNKNOWN_ID, 1)).code is Code.REVOKED_KEY
    assert play.repeat(-2).of(e.CommandRepeated)
    assert play.by("bank", c.RegisterKey(ann, play.pair("fourth").public)).of(e.KeyRegistered)
    assert play.by("ann", bid(UNKNOWN_ID, 1)).code is Code.UNKNOWN_CFP
    assert play.by("operator", c.RotateKey(play.pair("other operator").public)).of(e.OperatorKeyRotated)
    assert play.repeat(-1).of(e.CommandRepeated)
    assert play.send(c.ActivateRules(3), OPERATOR).code is Code.REVOKED_KEY
    assert play.by("operator", c.ActivateRules(3)).code is Code.UNKNOWN_RULES


def more_falls_due_than_one_record_settles(play: Play) -> None:
    """What is left waits for the next record, and takes no bid, withdrawal or cancel meanwhile."""
    founded(play, "ann", "bob", units=4)
    cfps = [play.by("manager", call()).id for _ in range(SMALL["cfps"])]
    bids = [play.by("ann", bid(cfp, 20)).id for cfp in cfps]
    play.town.at_ms += 100
    play.tick()
    (left,) = play.model.cfps
    play.town.at_ms += 1
    for cfp in sorted(cfps):
        play.by("manager", call(open_ms=50))
        assert play.by("bob", bid(cfp, 20)).code is Code.CFP_CLOSED
    assert left not in play.model.cfps
    play.town.at_ms += 5_000
    for ident in bids:
        assert play.by("ann", c.ReleaseLease(ident)).code is Code.UNKNOWN_LEASE
    play.restart()
    play.tick()


def overdue_things_cannot_be_touched(play: Play) -> None:
    """A withdrawal, a cancel or a release of something overdue and not yet settled comes too late."""
    founded(play, "ann", "bob", units=8)
    # Several CFPs that are due first keep the record busy while the last one is overdue.
    early = [play.by("manager", call(open_ms=50)).id for _ in range(SMALL["cfps"] - 1)]
    last = play.by("manager", call(open_ms=60)).id
    for cfp in early:
        play.by("ann", bid(cfp, 20))
    late = play.by("ann", bid(last, 20)).id
    play.town.at_ms += 60
    assert play.by("ann", c.WithdrawBid(late)).code is Code.CFP_CLOSED
    assert play.by("ann", c.WithdrawBid(late)).code is Code.UNKNOWN_BID
    again = [play.by("manager", call(open_ms=50)).id for _ in range(SMALL["cfps"])]
    play.town.at_ms += 60
    assert play.by("manager", c.CancelCfp(max(again))).code is Code.CFP_CLOSED
    play.town.at_ms += 60
    play.tick()
    play.restart()
    # Three CFPs and two leases end at one instant: the record settles three of them, the leases wait.
    won = play.by("manager", call(duration_ms=200, slots=2, open_ms=50)).id
    leases = [play.by(name, bid(won, 20)).id for name in ("ann", "bob")]
    play.town.at_ms += 50
    assert len(play.tick().of(e.AwardMade)) == 2
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=199))
    play.town.at_ms += 200
    codes = [play.by(name, c.ReleaseLease(lease)).code for name, lease in zip(("ann", "bob"), leases, strict=True)]
    assert codes == [Code.UNKNOWN_LEASE] * 2


def out_of_order_and_out_of_the_window(play: Play) -> None:
    """Within the window each sequence counts once, in any order; below it none does, for ever."""
    founded(play, "ann")
    order = [100, 103, 101, 102, 99, 110, 105, 98, 97, 104, 103, 101, 100]
    codes = [play.by("ann", c.WithdrawBid(UNKNOWN_ID), sequence=number).code for number in order]
    assert codes.count(Code.STALE_SEQUENCE) >= 3
    play.repeat(-1)
    play.repeat(-7)
    play.restart()
    assert play.by("ann", c.WithdrawBid(UNKNOWN_ID), sequence=97).code is Code.STALE_SEQUENCE


def crowded_auctions(play: Play) -> None:
    """Many bidders, several slots, weights, start delays and leases that crowd each other, at prices near and far."""
    agents = [f"agent {number}" for number in range(SMALL["accounts"] - 2)]
    founded(play, *agents, units=3, credits_ucr=5_000)
    dice = random.Random(1)
    for _ in range(120):
        pricing = Pricing.FIRST if dice.random() < 0.2 else Pricing.SECOND
        units, slots, duration_ms = dice.choice([1, 1, 2]), dice.choice([1, 2, 3]), dice.choice([100, 250, 400])
        wanted = call(units=units, slots=slots, duration_ms=duration_ms, pricing=pricing)
        cfp = play.by("manager", wanted).id
        # After the opening: it counts for the next CFP only.
        if dice.random() < 0.3:
            weight = dice.choice([500, 600, 800, 1000])
            play.by("bank", c.SetWeight(play.account(dice.choice(agents)), weight))
        for name in dice.sample(agents, dice.randrange(2, len(agents))):
            price = dice.choice([dice.randrange(5, 30), dice.randrange(8, 900)])
            placed = play.by(name, bid(cfp, price, dice.choice([0, 0, 50, 100, 300])))
            if dice.random() < 0.1:
                play.by(name, c.WithdrawBid(placed.id))
                play.by(name, bid(cfp, price))
        play.town.at_ms += dice.choice([100, 120])
        play.tick()
        for lease, row in list(play.model.leases.items()):
            if dice.random() < 0.2:
                play.by(play.model.accounts[row["account"]]["name"], c.ReleaseLease(lease))
        if dice.random() < 0.05:
            play.restart()
        for name in agents:
            play.by("bank", c.IssueCredits(play.account(name), 200, ""))


SCENARIOS: tuple[Callable[[Play], None], ...] = (
    strangers_at_the_door,
    every_broken_rule,
    a_pool_changes_its_size,
    other_rules,
    keys_come_and_go,
    keys_end,
    more_falls_due_than_one_record_settles,
    overdue_things_cannot_be_touched,
    out_of_order_and_out_of_the_window,
    crowded_auctions,
    *BUDGET_SCENARIOS,
    *DECISION_SCENARIOS,
    *GROUP_SCENARIOS,
    *INVITATION_SCENARIOS,
    *NEGOTIATION_SCENARIOS,
    *PURCHASE_SCENARIOS,
    *TOKEN_SCENARIOS,
    *POLICY_SCENARIOS,
    *DEPOSIT_SCENARIOS,
    *BUYER_DEPOSIT_SCENARIOS,
    *ROOT_SCENARIOS,
    *RESALE_SCENARIOS,
    *CLAIM_SCENARIOS,
    *DECAY_SCENARIOS,
    *IDENTITY_SCENARIOS,
    *WAIT_SCENARIOS,
)
