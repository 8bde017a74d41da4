"""The load: calls for proposals and bids on several markets, at a steady rate."""

from __future__ import annotations

import random
import threading
import time

from confluent_kafka import KafkaException

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
        self._pause_s = COMMANDS_PER_CFP / rate
        self._rng = random.Random(seed)
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
                self._negotiate(self._rng.choice(self._markets))
            except (BufferError, KafkaException) as error:
                self.error = error
                return
            due_at = max(due_at + self._pause_s, time.monotonic() - 1)
            if self._stopping.wait(max(0.0, due_at - time.monotonic())):
                return

    def _negotiate(self, market: Market) -> None:
        cfp = market.call(open_ms=self._rng.randrange(100, OPEN_MS_MAX), duration_ms=500)
        for keys in self._rng.sample(market.agents, BIDS):
            market.bid(cfp, keys, self._rng.randrange(10, 10**6))
        self.sent += COMMANDS_PER_CFP
