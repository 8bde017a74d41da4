"""The load: on several markets, at a steady rate, calls and bids and whatever else agents do (mix.py)."""

from __future__ import annotations

import random
import threading
import time

from confluent_kafka import KafkaException

from faults.mix import Mix
from faults.world import Market

BIDS = 4
COMMANDS_PER_CFP = 1 + BIDS
OPEN_MS_MAX = 600


class Load:
    """Sends from a thread of its own until `stop`. `rate` is commands a second over all markets."""

    def __init__(self, markets: list[Market], rate: float, seed: int) -> None:
        self.sent = 0
        self.error: Exception | None = None
        self._markets = markets
        self._rate = rate
        self._rng = random.Random(seed)
        self._mixes = {market.name: Mix(market, self._rng) for market in markets}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending."""
        self._stopping.set()
        self._thread.join()
        assert self.error is None, f"the load ended early: {self.error!r}"

    def _send(self) -> None:
        due_at = time.monotonic()
        while not self._stopping.is_set():
            try:
                sent = self._trade(self._rng.choice(self._markets))
            except (BufferError, KafkaException) as error:
                self.error = error
                return
            self.sent += sent
            due_at = max(due_at + sent / self._rate, time.monotonic() - 1)
            if self._stopping.wait(max(0.0, due_at - time.monotonic())):
                return

    def _trade(self, market: Market) -> int:
        """How many commands were sent."""
        mix = self._mixes[market.name]
        cfp = market.call(open_ms=self._rng.randrange(100, OPEN_MS_MAX), duration_ms=500)
        for keys in self._rng.sample(market.agents, BIDS):
            market.bid(cfp, keys, self._rng.randrange(10, 10**6))
        return COMMANDS_PER_CFP + mix.begin(time.monotonic()) + mix.go_on(time.monotonic())
