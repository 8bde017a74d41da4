"""A market that a worker answers all the time, for what has to work beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contractnet.topics import LEDGER
from tests.integration.world import Market, World


@contextmanager
def restless(world: World, *, pause_s: float, records: int) -> Iterator[Market]:
    """A market with calls and bids that keep coming, `pause_s` apart, from when its ledger has grown by `records` on;
    they still come at the end of the block."""
    world.start_worker(0)
    market = world.market("tenant-42")
    market.open(agents=4)
    stopping = threading.Event()

    def load() -> None:
        while not stopping.wait(pause_s):
            cfp = market.call(open_ms=100, duration_ms=100)
            for price_ucr, keys in enumerate(market.agents, start=100):
                market.bid(cfp, keys, price_ucr)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        start_at = world.end_of(LEDGER.name, market.partition)
        world.wait_for("answers", lambda: world.end_of(LEDGER.name, market.partition) > start_at + records)
        yield market
        grown = world.end_of(LEDGER.name, market.partition)
        world.wait_for("more answers", lambda: world.end_of(LEDGER.name, market.partition) > grown)
    finally:
        stopping.set()
        sender.join()
        world.stop_all()
