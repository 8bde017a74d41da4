"""Adversaries against budgets, managers' own awards, refusals and invitations: insiders with a right signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contractnet.messages import Awarder, Code, Pricing
from contractnet.messages import commands as c
from contractnet.messages.commands import Command
from faults.hostile.absurd import BAD_TEXTS, LONG_MAX, LONG_MIN, PATHS, POISON
from faults.hostile.ground import ACCEPTED, DAY_MS, Ground, Shot, bid
from market import limits

MINUTE_MS = 60_000


def managed(ground: Ground, pool: str, open_ms: int, decide_ms: int = 1_000) -> c.CallForProposals:
    """A call whose manager chooses."""
    usual = ground.calling(pool, open_ms)
    return replace(usual, pricing=Pricing.FIRST, award=Awarder.MANAGER, decide_ms=decide_ms)


class Budgeteer:
    """Who gives itself a budget, takes others' away, or has the bank set one that makes no sense."""

    name = "budgets"

    def volley(self, ground: Ground) -> list[Shot]:
        """Only the bank sets budgets; and what it is given by somebody has to make sense."""
        rng, bank = ground.rng, ground.bank
        sender = rng.choice((ground.mallory, ground.fence, rng.choice(ground.agents)))
        scopes: tuple[tuple[bytes | None, str], ...] = (
            (ground.accounts[sender.public], ""),
            (None, "project"),
            (None, "mine"),
        )
        scope = rng.choice(scopes)
        sane = c.SetBudget(*scope, 10**6, 0, MINUTE_MS, None, 0, 0, 800)
        generous = replace(sane, limit_ucr=None, allowance_ucr=rng.randrange(1, limits.AMOUNT_UCR_MAX))
        tries = (sane, generous, c.TopUpBudget(*scope, rng.randrange(1, 10**9)), c.ClearBudget(*scope))
        shots = [ground.shot(command, sender, Code.NOT_PERMITTED) for command in tries]
        absurd: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"window_ms": rng.choice((0, -1, 1, MINUTE_MS - 1, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
            ({"offset_ms": rng.choice((-1, MINUTE_MS, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
            ({"limit_ucr": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_AMOUNT),
            ({"allowance_ucr": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_AMOUNT),
            ({"decay_permille": rng.choice((-1, 1001, 2**31 - 1))}, Code.BAD_BUDGET),
            ({"cap_allowances": rng.choice((-1, 1001, -(2**31)))}, Code.BAD_BUDGET),
            ({"warn_permille": rng.choice((0, -1, 1001))}, Code.BAD_BUDGET),
            ({"account": ground.accounts[sender.public], "project": "project"}, Code.BAD_BUDGET),
            ({"account": None, "project": ""}, Code.BAD_BUDGET),
            ({"account": rng.randbytes(16), "project": ""}, Code.UNKNOWN_ACCOUNT),
            ({"account": None, "project": rng.choice(BAD_TEXTS)}, Code.BAD_NAME),
        )
        shots += [ground.shot(replace(sane, **change), bank, code) for change, code in absurd]
        nobody = rng.choice((*POISON, *PATHS))
        amounts = (1, LONG_MAX, LONG_MIN)
        shots += [ground.shot(c.TopUpBudget(None, nobody, n), bank, Code.UNKNOWN_BUDGET) for n in amounts]
        return [*shots, ground.shot(c.ClearBudget(None, nobody), bank, Code.UNKNOWN_BUDGET)]


class Choosers:
    """Who chooses among bids on others' calls, too early, too late, or where the market does; and absurd terms."""

    name = "choosers"

    def __init__(self) -> None:
        self._before: list[bytes] = []
        """An earlier call's bids, whose manager's time may have begun or be over."""

    def volley(self, ground: Ground) -> list[Shot]:
        """Each choice by its manager, by the bidder and by a third."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        called, cfp = ground.honest(managed(ground, "gpu", DAY_MS - 10_000), ground.manager)
        placed, offer = ground.honest(bid(cfp, 50), ground.agents[0])
        own, mine = ground.honest(managed(ground, "bait", DAY_MS - 10_000), fence)
        bait, kept = ground.honest(bid(mine, 60), ground.agents[1])
        plain, market = ground.honest(ground.calling("bait", DAY_MS), fence)
        there, automatic = ground.honest(bid(market, 60), ground.agents[1])
        shots = [called, placed, own, bait, plain, there]
        for make in (c.AwardBid, c.RejectBid):
            shots += [ground.shot(make(offer), keys, Code.NOT_OWNER) for keys in (mallory, fence, ground.agents[0])]
            shots.append(ground.shot(make(kept), fence, Code.CFP_OPEN))
            shots.append(ground.shot(make(automatic), fence, Code.NOT_MANAGED))
            shots.append(ground.shot(make(rng.randbytes(16)), fence, Code.UNKNOWN_BID))
            late = (Code.NOT_OWNER, Code.UNKNOWN_BID)
            shots += [ground.shot(make(old), mallory, *late) for old in self._before]
        days = (LONG_MIN, -1, 0, limits.DECIDE_MS_MIN - 1, DAY_MS, LONG_MAX)
        usual = managed(ground, "bait", 1_000)
        shots += [ground.shot(replace(usual, decide_ms=n), fence, Code.BAD_DURATION) for n in days]
        shots.append(ground.shot(replace(usual, pricing=Pricing.SECOND), fence, Code.BAD_PRICING))
        shots.append(ground.shot(replace(usual, award=Awarder.UNSPECIFIED), fence, Code.UNKNOWN_VALUE))
        shots.append(ground.shot(replace(usual, award=Awarder.AUTO), fence, Code.BAD_DURATION))
        shots += [ground.honest(c.CancelCfp(x), keys)[0] for x, keys in ((cfp, ground.manager), (mine, fence))]
        shots += [ground.shot(make(kept), fence, Code.UNKNOWN_BID) for make in (c.AwardBid, c.RejectBid)]
        shots.append(ground.honest(c.CancelCfp(market), fence)[0])
        # One that nobody cancels: its manager's time begins and ends by itself.
        short, left = ground.honest(managed(ground, "gpu", ground.open_ms), ground.manager)
        early, seen = ground.honest(bid(left, 40), ground.agents[2])
        self._before = [*self._before[-2:], seen]
        return [*shots, short, early]


class Refusers:
    """Who refuses and bids, refuses twice, or refuses what is not its to answer; and reasons that are no texts."""

    name = "refusers"

    def volley(self, ground: Ground) -> list[Shot]:
        """A refusal is legal once; its reason is stored as it is, whatever it means elsewhere."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        called, cfp = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        other, second = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        bad = c.RefuseCfp(cfp, rng.choice(BAD_TEXTS))
        shots = [called, other, ground.shot(bad, mallory, Code.BAD_NAME)]
        shots.append(ground.shot(c.RefuseCfp(cfp, rng.choice((*POISON, *PATHS))), mallory, ACCEPTED))
        placed = ground.sealed(bid(second, 20), mallory)
        sequence: list[Command] = [c.RefuseCfp(cfp, ""), bid(cfp, 10), c.RefuseCfp(cfp, "again")]
        shots += [ground.shot(command, mallory, Code.OUT_OF_SEQUENCE) for command in sequence]
        shots += [ground.shot_of(placed, ACCEPTED), ground.shot(c.RefuseCfp(second, ""), mallory, Code.OUT_OF_SEQUENCE)]
        shots.append(ground.shot(c.WithdrawBid(placed.command_id), mallory, ACCEPTED))
        shots.append(ground.shot(c.RefuseCfp(second, ""), mallory, Code.OUT_OF_SEQUENCE))
        shots.append(ground.shot(c.RefuseCfp(rng.randbytes(16), ""), fence, Code.UNKNOWN_CFP))
        shots += [ground.shot(c.RefuseCfp(cfp, ""), ground.bank, Code.NOT_PERMITTED)]
        shots += [ground.honest(bid(cfp, 100 + n), keys)[0] for n, keys in enumerate(ground.agents)]
        shots += [ground.honest(c.CancelCfp(x), ground.manager)[0] for x in (cfp, second)]
        return [*shots, ground.shot(c.RefuseCfp(cfp, ""), fence, Code.CFP_CLOSED)]


class Uninvited:
    """Who answers a call by invitation without one, or invites whom it cannot."""

    name = "uninvited"

    def volley(self, ground: Ground) -> list[Shot]:
        """Honest members are invited; their bids come through, and nobody else's."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        invited = tuple(ground.accounts[keys.public] for keys in ground.agents)
        called, cfp = ground.honest(replace(ground.calling("gpu", DAY_MS), invited=invited), ground.manager)
        answers: list[Command] = [bid(cfp, rng.randrange(1, 10**6)), c.RefuseCfp(cfp, rng.choice(POISON))]
        shots = [called]
        shots += [ground.shot(command, keys, Code.NOT_INVITED) for command in answers for keys in (mallory, fence)]
        me, own = ground.accounts[mallory.public], ground.accounts[fence.public]
        many = tuple(rng.randbytes(16) for _ in range(rng.choice((65, 100, 1_000, 4_000))))
        lists: tuple[tuple[tuple[bytes, ...], Code], ...] = (
            ((rng.randbytes(16),), Code.UNKNOWN_ACCOUNT),
            ((me, cfp), Code.UNKNOWN_ACCOUNT),
            ((me, own), Code.BAD_INVITATION),
            ((me, *invited, me), Code.BAD_INVITATION),
            ((me,) * limits.INVITED_PER_CFP_MAX, Code.BAD_INVITATION),
            ((me,) * (limits.INVITED_PER_CFP_MAX + 1), Code.LIMIT_REACHED),
            (many, Code.LIMIT_REACHED),
        )
        usual = ground.calling("bait", 1_000)
        shots += [ground.shot(replace(usual, invited=whom), fence, code) for whom, code in lists]
        shots.append(ground.shot(replace(usual, pool="gpu", invited=(me,)), mallory, Code.NOT_OWNER))
        shots += [ground.honest(bid(cfp, 100 + n), keys)[0] for n, keys in enumerate(ground.agents)]
        closed, _ = ground.honest(c.CancelCfp(cfp), ground.manager)
        return [*shots, closed, ground.shot(answers[0], mallory, Code.CFP_CLOSED)]
