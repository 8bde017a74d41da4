"""The golden session's token pools, of rules version 7."""

from __future__ import annotations

import random

from contractnet.messages import Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.town import MANAGER, UNKNOWN_ID, Town, budget, key_pair, token_pool

NAMES = tuple(f"tok {number}" for number in range(12))
POOLS = ("openai/gpt-5", "local/llama")


def tokens(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Token pools: broken rules, clearings at one price and with VCG, draws, reports, a rate that falls and rises."""
    manager = town.state.account_names["manager"]
    ids = {}
    for number, name in enumerate(NAMES):
        opened = c.OpenAccount(name, "tokens", f"root {number % 11}", key_pair(name).public, bytes([number]) * 32)
        ids[name] = town.send(opened, bank).id
        town.send(c.IssueCredits(ids[name], 3_000, ""), bank)
    for pool in POOLS:
        town.send(token_pool(pool, manager, burst_tokens=300, reserve_per_1000_ucr=100), bank)
    town.send(c.SetPriority(ids["tok 0"], True), operator)
    first, second = key_pair("tok 0"), key_pair("tok 1")
    broken: tuple[tuple[Command, KeyPair], ...] = (
        (token_pool(POOLS[0], manager), bank),
        (token_pool("third", manager, burst_tokens=0), bank),
        (token_pool(POOLS[0], manager, resize=True), second),
        (c.SetPriority(ids["tok 1"], True), bank),
        (c.DrawTokens(POOLS[0], 1, "incident"), second),
        (c.DrawTokens(POOLS[0], 301, "incident"), first),
        (c.PlaceStandingOrder(POOLS[0], 1, 99, "", 9_000), second),
        (c.PlaceStandingOrder(POOLS[0], 0, 200, "", 9_000), second),
        (c.CancelStandingOrder(UNKNOWN_ID), second),
        (c.ReportUsage(UNKNOWN_ID, 1, 1, 0, ""), second),
    )
    for command, keys in broken:
        town.send(command, keys)
    town.send(budget(None, "tokens", limit_ucr=2_000), bank)
    dice = random.Random(5)
    for number in range(60):
        pool, most = POOLS[number % 2], 11 if number % 3 else 4
        for name in dice.sample(NAMES, dice.randrange(1, most + 1)):
            order = c.PlaceStandingOrder(pool, dice.randrange(1, 30), dice.randrange(100, 5_000), "chat", 4_000)
            placed = town.send(order, key_pair(name)).id
            if dice.random() < 0.1:
                town.send(c.CancelStandingOrder(placed), key_pair(name))
        if dice.random() < 0.3:
            town.send(c.DrawTokens(pool, dice.randrange(1, 40), "incident"), first)
        town.at_ms += dice.choice([500, 1_000, 7_000, 60_000])
        town.tick()
        for grant in list(town.state.token_pools[pool].grants.values())[-4:]:
            name = next(name for name in NAMES if ids[name] == grant.account)
            report = c.ReportUsage(grant.id, dice.randrange(0, 9), 2, dice.randrange(0, 2), "chat")
            town.send(report, key_pair(name))
        if number % 20 == 19:
            town.send(token_pool(pool, manager, resize=True, burst_tokens=dice.randrange(100, 900)), MANAGER)
