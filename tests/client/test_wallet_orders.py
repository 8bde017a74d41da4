"""Wallets over a market in this process: what is ordered, for how much, and how waiting ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from contractnet.client.supply import WalletTerms
from contractnet.client.wallet import Wallet
from contractnet.errors import CommandUnsendableError, RejectedError, TokensTimeoutError
from contractnet.messages import Code
from tests.client.test_wallet import PRICE, filled, play
from tests.client.token_market import TokenMarket


def test_a_forecast_is_ordered_ahead_of_need() -> None:
    """After some intervals of the same demand the order stands while nobody waits."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def clear() -> None:
            while True:
                await asyncio.sleep(0.05)
                market.pass_s(0.05)
                market.clear()

        clock = asyncio.create_task(clear())
        waits = []
        for _ in range(60):
            began = time.monotonic()
            async with wallet.tokens(40):
                waits.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
        clock.cancel()
        early, late = sorted(waits[:3])[-1], sorted(waits[-30:])[15]
        assert late < early / 4, f"renewed late: {late:.4f} s against {early:.4f} s at first"

    play(script, TokenMarket(rate_per_s=100_000, burst=100_000))


def test_an_order_is_no_larger_than_what_can_be_paid() -> None:
    """The market passes an order by that the credits do not cover in full; without credits there is none."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        market.available = 500
        with pytest.raises(TokensTimeoutError):
            async with wallet.tokens(1_000, timeout_s=0.2):
                pass

    assert {tokens for tokens, _ in play(script).placed} == {500 * 1_000 // PRICE}


def test_a_price_is_a_function_of_the_need() -> None:
    """Who waits longer pays more; None is no order."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        with pytest.raises(TokensTimeoutError):
            async with wallet.tokens(100, timeout_s=0.4):
                pass

    terms = WalletTerms(lambda need: None if need.waited_ms < 100 else need.waited_ms, "chat")
    market = play(script, terms=terms)
    limits = [limit for _, limit in market.placed]
    assert limits == sorted(limits)
    assert min(limits) >= 100
    assert len(limits) > 1


def test_a_timeout_names_the_pool_and_what_to_do() -> None:
    """And the market's last answer; whoever waits behind is served then."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 10)
        market.refuses = Code.BELOW_RESERVE
        with pytest.raises(TokensTimeoutError, match=r"no 1,000 tokens of pool 'provider/model' within 0.3 s") as told:
            async with wallet.tokens(1_000, timeout_s=0.3):
                pass
        assert "BELOW_RESERVE" in str(told.value)
        assert "Raise the price" in str(told.value)
        assert told.value.transient
        async with wallet.tokens(10, timeout_s=0.3):
            pass

    play(script)


def test_an_answer_for_good_ends_the_waiting() -> None:
    """Nobody waits a minute for a pool that does not exist."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        market.refuses = Code.UNKNOWN_POOL
        with pytest.raises(RejectedError, match="UNKNOWN_POOL"):
            async with wallet.tokens(1):
                pass

    play(script)


@pytest.mark.parametrize("estimate", [0, -1, 1.5, True])
def test_an_estimate_is_a_whole_number(estimate: object) -> None:
    async def script(market: TokenMarket, wallet: Wallet) -> None:
        with pytest.raises(CommandUnsendableError, match="at least 1 token"):
            async with wallet.tokens(estimate):  # type: ignore[arg-type]
                pass

    play(script)
