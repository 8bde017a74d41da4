"""From sending a command to reading its receipt at read_committed, at a given rate."""

from __future__ import annotations

import time
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from benchmarks.stage import Starter, ledger_end, open_markets, stage
from contractnet.codec import decode_notice
from contractnet.messages import commands as c
from contractnet.messages.notices import Receipt
from contractnet.topics import NOTICES
from faults.world import PARTITIONS, Market, World
from streams.reading import new_consumer

WARM_S = 3.0
MEASURED_S = 8.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds over `n` commands."""

    p50_ms: float
    p99_ms: float
    n: int


def run(start: Starter, *, rate: int) -> Latency:
    """Signed commands, spread over one market a partition."""
    with stage() as world:
        markets = open_markets(world, signed=True, agents=5)
        world.producer.flush(30)
        start(world)
        world.wait_for("the markets are open", lambda: ledger_end(world) > len(markets) * 10)
        sent, received = _measure(world, markets, rate)
    taken = sorted((received[i] - at) * 1000 for i, at in sent.items() if i in received)
    assert len(taken) == len(sent), f"{len(sent) - len(taken)} commands without a receipt"
    return Latency(taken[len(taken) // 2], taken[int(len(taken) * 0.99)], len(taken))


def _measure(world: World, markets: list[Market], rate: int) -> tuple[dict[bytes, float], dict[bytes, float]]:
    consumer = new_consumer(world.broker.bootstrap, **{"fetch.wait.max.ms": 5})
    consumer.assign([TopicPartition(NOTICES.name, p, world.end_of(NOTICES.name, p)) for p in range(PARTITIONS)])
    sent: dict[bytes, float] = {}
    received: dict[bytes, float] = {}
    started = time.monotonic()
    count = 0
    while (elapsed := time.monotonic() - started) < WARM_S + MEASURED_S + 2:
        while count < min(elapsed, WARM_S + MEASURED_S) * rate:
            market = markets[count % len(markets)]
            sealed = market.seal(c.IssueCredits(market.accounts[market.agents[0].public], 1, ""), market.bank)
            if elapsed > WARM_S:
                sent[sealed.command_id] = time.monotonic()
            market.send_raw(market.name.encode(), sealed.value, sealed.headers)
            count += 1
        for message in consumer.consume(500, 0.001):
            if message.error() is None:
                notice = decode_notice(message.value())
                if isinstance(notice, Receipt):
                    received[notice.command] = time.monotonic()
    consumer.close()
    return sent, received
