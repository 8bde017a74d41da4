"""Strategies bid through the SDK and a real market, and are told what became of each call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from broker.interface import Broker
from contractnet import Bidder, Cfp, Claim, Pricing, Priority, credits
from contractnet.client.bidding import calibrated
from contractnet.errors import CommandUnsendableError, RejectedError
from contractnet.strategies import Calibrator, Call, Outcome, Paced, Pacer
from tests.client.stage import POOL, Stage, staged

OPEN_S = 3.0
RESERVE_UCR = 10


@dataclass
class Planned:
    """Somebody's own strategy: it bids these prices in turn, and remembers what it was told."""

    prices: list[int | None]
    worths: list[int] = field(default_factory=list)
    told: list[Outcome] = field(default_factory=list)

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        self.worths.append(worth_ucr)
        return self.prices.pop(0)

    def observe(self, outcome: Outcome) -> None:
        self.told.append(outcome)


async def called(stage: Stage, pricing: Pricing = Pricing.FIRST) -> Cfp:
    return await stage.manager.call_for_proposals(
        POOL, duration_s=1, open_s=OPEN_S, pricing=pricing, reserve_ucr=RESERVE_UCR
    )


@pytest.mark.broker
def test_a_strategy_is_told_once_of_each_call(referee: Broker) -> None:
    """Won, lost, not bid on, nobody bid, second price; refused by the market, and by the SDK: one outcome each."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            strategy = Planned([50, 30, None, None, 90, credits(101), RESERVE_UCR - 1])
            bidder = Bidder(alice, strategy)

            async def call(other_ucr: int | None, pricing: Pricing = Pricing.FIRST) -> int | None:
                """What is paid in a call in which the other bids so much."""
                cfp = await called(stage, pricing)
                mine = asyncio.create_task(bidder.bid(cfp, 100, task="train"))
                if other_ucr is not None:
                    await bob.bid(cfp, other_ucr)
                award = await mine
                return None if award is None else award.price_ucr

            assert await call(None) == 50
            assert await call(70) is None
            assert await call(70) is None
            assert await call(None) is None
            # One more where the other would have won the tie.
            second_ucr = await call(70, Pricing.SECOND)
            assert second_ucr in {70, 71}
            with pytest.raises(RejectedError, match="INSUFFICIENT_CREDIT"):
                await call(None)
            with pytest.raises(CommandUnsendableError, match="below the reserve"):
                await call(None)
            assert strategy.told == [
                Outcome(Pricing.FIRST, 50, 50, 50),
                Outcome(Pricing.FIRST, 30, 0, 70),
                Outcome(Pricing.FIRST, None, 0, 70),
                Outcome(Pricing.FIRST, None, 0, None),
                Outcome(Pricing.SECOND, 90, second_ucr, second_ucr),
                Outcome(Pricing.FIRST, credits(101), 0, None),
                Outcome(Pricing.FIRST, RESERVE_UCR - 1, 0, None),
            ]
            assert strategy.worths == [100] * 7

    asyncio.run(play())


@pytest.mark.broker
def test_a_budget_holds_over_calls_that_are_open_at_once(referee: Broker) -> None:
    """100 for three calls of worth 60: 60, the 40 that are left, and no bid; paid at second prices, the rest is back.
    What the wins deliver is learned, and the next worth is less."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            strategy, calibrator = Paced(Pacer(100, rounds=10**6)), Calibrator()
            bidder = Bidder(stage.bidders[0], strategy, calibrator)
            claim = Claim(Priority.NORMAL, 0, expected_value_points=200)
            cfps = [await called(stage, Pricing.SECOND) for _ in range(3)]
            async with asyncio.TaskGroup() as tasks:
                bids = [tasks.create_task(bidder.bid(cfp, 60, claim=claim)) for cfp in cfps]
            awards = [bid.result() for bid in bids]
            assert [award and award.price_ucr for award in awards] == [RESERVE_UCR, RESERVE_UCR, None]
            assert strategy.pacer.left_ucr == 100 - 2 * RESERVE_UCR
            for award in awards:
                if award is not None:
                    for _ in range(2):  # the second time says nothing new
                        bidder.delivered(award, 100)
            assert calibrator.tasks == 2
            worths = Planned([None])
            await Bidder(stage.bidders[0], worths, calibrator).bid(await called(stage), 701, claim=claim)
            assert worths.worths == [600]

    asyncio.run(play())


def test_a_claim_and_a_worth_are_what_estimates_have_delivered() -> None:
    """Two wins of 200 points that delivered 100: 2/7 of the way. Without experience, and of nothing, all stays."""
    claim = Claim(Priority.HIGH, 7, 200)
    fresh, taught = Calibrator(), Calibrator()
    for _ in range(2):
        taught.learn(200, 100)
    assert calibrated(fresh, 701, claim) == (701, claim)
    worth_ucr, claimed = calibrated(taught, 701, claim)
    assert (worth_ucr, claimed) == (600, Claim(Priority.HIGH, 7, 171))
    assert calibrated(fresh, 701, Claim(Priority.HIGH, 7, 0)) == (701, Claim(Priority.HIGH, 7, 0))


def test_a_worth_is_at_most_doubled() -> None:
    """Tasks that all delivered a hundred more say of an estimate of one that it delivers a hundredfold."""
    taught = Calibrator()
    for estimate in (100, 200, 300):
        taught.learn(estimate, estimate + 100)
    worth_ucr, claimed = calibrated(taught, 701, Claim(Priority.HIGH, 7, 1))
    assert worth_ucr == 1_402
    assert claimed.expected_value_points > 2
