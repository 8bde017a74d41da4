"""Adversaries at token pools: insiders with a right signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contractnet.messages import Code
from contractnet.messages import commands as c
from faults.hostile.absurd import BAD_TEXTS, LONG_MAX, LONG_MIN, PATHS, POISON
from faults.hostile.ground import ACCEPTED, DAY_MS, Ground, Shot

POOL = "openai/gpt-5"


class Tokens:
    """Who draws without being a System agent, makes itself one, orders for others' money or at absurd terms, cancels
    others' orders, and uses others' grants or its own twice."""

    name = "tokens"

    def __init__(self) -> None:
        self._opened = False
        self._drawn: bytes | None = None
        """A System agent's grant of an earlier volley."""

    def volley(self, ground: Ground) -> list[Shot]:
        """Beside an honest order, and an honest System agent's draw."""
        rng, mallory, fence, bank = ground.rng, ground.mallory, ground.fence, ground.bank
        oncall, buyer = ground.agents[0], ground.agents[1]
        owner = ground.accounts[ground.manager.public]
        usual = c.CreateTokenPool(POOL, owner, 60_000, 10_000, 500, 60_000, 1_000, 60_000)
        shots = [] if self._opened else [ground.honest(usual, bank)[0]]
        shots.append(ground.honest(c.SetPriority(ground.accounts[oncall.public], True), ground.operator)[0])
        self._opened = True
        shots += self._terms(ground, usual)
        mine = ground.accounts[mallory.public]
        for keys in (mallory, fence, bank):
            shots.append(ground.shot(c.SetPriority(mine, True), keys, Code.NOT_PERMITTED))
        for task in ("mine", rng.choice(BAD_TEXTS)):
            shots.append(ground.shot(c.DrawTokens(POOL, rng.randrange(1, 100), task), mallory, Code.NOT_SYSTEM))
        shots += self._orders(ground)
        placed, order = ground.honest(c.PlaceStandingOrder(POOL, 100, 9_000, "honest", DAY_MS), buyer)
        shots.append(placed)
        shots += [ground.shot(c.CancelStandingOrder(order), keys, Code.NOT_OWNER) for keys in (mallory, bank)]
        shots.append(ground.shot(c.CancelStandingOrder(rng.randbytes(16)), mallory, Code.UNKNOWN_ORDER))
        drawn, grant = ground.honest(c.DrawTokens(POOL, 10, "incident"), oncall, ACCEPTED, Code.NO_TOKENS)
        shots.append(drawn)
        shots += self._reports(ground, oncall)
        self._drawn = grant
        return [*shots, ground.honest(c.CancelStandingOrder(order), buyer)[0]]

    @staticmethod
    def _terms(ground: Ground, usual: c.CreateTokenPool) -> list[Shot]:
        """Pools of others, and terms that nobody means."""
        rng, bank = ground.rng, ground.bank
        terms = (60_000, 10_000, 500, 60_000, 1_000, 60_000)
        shots = [ground.shot(replace(usual, name="mine"), ground.mallory, Code.NOT_PERMITTED)]
        shots.append(ground.shot(usual, bank, Code.NAME_TAKEN))
        shots += [ground.shot(c.ResizeTokenPool(POOL, *terms), keys, Code.NOT_OWNER) for keys in ground.agents[:2]]
        huge = (0, -1, LONG_MAX, LONG_MIN)
        absurd: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"tokens_per_minute": rng.choice(huge)}, Code.BAD_TOKENS),
            ({"burst_tokens": rng.choice(huge)}, Code.BAD_TOKENS),
            ({"reserve_permille": rng.choice((-1, 1001, 2**31 - 1))}, Code.BAD_TOKENS),
            ({"interval_ms": rng.choice(huge)}, Code.BAD_DURATION),
            ({"grant_ms": rng.choice(huge)}, Code.BAD_DURATION),
            ({"reserve_per_1000_ucr": rng.choice(huge[1:])}, Code.BAD_AMOUNT),
        )
        for change, code in absurd:
            resized = dict(zip(_TERMS, terms, strict=True)) | change
            shots.append(ground.shot(c.ResizeTokenPool(POOL, **resized), bank, code))
        shots.append(ground.shot(replace(usual, name=rng.choice(BAD_TEXTS)), bank, Code.BAD_NAME))
        return shots

    @staticmethod
    def _orders(ground: Ground) -> list[Shot]:
        """Orders that must not stand."""
        rng = ground.rng
        usual = c.PlaceStandingOrder(POOL, 100, 9_000, "", DAY_MS)
        huge = (0, -1, LONG_MAX, LONG_MIN)
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"tokens": rng.choice(huge)}, Code.BAD_TOKENS),
            ({"limit_per_1000_ucr": rng.choice(huge)}, Code.BAD_AMOUNT),
            ({"tokens": 10**9, "limit_per_1000_ucr": 10**15}, Code.BAD_AMOUNT),
            ({"limit_per_1000_ucr": 999}, Code.BELOW_RESERVE),
            ({"open_ms": rng.choice((*huge, DAY_MS + 1))}, Code.BAD_DURATION),
            ({"task": rng.choice(BAD_TEXTS)}, Code.BAD_NAME),
            ({"pool": rng.choice((*POISON, *PATHS))}, Code.UNKNOWN_POOL),
        )
        shots = [ground.shot(replace(usual, **change), ground.mallory, code) for change, code in wrong]
        shots += [ground.shot(usual, keys, Code.NOT_PERMITTED) for keys in (ground.manager, ground.bank)]
        return shots

    def _reports(self, ground: Ground, oncall: Any) -> list[Shot]:
        """Reports on grants: of others, of none, of more than was granted, of nothing."""
        rng, unknown = ground.rng, ground.rng.randbytes(16)
        shots = [ground.shot(c.ReportUsage(unknown, 1, 1, 0, ""), ground.mallory, Code.UNKNOWN_GRANT)]
        if self._drawn is None:
            return shots
        gone = Code.UNKNOWN_GRANT
        report = c.ReportUsage(self._drawn, 0, 1, 1, "")
        shots.append(ground.shot(report, ground.mallory, Code.NOT_OWNER, gone))
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"tokens": 11}, Code.GRANT_SPENT),
            ({"tokens": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_TOKENS),
            ({"calls": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_TOKENS),
            ({"throttled": 2}, Code.BAD_TOKENS),
            ({"calls": 0, "throttled": 0}, Code.BAD_TOKENS),
        )
        return shots + [ground.shot(replace(report, **change), oncall, code, gone) for change, code in wrong]


_TERMS = ("tokens_per_minute", "burst_tokens", "reserve_permille", "interval_ms", "reserve_per_1000_ucr", "grant_ms")
