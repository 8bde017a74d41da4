"""Wallets over a market in this process: what is ordered, for how much, and how waiting ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from contractnet.client.supply import Bound, WalletTerms, most_granted, most_paid
from contractnet.client.wallet import Wallet
from contractnet.errors import CommandUnsendableError, RejectedError, TokensTimeoutError
from contractnet.messages import Code
from contractnet.messages.notices import TokenPoolAnnounced
from contractnet.strategies.demand import Need
from tests.client.test_wallet import PRICE, filled, play, until
from tests.client.token_market import POOL, TokenMarket

INTERVAL_S = 0.05


class Forecasts:
    """A price that keeps what the wallet forecast when it ordered."""

    def __init__(self) -> None:
        self.terms = WalletTerms(self._price, "chat", timeout_s=10.0)
        self.seen: list[int] = []

    def _price(self, need: Need) -> int:
        self.seen.append(need.forecast)
        return PRICE


async def cleared(market: TokenMarket, intervals: int) -> None:
    """Let so many intervals pass, each with its clearing."""
    for _ in range(intervals):
        await asyncio.sleep(INTERVAL_S)
        market.pass_s(INTERVAL_S)
        market.clear()


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


def test_demand_that_gave_up_is_not_bought_for() -> None:
    """Callers that ran out of time, and asked again, leave neither a forecast nor an order: nothing is granted to
    nobody. While they wait the order covers them."""
    forecasts = Forecasts()

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        async with wallet.tokens(100):
            pass
        for _ in range(3):
            with pytest.raises(TokensTimeoutError):
                async with wallet.tokens(1_500, timeout_s=4 * INTERVAL_S):
                    pass
        assert max(tokens for tokens, _ in market.placed) >= 1_500
        await until(lambda: sum(tokens for tokens, _ in market.orders.values()) <= 200)
        del forecasts.seen[:]
        await cleared(market, 20)
        assert max(forecasts.seen) <= 100
        assert sum(grant.tokens for grant in market.granted[1:]) <= 200
        assert not market.orders

    play(script, terms=forecasts.terms)


def test_a_burst_of_callers_is_ordered_for_while_it_waits() -> None:
    """All of it, from the first request on, and counted once however many intervals it waits."""
    forecasts = Forecasts()

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def call() -> None:
            async with wallet.tokens(50):
                pass

        callers = [asyncio.create_task(call()) for _ in range(20)]
        await until(lambda: [tokens for tokens, _ in market.orders.values()] == [1_000])
        await asyncio.sleep(10 * INTERVAL_S)
        assert [tokens for tokens, _ in market.orders.values()] == [1_000]
        await cleared(market, 1)
        await asyncio.gather(*callers)
        await until(lambda: forecasts.seen[-1])
        assert max(forecasts.seen) <= 1_000
        assert [grant.tokens for grant in market.granted] == [1_000]

    play(script, terms=forecasts.terms)


def test_who_is_served_and_gone_in_one_instant_counts_for_nothing() -> None:
    """Its tokens are held again, and no demand."""
    forecasts = Forecasts()

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        caller = asyncio.create_task(wallet.tokens(101).__aenter__())
        await until(lambda: wallet.waiting)
        wallet.holdings.add(market._grant(1, next(iter(wallet._orders))), market.at_ms)
        wallet._serve()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await asyncio.sleep(4 * INTERVAL_S)
        assert (wallet.held, max(forecasts.seen)) == (101, 0)

    play(script, terms=forecasts.terms)


@pytest.mark.parametrize(("estimate", "used"), [(400, 20), (20, 60)])
def test_the_forecast_is_what_was_used(estimate: int, used: int) -> None:
    """Not what was set aside for it: neither tokens that nobody uses nor too few are ordered ahead."""
    forecasts = Forecasts()

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        clock = asyncio.create_task(cleared(market, 1_000))
        began, calls = time.monotonic(), 40
        for _ in range(calls):
            async with wallet.tokens(estimate) as spending:
                spending.used(used)
            await asyncio.sleep(INTERVAL_S / 4)
        mean = calls * used * INTERVAL_S / (time.monotonic() - began)
        clock.cancel()
        late = sorted(forecasts.seen[-20:])[10]
        assert mean / 2 < late < mean * 2, f"{late} is forecast, {mean:.0f} were used an interval"

    play(script, TokenMarket(rate_per_s=100_000, burst=100_000), terms=forecasts.terms)


def test_what_can_never_be_held_is_refused_at_once() -> None:
    """With what is possible, and why; nothing is ordered for it, and whoever waits behind it is not held up."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        market.most = Bound(900, "the pool is small")
        began = time.monotonic()
        with pytest.raises(CommandUnsendableError, match=r"901 tokens .* the pool is small\. Ask for at most 900"):
            async with wallet.tokens(901):
                pass
        assert time.monotonic() - began < 1.0
        await asyncio.sleep(2 * INTERVAL_S)
        assert not market.placed
        await filled(market, wallet, 900)
        market.most = Bound(100, "it is smaller now")
        async with wallet.tokens(900):
            pass

    play(script)


TERMS = TokenPoolAnnounced(POOL, 60_000, 5_000, 200, 5_000, 1_000, 20_000)


def test_the_most_that_a_pool_grants() -> None:
    """5,000 less a fifth at first, and 1,000 a second for 20 s; a System agent draws the fifth as well."""
    assert most_granted(TERMS, system=False).tokens == 4_000 + 20_000
    assert most_granted(TERMS, system=True).tokens == 5_000 + 20_000


def test_the_most_that_a_budget_pays() -> None:
    """7 of the tighter budget's credits, at 0.001 for 1,000 tokens; without a limit or a reserve price nothing bounds
    it."""
    bound = most_paid(TERMS, [7_000_000, 9_000_000])
    assert bound is not None
    assert bound.tokens == 7_000_000
    assert "7 credits, and 1,000 tokens cost 0.001 at least" in bound.why
    assert most_paid(TERMS, []) is None
    assert most_paid(TokenPoolAnnounced(POOL, 60_000, 5_000, 200, 5_000, 0, 20_000), [1]) is None
