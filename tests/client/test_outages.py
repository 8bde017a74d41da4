"""A broker that goes away for a while costs time, not commands or outcomes."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from confluent_kafka import TopicPartition

from broker.interface import Broker
from contractnet import Agent, Award, Cfp, credits, stall
from contractnet.client.feed import Batch
from contractnet.errors import OutcomeTimeoutError
from contractnet.topics import NOTICES
from tests.client.stage import POOL, Stage, staged

pytestmark = [pytest.mark.broker, pytest.mark.slow]

OUTAGE_S = 3.0
CFPS_MIN = 6


async def trade(stage: Stage, until_s: float, placed: threading.Event) -> list[tuple[bytes, Award | None]]:
    """Offer a unit again and again and bid on each CFP from the iterator; (CFP, what the bid won) of all.

    `placed` is set whenever a bid was accepted.
    """
    (alice,) = stage.bidders
    done: list[tuple[bytes, Award | None]] = []

    async def buy(agent: Agent) -> None:
        async for cfp in agent.cfps(POOL):
            bid = await agent.bid(cfp, credits("0.001"))
            placed.set()
            done.append((cfp.id, await bid.outcome(60)))

    buyer = asyncio.create_task(buy(alice))
    offered: list[Cfp] = []
    # A busy machine takes longer for as many.
    while time.monotonic() < until_s or len(offered) < CFPS_MIN:
        cfp = await stage.manager.call_for_proposals(POOL, duration_s=0.1, open_s=1, timeout_s=60)
        offered.append(cfp)
        await cfp.outcome(60)
    while len(done) < len(offered) and not buyer.done():
        await asyncio.sleep(0.05)
    await alice.close()
    await buyer
    assert [ident for ident, _ in done] == [cfp.id for cfp in offered]
    return done


def test_a_wait_with_the_broker_away_says_so(referee: Broker) -> None:
    """Whoever waits for a bid, a CFP or a command reads how old the last notice is, and that the broker is away."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=8)
            bid = await alice.bid(cfp, 100)
            with pytest.raises(OutcomeTimeoutError, match=r"has not ended .*read \d\.\d s ago\)$"):
                await bid.outcome(0.5)
            await asyncio.to_thread(referee.stop)
            try:
                for waiting in (bid.outcome(2), cfp.outcome(0.1), stage.bank.issue(alice.credential, 1, timeout_s=0.1)):
                    with pytest.raises(
                        OutcomeTimeoutError, match=r"read \d+\.\d s ago; the broker .* does not answer: "
                    ):
                        await waiting
            finally:
                await asyncio.to_thread(referee.start)
            assert await bid.outcome(30) is not None
            await asyncio.sleep(2)
            with pytest.raises(OutcomeTimeoutError, match=r"read \d+\.\d s ago\)$"):
                await (await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=8)).outcome(0.1)

    asyncio.run(play())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_restart_loses_no_command_and_no_outcome(referee: Broker, end: str) -> None:
    """Away for three seconds under load: every CFP is announced once, every bid has its outcome, nobody is told.

    It goes away when a bid was accepted: one that had not got there would be stored after the CFP's deadline.
    """
    placed = threading.Event()

    def outage() -> None:
        time.sleep(1.5)
        placed.clear()
        assert placed.wait(30)
        getattr(referee, end)()
        time.sleep(OUTAGE_S)
        referee.start()

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            trading = asyncio.create_task(trade(stage, time.monotonic() + 10, placed))
            await asyncio.to_thread(outage)
            done = await asyncio.wait_for(trading, 60)
        assert len(done) >= CFPS_MIN
        assert all(award is not None for _, award in done)

    asyncio.run(play())


def test_a_feed_that_stalls_is_read_on(referee: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer of notices that brings nothing although there is more (here: paused) is replaced; outcomes come."""
    monkeypatch.setattr(stall, "LOOK_S", 0.5)

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            feed, paused = stage.connection._feed, threading.Event()
            deliver, consumer = feed._deliver, feed._consumer

            def pause_first(batch: Batch) -> None:
                # In the feed's own thread: elsewhere the library would wait for the poll that is under way.
                if not paused.is_set():
                    consumer.pause([TopicPartition(NOTICES.name, feed.partition)])
                    paused.set()
                deliver(batch)

            monkeypatch.setattr(feed, "_deliver", pause_first)
            await asyncio.to_thread(paused.wait, 10)
            (alice,) = stage.bidders
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=0.1, open_s=3, timeout_s=30)
            bid = await alice.bid(cfp, 100)
            assert await bid.outcome(30) is not None
            assert feed._consumer is not consumer

    asyncio.run(play())
