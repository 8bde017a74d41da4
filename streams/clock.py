"""The clock: sends a Tick for a market when something of it falls due, or when its time would fall behind.

Market time is the broker's stamp. Between records it is estimated from the last stamp and a monotonic clock; the wall
clock of this machine decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from contractnet.access import client_settings
from contractnet.envelope import seal_tick
from contractnet.topics import COMMANDS
from market.limits import CLOCK_ADVANCE_MS, CLOCK_STEP_MS_MAX
from streams.log import KAFKA, Log
from streams.writer import Due, PartitionWriter

INTERVAL_S = 0.01
# A tick that had no effect yet is not sent again before this.
PATIENCE_S = 0.25
GIVE_UP_MS = 5_000
# After a long pause market time catches up in steps of CLOCK_STEP_MS_MAX; so many ticks at most are sent at once.
BURST_MAX = 500


class Clock:
    """Ticks for the markets of the partitions that this worker owns."""

    def __init__(self, bootstrap: str, log: Log = KAFKA) -> None:
        self._log = log
        # Not transactional: a transactional writer could hold up the readers of `commands`.
        # Ticks of a time without a broker are given up: it would be sent all of them once it is back.
        self._producer = log.producer(
            client_settings(bootstrap) | {"enable.idempotence": True, "linger.ms": 0, "message.timeout.ms": GIVE_UP_MS}
        )
        self._stamps: dict[int, tuple[int, float]] = {}
        self._ticked: dict[str, tuple[int, float]] = {}

    def tick(self, writers: Iterable[PartitionWriter]) -> int:
        """Send what is due now; returns the number of ticks sent."""
        sent = 0
        now = self._log.monotonic()
        for writer in writers:
            stamp = writer.stamped_at_ms
            if stamp and self._stamps.get(writer.partition, (0, 0.0))[0] != stamp:
                self._stamps[writer.partition] = (stamp, now)
            for due in writer.dues:
                sent += self._tick_market(writer.partition, due, now)
        self._producer.poll(0)
        return sent

    def _tick_market(self, partition: int, due: Due, now: float) -> int:
        at_ms, when = self._ticked.get(due.market, (-1, 0.0))
        if at_ms == due.now_ms and now - when < PATIENCE_S:
            return 0
        count = self._ticks_wanted(partition, due, now)
        tick = seal_tick(due.market)
        for _ in range(count):
            self._producer.produce(COMMANDS.name, tick.value, key=due.market.encode(), partition=partition)
        if count:
            self._ticked[due.market] = (due.now_ms, now)
        return count

    def _ticks_wanted(self, partition: int, due: Due, now: float) -> int:
        known = self._stamps.get(partition)
        if known is None:
            return 1  # nobody knows how long this worker was away: ask the broker's clock
        behind_ms = known[0] + int((now - known[1]) * 1000) - due.now_ms
        if behind_ms >= CLOCK_ADVANCE_MS:
            return min(BURST_MAX, 1 + behind_ms // CLOCK_STEP_MS_MAX)
        return int(due.due_at_ms is not None and behind_ms >= due.due_at_ms - due.now_ms)

    def close(self) -> None:
        """Send what is queued."""
        self._producer.flush(5)
