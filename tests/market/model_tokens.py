"""The model's token pools: fractions for the bucket, and one bid for each single token at a clearing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from contractnet.messages import commands as c
from tests.market.model_identities import Identities
from tests.market.model_parts import DAY_MS, MONEY_MAX, Row, good_text

TOKENS_MAX, GRACE_MS = 10**9, 60_000
Terms = c.CreateTokenPool | c.ResizeTokenPool


class Tokens(Identities):
    """What tests/market/model.py knows of token pools, by name. `level` is in tokens, at the instant `at`."""

    token_pools: dict[str, Row]

    def bucket(self, pool: Row, at: int) -> Fraction:
        """What is in a pool."""
        flowed = Fraction(pool["rate"] * (at - pool["at"]), 60_000)
        return min(Fraction(pool["burst"]), Fraction(pool["level"] + flowed))

    def _fill(self, pool: Row, at: int) -> None:
        pool |= {"level": self.bucket(pool, at), "at": at}

    def live_grants(self, pool: Row, at: int) -> dict[bytes, Row]:
        """Grants that may still be reported on."""
        return {i: g for i, g in pool["grants"].items() if at < g["end"] + GRACE_MS}

    def tokens_due(self, pool: Row, at: int, head: bytes) -> None:
        """The end of an interval."""
        step = max(1, pool["full"] // 20)
        rises = pool["rate"] < pool["full"] and pool["throttled"] // pool["every"] < at // pool["every"] - 1
        clears = bool(pool["orders"]) or not rises
        if clears:
            self._clear(pool, at, head)
        self._fill(pool, at)
        before, pool["rate"] = pool["rate"], min(pool["full"], pool["rate"] + step * rises)
        throttled = (before if clears else pool["rate"]) < pool["full"]
        pool["clears"] = 0
        self._wait(pool, at, throttled)
        pool["orders"] = {account: o for account, o in pool["orders"].items() if o["end"] > at}

    def _wait(self, pool: Row, at: int, throttled: bool) -> None:
        """The end of the interval is waited for while there is an order, or the rate is lowered."""
        if not pool["clears"] and (pool["orders"] or throttled):
            pool["clears"] = (at // pool["every"] + 1) * pool["every"]

    def _clear(self, pool: Row, at: int, head: bytes) -> None:
        self._fill(pool, at)
        supply = max(0, int(pool["level"]) - pool["burst"] * pool["reserve"] // 1000)
        sales = self._sales(pool, at, supply, head) if supply else {}
        recent = {root: tokens * 7 // 8 for root, tokens in pool["recent"].items()}
        total = sum(recent.values())
        pool["recent"] = {root: tokens for root, tokens in recent.items() if tokens and 500 * tokens >= total}
        for account, (tokens, paid) in sales.items():
            order, root = pool["orders"][account], self.accounts[account]["root"]
            ident = hashlib.sha256(b"contractnet/grant/1" + order["id"] + at.to_bytes(8, "big")).digest()[:16]
            pool["grants"][ident] = {"account": account, "tokens": tokens, "used": 0, "end": at + pool["life"]}
            pool["recent"][root] = pool["recent"].get(root, 0) + tokens
            pool["level"] -= tokens
            self.accounts[account]["balance"] -= paid
            self.accounts[pool["owner"]]["balance"] += paid
            self.payments.extend([(account, paid)] * bool(paid))
        self.warn({account for account, (_, paid) in sales.items() if paid})

    def _sales(self, pool: Row, at: int, supply: int, head: bytes) -> dict[bytes, tuple[int, int]]:
        """Tokens and payment of each account that gets some, by selling one token after the other."""
        bids = [o for o in pool["orders"].values() if o["end"] > at]
        roots = {o["account"]: self.accounts[o["account"]]["root"] for o in bids}
        total = sum(pool["recent"].values())
        weights: dict[str, int] = {}
        for root in set(roots.values()):
            ordering = {account for account, of in roots.items() if of == root}
            least = min(self.weight_of(account, self.weights_now()) for account in ordering)
            share = 500 * pool["recent"].get(root, 0) // total if total else 0
            weights[root] = least * (1000 - share)
        bids = [o for o in bids if o["limit"] >= pool["price"]]

        def rank(o: Row) -> tuple[int, bytes, int, bytes]:
            root = roots[o["account"]]
            tie = hashlib.sha256(head + pool["id"] + root.encode()).digest()
            return (-weights[root] * o["limit"], tie, -min(o["tokens"], supply), o["account"])

        able = self._able(sorted(bids, key=rank), supply)
        units = [(o, weights[roots[o["account"]]] * o["limit"]) for o in able for _ in range(min(o["tokens"], supply))]
        won, lost = units[:supply], units[supply:]
        got = Counter(o["account"] for o, _ in won)
        wanted = Counter(roots[o["account"]] for o, _ in units)
        uniform = len(wanted) >= self.limits["uniform_roots"] and max(wanted.values()) * 5 <= supply
        sales: dict[bytes, tuple[int, int]] = {}
        for account, tokens in got.items():
            root = roots[account]
            weight, of_root = weights[root], sum(n for a, n in got.items() if roots[a] == root)
            reserve = pool["price"] * weight
            others = [value for o, value in lost if roots[o["account"]] != root][:of_root]
            if uniform:
                price = Fraction(max([reserve, *(value for _, value in lost[:1])]))
            else:
                worth = sum(max(reserve, value) for value in others) + reserve * (of_root - len(others))
                price = Fraction(worth, of_root)
            sales[account] = (tokens, int(tokens * price / weight / 1000))
        return sales

    def _able(self, bids: list[Row], supply: int) -> list[Row]:
        """Those whose credits and budgets cover their limit, with the better ones that share a budget."""
        able: list[Row] = []
        for order in bids:
            account = order["account"]
            worth = min(order["tokens"], supply) * order["limit"] // 1000
            fits = self.free(account) >= worth
            for row in self.budgets_over(account):
                others = sum(
                    min(o["tokens"], supply) * o["limit"] // 1000 for o in able if o["account"] in self.under(row)
                )
                room = None if row["limit"] is None else row["limit"] + row["topped"]
                fits &= room is None or self.spent(row) + self.held_under(row) + others + worth <= room
            able.extend([order] * fits)
        return able

    def _has_tokens(self) -> bool:
        return self.need(self.version >= 7, "UNKNOWN_RULES")

    def _check_terms(self, command: Terms) -> Row:
        good = 1 <= command.tokens_per_minute <= TOKENS_MAX and 1 <= command.burst_tokens <= TOKENS_MAX
        self.need(good and 0 <= command.reserve_permille <= 1000, "BAD_TOKENS")
        good = 1_000 <= command.interval_ms <= 3_600_000 and 1_000 <= command.grant_ms <= 64 * command.interval_ms
        self.need(good, "BAD_DURATION")
        self.need(0 <= command.reserve_per_1000_ucr <= MONEY_MAX, "BAD_AMOUNT")
        row: Row = {"full": command.tokens_per_minute, "burst": command.burst_tokens, "every": command.interval_ms}
        row |= {"reserve": command.reserve_permille, "price": command.reserve_per_1000_ucr, "life": command.grant_ms}
        return row | {"rate": command.tokens_per_minute}

    def _CreateTokenPool(self, command: c.CreateTokenPool) -> None:
        if not self._has_tokens():
            return
        self.need(self.sender == self.bank, "NOT_PERMITTED")
        self.need(good_text(command.name), "BAD_NAME")
        self.need(command.name not in self.token_pools, "NAME_TAKEN")
        self.need(command.owner in self.accounts, "UNKNOWN_ACCOUNT")
        self.need(command.owner != self.bank, "NOT_PERMITTED")
        self.need(len(self.token_pools) < self.limits["token_pools"], "LIMIT_REACHED")
        row = self._check_terms(command)
        if not self.bad:
            row |= {"id": self.id, "owner": command.owner, "level": Fraction(command.burst_tokens), "at": self.now}
            row |= {"clears": 0, "throttled": 0, "complaints": (0, set()), "orders": {}, "grants": {}, "recent": {}}
            self.token_pools[command.name] = row

    def _ResizeTokenPool(self, command: c.ResizeTokenPool) -> None:
        pool = self._pool_named(command.pool)
        if pool is None:
            return
        self.need(self.sender in (pool["owner"], self.bank), "NOT_OWNER")
        row = self._check_terms(command)
        if not self.bad:
            self._fill(pool, self.now)
            pool |= row | {"level": min(pool["level"], Fraction(row["burst"]))}

    def _pool_named(self, name: str) -> Row | None:
        if not self._has_tokens():
            return None
        self.need(name in self.token_pools, "UNKNOWN_POOL")
        return self.token_pools.get(name)

    def _SetPriority(self, command: c.SetPriority) -> None:
        if not self._has_tokens():
            return
        self.need(self.sender is None, "NOT_PERMITTED")
        self.need(command.account in self.accounts, "UNKNOWN_ACCOUNT")
        self.need(command.account != self.bank, "NOT_PERMITTED")
        if not self.bad:
            self.accounts[command.account]["system"] = command.system

    def _PlaceStandingOrder(self, command: c.PlaceStandingOrder) -> None:
        if self._has_tokens():
            self.need(self.sender not in (None, self.bank), "NOT_PERMITTED")
        pool = self._pool_named(command.pool)
        if pool is None:
            return
        limit = command.limit_per_1000_ucr
        self.need(self.sender != pool["owner"], "NOT_PERMITTED")
        self.need(1 <= command.tokens <= TOKENS_MAX, "BAD_TOKENS")
        self.need(1 <= limit <= MONEY_MAX and command.tokens * limit // 1000 <= MONEY_MAX, "BAD_AMOUNT")
        self.need(limit >= pool["price"], "BELOW_RESERVE")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        self.need(pool["every"] <= command.open_ms <= DAY_MS, "BAD_DURATION")
        room = self.sender in pool["orders"] or len(pool["orders"]) < self.limits["orders"]
        self.need(room, "LIMIT_REACHED")
        if not self.bad and self.sender is not None:
            pool["orders"].pop(self.sender, None)
            row: Row = {"id": self.id, "account": self.sender, "tokens": command.tokens, "limit": limit}
            pool["orders"][self.sender] = row | {"end": self.now + command.open_ms}
            self._wait(pool, self.now, throttled=False)

    def _CancelStandingOrder(self, command: c.CancelStandingOrder) -> None:
        if not self._has_tokens():
            return
        found = [(pool, o) for pool in self.token_pools.values() for o in pool["orders"].values()]
        found = [(pool, o) for pool, o in found if o["id"] == command.order]
        if not self.need(bool(found), "UNKNOWN_ORDER"):
            return
        pool, order = found[0]
        self.need(self.sender is not None, "NOT_PERMITTED")
        self.need(self.sender in (None, order["account"]), "NOT_OWNER")
        if not self.bad:
            del pool["orders"][order["account"]]

    def _DrawTokens(self, command: c.DrawTokens) -> None:
        if not self._has_tokens():
            return
        if self.need(self.sender is not None, "NOT_PERMITTED") and self.sender is not None:
            self.need(self.accounts[self.sender]["system"], "NOT_SYSTEM")
        pool = self._pool_named(command.pool)
        self.need(1 <= command.tokens <= TOKENS_MAX, "BAD_TOKENS")
        self.need(good_text(command.task), "BAD_NAME")
        if pool is None:
            return
        self.need(command.tokens <= self.bucket(pool, self.now), "NO_TOKENS")
        self.need(len(self.live_grants(pool, self.now)) < self.limits["grants"], "LIMIT_REACHED")
        if not self.bad:
            self._fill(pool, self.now)
            pool["level"] -= command.tokens
            row = {"account": self.sender, "tokens": command.tokens, "used": 0, "end": self.now + pool["life"]}
            pool["grants"][self.id] = row

    def _ReportUsage(self, command: c.ReportUsage) -> None:
        if not self._has_tokens():
            return
        self.need(self.sender is not None, "NOT_PERMITTED")
        self.need(0 <= command.tokens <= TOKENS_MAX and 0 <= command.calls <= 10**9, "BAD_TOKENS")
        self.need(0 <= command.throttled <= command.calls and command.tokens + command.calls > 0, "BAD_TOKENS")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        live = [pool for pool in self.token_pools.values() if command.grant in self.live_grants(pool, self.now)]
        if not self.need(bool(live), "UNKNOWN_GRANT"):
            return
        pool, grant = live[0], live[0]["grants"][command.grant]
        self.need(self.sender in (None, grant["account"]), "NOT_OWNER")
        self.need(grant["used"] + command.tokens <= grant["tokens"], "GRANT_SPENT")
        if self.bad or self.sender is None:
            return
        number: Callable[[int], int] = lambda at: at // pool["every"]  # noqa: E731
        mine = self.accounts[self.sender]
        may = {self.accounts[g["account"]]["root"] for g in self.live_grants(pool, self.now).values()}
        grant["used"] += command.tokens
        if not command.throttled:
            return
        at, roots = pool["complaints"]
        roots = ({*roots} if number(at) == number(self.now) else set()) | {mine["root"]}
        pool["complaints"] = (self.now, roots)
        if number(pool["throttled"]) < number(self.now) and (mine["system"] or len(roots) >= min(2, len(may))):
            self._fill(pool, self.now)
            pool |= {"rate": max(1, pool["full"] // 16, pool["rate"] // 2), "throttled": self.now}
            self._wait(pool, self.now, throttled=pool["rate"] < pool["full"])
