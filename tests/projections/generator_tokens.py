"""The part of random histories that has to do with token pools."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from contractnet.messages import Event, OrderEnd, TokenPricing
from contractnet.messages import events as ev


@dataclass
class TokenPools:
    """Pools, orders and grants."""

    dice: random.Random
    pools: list[str] = field(default_factory=list)
    orders: dict[tuple[bytes, str], bytes] = field(default_factory=dict)
    grants: list[tuple[bytes, str, bytes]] = field(default_factory=list)

    def step(self, command: bytes, account: bytes) -> list[Event]:
        """Something happens to a token pool."""
        dice = self.dice
        terms = tuple(dice.randint(1, 10**6) for _ in range(6))
        if len(self.pools) < 2:
            self.pools.append(f"openai/gpt-{len(self.pools)} 'ü")
            return [ev.TokenPoolCreated(command, self.pools[-1], account, *terms)]
        pool, roll = dice.choice(self.pools), dice.random()
        if roll < 0.3:
            return self._order(command, account, pool)
        if roll < 0.5:
            return self._cleared(account, pool)
        if roll < 0.6:
            self.grants.append((command, pool, account))
            return [ev.TokensGranted(command, pool, account, None, 7, 0, "task \0", 10**12, True)]
        if roll < 0.8 and self.grants:
            grant, pool, owner = dice.choice(self.grants)
            return [ev.UsageReported(grant, pool, owner, dice.randint(0, 3), 2, 1, dice.choice(["", "chat"]))]
        rate = ev.TokenRateChanged(pool, dice.randint(1, 10**6))
        others: list[list[Event]] = [
            [ev.PriorityChanged(account, dice.random() < 0.5)],
            [ev.TokenPoolResized(pool, *terms)],
            [rate],
            [ev.TokenPoolResized(pool, *terms), rate],
            [rate, ev.TokenPoolResized(pool, *terms)],
        ]
        return dice.choice(others)

    def _order(self, command: bytes, account: bytes, pool: str) -> list[Event]:
        old = self.orders.get((account, pool))
        events: list[Event] = []
        if old is not None:
            events.append(ev.StandingOrderEnded(old, pool, account, self.dice.choice(list(OrderEnd)[1:])))
        self.orders[account, pool] = command
        return [*events, ev.StandingOrderPlaced(command, pool, account, 9, 10**15, "task", 2**63 - 1)]

    def _cleared(self, account: bytes, pool: str) -> list[Event]:
        order = self.orders.get((account, pool))
        cleared = ev.TokenPoolCleared(pool, self.dice.choice(list(TokenPricing)[1:]), 3, 50, 5 * bool(order), 9)
        if order is None:
            return [cleared]
        grant = self.dice.randbytes(16)
        self.grants.append((grant, pool, account))
        return [cleared, ev.TokensGranted(grant, pool, account, order, 5, 0, "", 10**12, False)]
