"""The part of an agent that spends tokens of pools: a wallet for each pool (docs/tokens.md)."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from contractnet.client.spending import Spending
from contractnet.client.supply import MarketSupply, WalletTerms
from contractnet.client.token_pools import TokenBuyer
from contractnet.client.wallet import Wallet
from contractnet.errors import CommandUnsendableError
from contractnet.strategies.demand import Price


class TokenSpender(TokenBuyer):
    """Base of Agent."""

    _wallets: dict[str, Wallet]

    def wallet(
        self,
        pool: str,
        price: Price | None = None,
        *,
        task: str = "",
        system: bool = False,
        draw_after_s: float = 0.5,
        margin: float = 1.0,
        timeout_s: float = 60.0,
        report_s: float = 5.0,
        order_s: float = 120.0,
    ) -> Wallet:
        """The wallet of a token pool: made by the first call, which gives its terms; later ones give the same wallet.

        `price` is what 1,000 tokens are worth, micro-credits: a number, or a function of a
        `contractnet.strategies.Need` (see `worth_ucr` and `urgency`); None for an agent that only draws. Orders ask for
        what waits and for a forecast with `margin` standard deviations. `system`: this is a System agent, which draws
        what the market has not served within `draw_after_s` seconds. `task` is that of orders, and of draws for callers
        without one. Usage is reported every `report_s` seconds; an order ends `order_s` seconds after a crash at most.

        Make one an account and pool, in one process: orders of an account replace each other.
        Raises CommandUnsendableError for terms that cannot buy anything, CredentialError without an inbox key.
        """
        if (known := self._wallets.get(pool)) is not None:
            return known
        if price is None and not system:
            raise CommandUnsendableError(
                f"a wallet of pool {pool!r} needs a price for 1,000 tokens: agent.wallet({pool!r}, price_ucr)"
            )
        terms = WalletTerms(price, task or "tokens", system, draw_after_s, margin, timeout_s, report_s, order_s)
        self._need_inbox()
        wallet = self._wallets[pool] = Wallet(MarketSupply(self), pool, terms)
        return wallet

    def tokens(
        self, pool: str, estimate: int, *, task: str = "", timeout_s: float | None = None
    ) -> AbstractAsyncContextManager[Spending]:
        """Set tokens aside for what a block does: `async with agent.tokens("openai/gpt-5", 2_000) as tokens: ...`.

        In the block say `tokens.used(n)`. See `Wallet.tokens`; the pool's wallet has to be there (`wallet`).
        """
        return self.wallet(pool).tokens(estimate, task=task, timeout_s=timeout_s)

    async def _close_wallets(self) -> None:
        await asyncio.gather(*(wallet.close() for wallet in self._wallets.values()))
