"""The part of an agent that has to do with token pools (docs/tokens.md)."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from contractnet.client.accounts import Account, id_of
from contractnet.client.connection import TIMEOUT_S
from contractnet.client.grants import Grant, Grants
from contractnet.client.inbox import Inbox
from contractnet.client.rotation import KeyHolder
from contractnet.errors import OutcomeTimeoutError
from contractnet.messages import commands as c

RESERVE_PERMILLE, INTERVAL_S, GRANT_S, ORDER_S = 200, 5.0, 30.0, 3600.0


class TokenOwner(KeyHolder):
    """Whoever may change a token pool: its owner, and the bank."""

    async def resize_token_pool(
        self,
        pool: str,
        *,
        tokens_per_minute: int,
        burst_tokens: int,
        reserve_permille: int = RESERVE_PERMILLE,
        interval_s: float = INTERVAL_S,
        reserve_per_1000_ucr: int = 0,
        grant_s: float = GRANT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Give a token pool other terms, all of them (see `Bank.create_token_pool`), from now on."""
        terms = _terms(tokens_per_minute, burst_tokens, reserve_permille, interval_s, reserve_per_1000_ucr, grant_s)
        await self._send(c.ResizeTokenPool(pool, *terms), timeout_s)


class TokenBank(TokenOwner):
    """Base of Bank."""

    async def create_token_pool(
        self,
        name: str,
        owner: Account,
        *,
        tokens_per_minute: int,
        burst_tokens: int,
        reserve_permille: int = RESERVE_PERMILLE,
        interval_s: float = INTERVAL_S,
        reserve_per_1000_ucr: int = 0,
        grant_s: float = GRANT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Create a pool of a provider's tokens, for whose sale the account `owner` is paid.

        `tokens_per_minute` flow in, up to `burst_tokens`, of which `reserve_permille` are left to System agents. Every
        `interval_s` seconds (1 to 3,600) the standing orders are cleared, at no less than `reserve_per_1000_ucr`
        micro-credits for 1,000 tokens. What is granted may be spent for `grant_s` seconds, at most 64 intervals.
        """
        terms = _terms(tokens_per_minute, burst_tokens, reserve_permille, interval_s, reserve_per_1000_ucr, grant_s)
        await self._send(c.CreateTokenPool(name, id_of(owner), *terms), timeout_s)


class TokenBuyer(TokenOwner):
    """Base of Agent."""

    _subscriptions: WeakSet[Any]

    def _need_inbox(self) -> Inbox:
        raise NotImplementedError

    async def order_tokens(
        self,
        pool: str,
        tokens: int,
        limit_per_1000_ucr: int,
        *,
        task: str = "",
        open_s: float = ORDER_S,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """Ask for at most `tokens` of a pool at each clearing for `open_s` seconds; the order's id (16 bytes).

        1,000 tokens cost at most `limit_per_1000_ucr` micro-credits; what is paid is less as a rule, so that the limit
        can be what they are worth. Nothing is held: a clearing that the account or its budgets can't pay passes the
        order by. An order replaces the account's other one of the pool. What is granted comes by `grants`.
        """
        command = c.PlaceStandingOrder(pool, tokens, limit_per_1000_ucr, task, round(open_s * 1000))
        return await self._send(command, timeout_s)

    async def cancel_order(self, order: bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Take a standing order back. What was granted stays granted."""
        await self._send(c.CancelStandingOrder(order), timeout_s)

    async def draw_tokens(self, pool: str, tokens: int, task: str, timeout_s: float = TIMEOUT_S) -> Grant:
        """Take tokens at once and for nothing, from the reserve as well: System agents only, and for a named task.

        Raises RejectedError with NO_TOKENS where the pool has not so many, with NOT_SYSTEM for anybody else.
        """
        inbox, sealed = self._need_inbox(), self.prepare(c.DrawTokens(pool, tokens, task))
        await self.submit(sealed, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                return await inbox.grants.of(sealed.command_id)
        except TimeoutError as error:
            message = f"grant {sealed.command_id.hex()} was not told within {timeout_s:g} s"
            raise OutcomeTimeoutError(message, sealed.command_id, sealed) from error

    async def report_usage(
        self,
        grant: Grant | bytes,
        tokens: int,
        *,
        calls: int = 1,
        throttled: int = 0,
        task: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Tell what was used of a grant since the last report, in how many calls, and how many of them got a 429.

        All reports of a grant together say at most what was granted; until a minute after its end. Throttling that
        accounts of two budget roots report, or a System agent, halves the pool's rate for a while.
        """
        ident = grant if isinstance(grant, bytes) else grant.id
        await self._send(c.ReportUsage(ident, tokens, calls, throttled, task), timeout_s)

    def grants(self, pool: str | None = None) -> Grants:
        """Iterate over what this agent is granted, of one token pool or of all: what is not over yet, and each later
        grant. Raises CredentialError for a credential without an inbox key."""
        grants = self._need_inbox().grants.since(pool, self.connection.now_ms())
        self._subscriptions.add(grants)
        return grants


def _terms(
    tokens_per_minute: int,
    burst_tokens: int,
    reserve_permille: int,
    interval_s: float,
    reserve_per_1000_ucr: int,
    grant_s: float,
) -> tuple[int, int, int, int, int, int]:
    interval_ms, grant_ms = round(interval_s * 1000), round(grant_s * 1000)
    return tokens_per_minute, burst_tokens, reserve_permille, interval_ms, reserve_per_1000_ucr, grant_ms
