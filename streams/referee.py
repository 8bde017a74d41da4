"""The referee: owns the writers of the assigned partitions and feeds them what Faust fetches."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar

from faust.types import TP

from contractnet.topics import COMMANDS
from streams.batches import Feed, Fetch
from streams.clock import Clock
from streams.metrics import Metrics
from streams.settings import Settings
from streams.writer import Outcome, PartitionWriter, ProducerStuckError

log = logging.getLogger(__name__)
T = TypeVar("T")
EXIT_FAULT = 70
"""Exit code after a fault of the environment: the supervisor restarts the worker, which recovers from the log."""
HAND_OVER_S = 20.0
"""How long a rebalance waits for a batch under way, which may find the broker away; the group waits for 60 s, and
heartbeats go on meanwhile."""


def die(why: BaseException) -> NoReturn:
    """End the process at once. Any gentler end would let Faust acknowledge what did not commit."""
    log.critical("worker ends: %r", why, exc_info=why)
    logging.shutdown()
    os._exit(EXIT_FAULT)


class Referee:
    """One worker's writers. Everything here runs on the app's event loop; judging and committing run in threads."""

    def __init__(self, settings: Settings, feed: Feed, metrics: Metrics) -> None:
        self.writers: dict[int, PartitionWriter] = {}
        self._settings = settings
        self._feed = feed
        self._metrics = metrics
        self._clock = Clock(settings.bootstrap)
        self._pool = ThreadPoolExecutor(max_workers=settings.partitions, thread_name_prefix="partition")
        self._busy = asyncio.Lock()
        self._turn = threading.Lock()
        self.ready = False
        self._closed = False
        self._held = False

    async def revoked(self) -> None:
        """Hold still until partitions are assigned again, once the batch under way has committed.

        Its next owner would fence a transaction in the middle, and a fenced worker has to end.
        """
        self._held = True
        with suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_S):
                async with self._busy:
                    pass

    async def assigned(self, partitions: set[int]) -> None:
        """Take over exactly these partitions: all new writers fence and restore in parallel, before any data flows."""
        async with self._busy:
            if self._closed:
                return
            self._held = False
            self._feed.forget()
            for partition in set(self.writers) - partitions:
                self.writers.pop(partition).close()
            new = sorted(partitions - set(self.writers))
            made = await self._in_threads([partial(self._new_writer, p) for p in new])
            for writer in made:
                self.writers[writer.partition] = writer
            for writer in self.writers.values():
                self._feed.seek(writer.partition, writer.position)
            self.ready = True
        log.info("owns partitions %s", sorted(self.writers))

    async def judge(self, fetches: list[Fetch]) -> None:
        """Judge fetches, partitions side by side, and count what came of them."""
        async with self._busy:
            if self._closed or self._held:
                return
            work = [partial(self._process, f) for f in fetches if f.partition in self.writers]
            outcomes = await self._in_threads(work)
        for writer, outcome in outcomes:
            self._metrics.count(writer, outcome)
            if outcome.seek is not None:
                log.warning("partition %d: reading again from %d", writer.partition, outcome.seek)
                self._feed.seek(writer.partition, outcome.seek)

    def tick(self) -> None:
        """Let the clock look at what is due."""
        if self.ready:
            self._clock.tick(list(self.writers.values()))

    async def publish_positions(self, consumer: Any) -> None:
        """Commit the group's offsets and the lag. For monitoring only: nothing ever reads them back."""
        offsets = {TP(COMMANDS.name, p): w.position for p, w in self.writers.items() if w.position}
        if offsets:
            await consumer._commit(offsets)
        for tp, offset in offsets.items():
            # The consumer has a thread of its own and may lose a partition at any moment. aiokafka asserts that it
            # has it: a number for monitoring is not worth a worker, which this has cost in a rebalance.
            with suppress(AssertionError, AttributeError):
                end = consumer.highwater(tp) or offset
                self._metrics.lag.labels(str(tp.partition)).set(max(0, end - offset))

    def close(self) -> None:
        """Stop judging. What is under way in a thread either commits or is judged again by the next owner."""
        self.ready = False
        # Faust's tasks run on for a moment, and what they bring is the next owner's.
        self._closed = True
        self._pool.shutdown(wait=True)
        self._clock.close()

    def _new_writer(self, partition: int) -> PartitionWriter:
        return PartitionWriter(self._settings, partition, turn=self._turn)

    def _process(self, fetch: Fetch) -> tuple[PartitionWriter, Outcome]:
        """Judge a fetch. A writer whose producer is stuck is replaced, as another worker would replace it."""
        writer = self.writers[fetch.partition]
        try:
            return writer, writer.process(fetch.records, sought=fetch.sought)
        except ProducerStuckError as why:
            log.warning("partition %d: %s; going on with a new producer", fetch.partition, why)
            writer.close()
            writer = self.writers[fetch.partition] = self._new_writer(fetch.partition)
            return writer, Outcome(seek=writer.position)

    async def _in_threads(self, work: Sequence[Callable[[], T]]) -> list[T]:
        loop = asyncio.get_running_loop()
        try:
            return list(await asyncio.gather(*(loop.run_in_executor(self._pool, w) for w in work)))
        except asyncio.CancelledError:
            raise
        except BaseException as why:  # any at all (Kafka's, an assertion's): what did not commit must end the process
            die(why)
