"""Wallets over a market in this process: what is held, served, ordered, drawn, given back, reported."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest

from contractnet.client.clock import MarketClock
from contractnet.client.supply import WalletTerms
from contractnet.client.wallet import Wallet
from contractnet.errors import ConnectionClosedError
from tests.client.token_market import POOL, TokenMarket

PRICE = 5_000


def play(
    script: Callable[[TokenMarket, Wallet], Awaitable[None]],
    market: TokenMarket | None = None,
    terms: WalletTerms | None = None,
) -> TokenMarket:
    """Run a script with a wallet, and close the wallet; the market."""
    market = TokenMarket() if market is None else market

    async def run() -> None:
        wallet = Wallet(market, POOL, WalletTerms(PRICE, "chat", timeout_s=10.0) if terms is None else terms)
        try:
            await script(market, wallet)
        finally:
            await wallet.close()

    asyncio.run(run())
    return market


async def until(condition: Callable[[], object]) -> None:
    """Let the wallet's tasks run until something holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def filled(market: TokenMarket, wallet: Wallet, tokens: int) -> None:
    """Have the wallet hold exactly so many tokens, in one grant."""

    async def call() -> None:
        async with wallet.tokens(tokens) as spending:
            spending.used(0)

    caller = asyncio.create_task(call())
    await until(lambda: market.orders)
    order = next(iter(market.orders))
    grant = market._grant(tokens, order)
    await until(lambda: wallet.holdings.free(market.at_ms) or caller.done())
    await caller
    assert grant.tokens == tokens == wallet.held


def used(market: TokenMarket) -> int:
    return sum(report[1] for report in market.reports)


def test_a_caller_waits_for_the_clearing_and_settles_with_what_it_used() -> None:
    """The order asks for what waits; what was not used is held for the next caller, without another order."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 1_000)
        async with wallet.tokens(400, task="one") as spending:
            assert (spending.tokens, wallet.held) == (400, 600)
            spending.used(300)
        assert wallet.held == 700
        async with wallet.tokens(700):
            assert wallet.held == 0

    market = play(script)
    assert market.placed[0] == (1_000, PRICE)
    assert used(market) == 300 + 700
    assert {report[4] for report in market.reports if report[1]} == {"one", ""}
    assert sum(report[2] for report in market.reports) == 3, "three calls"


def test_tokens_that_expire_first_are_spent_first_and_over_is_over() -> None:
    """Of two grants the older one is used up first; at the market's millisecond of its end the rest of it is gone."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        market.pass_s(30)
        second = market._grant(100, next(iter(wallet._orders)))
        await until(lambda: wallet.held == 200)
        async with wallet.tokens(60) as spending:
            assert [(part.grant != second.id, part.tokens) for part in spending.parts] == [(True, 60)]
        market.pass_s(29.999)
        assert wallet.held == 140
        market.pass_s(0.001)
        assert (wallet.held, wallet.expired) == (100, 40)

    play(script)


def test_what_was_set_aside_in_time_is_used_after_the_end_of_its_grant() -> None:
    """A call that takes long is reported on its grant; what it gives back then is gone."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        async with wallet.tokens(100) as spending:
            market.pass_s(70)
            spending.used(80)
        assert (wallet.held, wallet.expired) == (0, 20)

    assert used(play(script)) == 80


def test_an_estimate_that_was_too_low_is_owed_and_paid_by_the_next_grant() -> None:
    """More than is held is a debt; no report says more than was granted."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        async with wallet.tokens(50) as spending:
            spending.used(170)
        assert (wallet.held, wallet.debt) == (0, 70)
        await until(lambda: market.orders and next(iter(market.orders.values()))[0] >= 70)
        market._grant(200, next(iter(market.orders)))
        await until(lambda: wallet.debt == 0)
        assert wallet.held == 130

    assert used(play(script)) == 170


def test_callers_are_served_in_turn() -> None:
    """A small caller does not overtake a large one that came first."""
    served: list[int] = []

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def call(tokens: int) -> None:
            async with wallet.tokens(tokens):
                served.append(tokens)

        callers = [asyncio.create_task(call(tokens)) for tokens in (900, 10, 20)]
        await until(lambda: market.orders)
        order = next(iter(market.orders))
        market._grant(100, order)
        await until(lambda: wallet.held == 100)
        callers.append(asyncio.create_task(call(50)))
        await asyncio.sleep(0.01)
        assert served == [], "enough is held for who came last, and it is not their turn"
        market._grant(880, order)
        await asyncio.gather(*callers)

    play(script)
    assert served == [900, 10, 20, 50]


@pytest.mark.parametrize("holds_it", [False, True])
def test_a_cancelled_caller_gives_its_tokens_back(holds_it: bool) -> None:
    """While it waits, while it spends, and when cancelled in the instant in which it is served."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)

        async def call() -> None:
            async with wallet.tokens(100 if holds_it else 101):
                await asyncio.sleep(60)

        caller = asyncio.create_task(call())
        await asyncio.sleep(0.01)
        assert wallet.held == (0 if holds_it else 100)
        if not holds_it:
            # Served and cancelled before its task runs again.
            wallet.holdings.add(market._grant(1, next(iter(wallet._orders))), market.at_ms)
            wallet._serve()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert wallet.held == (100 if holds_it else 101)
        async with wallet.tokens(100, timeout_s=1.0):
            pass

    market = play(script)
    assert used(market) == 100, "only the last call used anything"


def test_an_error_in_the_block_gives_back_what_was_not_used() -> None:
    """What the block said before the error counts."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)

        async def call() -> None:
            async with wallet.tokens(100) as spending:
                spending.used(30)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await call()
        assert wallet.held == 70

    assert used(play(script)) == 30


def test_many_callers_and_cancellations_lose_no_token() -> None:
    """2,000 callers, a third of them cancelled at any point: granted = held + expired + used, none overspent."""
    dice = random.Random(7)

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def call(tokens: int, real: int) -> None:
            async with wallet.tokens(tokens, task=f"task-{tokens % 3}") as spending:
                await asyncio.sleep(dice.random() / 100)
                spending.used(real)

        async def clear() -> None:
            while True:
                market.pass_s(0.5)
                market.clear()
                await asyncio.sleep(0.003)

        clock = asyncio.create_task(clear())
        callers = []
        for number in range(2_000):
            tokens = dice.randrange(1, 50)
            callers.append(asyncio.create_task(call(tokens, dice.randrange(60))))
            if number % 20 == 0:
                await asyncio.sleep(0.001)
            if dice.random() < 1 / 3:
                dice.choice(callers).cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await until(lambda: wallet.debt == 0)
        clock.cancel()
        await asyncio.sleep(0.01)
        held = wallet.held
        await wallet.close()
        assert sum(grant.tokens for grant in market.granted) == held + wallet.expired + used(market)

    market = TokenMarket(rate_per_s=100_000, burst=4_000, interval_s=0.02)
    market.grant_ms = 1_500
    play(script, market)


def test_a_system_agent_draws_what_the_market_does_not_serve_in_time() -> None:
    """Nothing is drawn before its time; then all that waits, in one draw; a grant that is told twice counts once."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def call(tokens: int) -> float:
            began = time.monotonic()
            async with wallet.tokens(tokens, task="incident"):
                return time.monotonic() - began

        waits = await asyncio.gather(*(call(100) for _ in range(5)))
        # The first has waited so long; whoever came right after it is served by the same draw.
        assert waits[0] >= 0.1
        assert [grant.tokens for grant in market.granted] == [500]
        await asyncio.sleep(0.02)
        assert wallet.held == 0

    play(script, terms=WalletTerms(None, "ops", system=True, draw_after_s=0.1))


def test_a_draw_that_is_too_large_serves_the_first() -> None:
    """Where the reserve has not all that waits, the first in turn is served, the next when it has refilled."""
    served: list[int] = []

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        async def call(tokens: int) -> None:
            async with wallet.tokens(tokens):
                served.append(tokens)

        callers = [asyncio.create_task(call(tokens)) for tokens in (1_500, 1_400)]
        await until(lambda: served)
        assert served == [1_500]
        market.pass_s(2)
        await asyncio.gather(*callers)

    play(script, terms=WalletTerms(None, "ops", system=True, draw_after_s=0.0))
    assert served == [1_500, 1_400]


def test_a_draw_without_an_answer_counts_when_it_is_told() -> None:
    """The answer was lost, the notice of the grant came."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        market.silent = True
        async with wallet.tokens(100, timeout_s=5):
            pass

    play(script, terms=WalletTerms(None, "ops", system=True, draw_after_s=0.0))


def test_a_wallet_spends_what_its_own_orders_brought() -> None:
    """What an earlier process was granted may be spent already; a grant that comes before its order's answer is own."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        market.answers_after_s = 0.05
        market.foreign(500)

        async def call() -> None:
            async with wallet.tokens(100):
                pass

        caller = asyncio.create_task(call())
        await until(lambda: market.orders)
        market.clear()
        await caller
        assert [grant.tokens for grant in market.granted] == [500, 100]

    assert used(play(script)) == 100


def test_throttling_is_reported_at_once() -> None:
    """As calls of the grant that use nothing, long before the next batch of reports is due."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        async with wallet.tokens(100, task="chat") as spending:
            spending.throttled()
            spending.throttled()
            spending.used(90)
        await until(lambda: market.reports)
        assert {report[1:] for report in market.reports} >= {(90, 3, 2, "chat")}

    play(script, terms=WalletTerms(PRICE, "chat", report_s=60))


def test_closing_ends_the_order_and_reports_and_frees_who_waits() -> None:
    """Also an order that is being placed; what comes later is refused."""

    async def script(market: TokenMarket, wallet: Wallet) -> None:
        await filled(market, wallet, 100)
        async with wallet.tokens(60):
            pass
        market.answers_after_s = 0.05
        waiting = asyncio.create_task(wallet.tokens(1_000).__aenter__())
        placed = len(market.placed)
        await until(lambda: len(market.placed) > placed)
        await wallet.close()
        with pytest.raises(ConnectionClosedError, match="provider/model"):
            await waiting
        with pytest.raises(ConnectionClosedError):
            async with wallet.tokens(1):
                pass

    market = play(script)
    assert not market.orders
    assert used(market) == 60


def test_a_clock_that_is_minutes_off_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first notice the machine's clock is all there is; from then on the market's time counts, also where
    it is minutes earlier: tokens that are granted then are not over."""
    real_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + 600 * 10**9)
    clock = MarketClock()
    ahead = clock.now_ms()
    market_ms = real_ns() // 1_000_000
    clock.saw(market_ms, live=True)
    assert ahead - market_ms > 500_000
    assert 0 <= clock.now_ms() - market_ms < 60_000
