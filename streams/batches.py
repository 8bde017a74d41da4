"""Faust's consumer, delivering whole fetch responses instead of one event per record.

Faust makes two tasks for each record; a fetch at a time is 2.8 times as fast (docs/decisions/0001). `_drain_messages`
is private to Faust: its version is pinned, and tests/streams/test_shells.py fails when what is overridden here
changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP

from streams.records import read_every_batch

if TYPE_CHECKING:
    import faust

log = logging.getLogger(__name__)
POLL_S = 1.0
FETCH_WAIT_MS = 20
"""Faust hard-codes 1500, which adds 40 ms to the median latency."""


WAITING_MAX = 8
"""Responses that wait while a batch is judged and committed; more stay with the broker."""
RECORDS_MAX = 4_000
"""No more responses are added to a batch that has so many records: it is as fast as a larger one, and waits less."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Records of one partition without a gap between them; `sought` is the offset of the seek that came right
    before."""

    partition: int
    records: list[Any]
    sought: int | None


class Feed:
    """What the consumer fetches, and the seeks it is asked for. Lives on the event loop of the app."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.queue: asyncio.Queue[list[Fetch]] = asyncio.Queue(maxsize=WAITING_MAX)
        self._held: list[Fetch] | None = None
        self._wanted: dict[int, int] = {}
        self._sought: dict[int, int] = {}

    def seek(self, partition: int, offset: int) -> None:
        """Have the partition read from `offset` on before its next fetch."""
        self._wanted[partition] = offset

    def forget(self) -> None:
        """The assignment changed: a seek made before it says nothing about what comes after."""
        self._wanted.clear()
        self._sought.clear()

    async def perform_seeks(self, consumer: Any) -> None:
        """Carry out the seeks that were asked for."""
        for partition, offset in list(self._wanted.items()):
            await consumer.seek(TP(self.topic, partition), offset)
            self._sought[partition] = offset
            self._wanted.pop(partition, None)

    async def next(self) -> list[Fetch]:
        """Everything that waits, one fetch a partition; waits itself for the first.

        The broker answers as soon as one partition has one record, and a transaction costs the same for one record as
        for fifty: what came while the last batch was committed goes into one transaction a partition.
        """
        fetches = self._held or await self.queue.get()
        self._held = None
        while not self.queue.empty() and sum(len(fetch.records) for fetch in fetches) < RECORDS_MAX:
            later = self.queue.get_nowait()
            whole = merged(fetches, later)
            if whole is None:
                self._held = later
                break
            fetches = whole
        return fetches

    def wrap(self, fetched: Mapping[TP, list[Any]]) -> list[Fetch]:
        """The fetches of one response. Those that a wanted seek makes obsolete are left out."""
        return [
            Fetch(tp.partition, records, self._sought.pop(tp.partition, None))
            for tp, records in fetched.items()
            if tp.topic == self.topic and records and tp.partition not in self._wanted
        ]


def merged(earlier: list[Fetch], later: list[Fetch]) -> list[Fetch] | None:
    """Two responses as one; None where there is a gap between them in a partition.

    What was fetched before a seek is dropped: the seek says where to go on instead. A gap is the writer's to judge,
    which knows its position, and it looks for one only at the start of a fetch.
    """
    by_partition = {fetch.partition: fetch for fetch in earlier}
    for fetch in later:
        before = by_partition.get(fetch.partition)
        if before is None or fetch.sought is not None:
            by_partition[fetch.partition] = fetch
        elif fetch.records[0].offset == before.records[-1].offset + 1:
            by_partition[fetch.partition] = Fetch(fetch.partition, before.records + fetch.records, before.sought)
        else:
            return None
    return list(by_partition.values())


class _ConsumerThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    def leave_group_on_close(self) -> None:
        """aiokafka keeps a static member in the group when it closes; scale-in has to hand over at once."""
        if self._consumer is not None and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None


class BatchConsumer(FaustConsumer):
    """Faust's consumer, except for how records are delivered."""

    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust warns of streams that make no progress by looking at acks, which we do not use; /health tells."""

    async def _drain_messages(self, fetcher: Any) -> None:
        transport = self.transport
        assert isinstance(transport, BatchTransport)
        feed = transport.feed
        try:
            while not (self.should_stop or fetcher.should_stop):
                if self.flow_active:
                    await feed.perform_seeks(self)
                fetched, _ = await self._wait_next_records(POLL_S)
                await asyncio.sleep(0)
                if not fetched or self.should_stop or not self.flow_active:
                    continue
                if fetches := feed.wrap(fetched):
                    await feed.queue.put(fetches)
        except asyncio.CancelledError:
            # While the group rebalances, Faust's fetcher answers this by waking a supervisor that it does not have,
            # and a worker that was told to leave would end with code 1.
            if not (self.transport.app.should_stop or fetcher.should_stop):
                raise
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise


class BatchTransport(FaustTransport):
    """Faust's aiokafka transport with a BatchConsumer."""

    Consumer = BatchConsumer

    def __init__(self, *args: Any, feed: Feed, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.feed = feed


def deliver_batches(app: faust.App, feed: Feed) -> None:
    """Make an app deliver its fetches into `feed`."""

    def new_transport() -> BatchTransport:
        return BatchTransport(app.conf.broker_consumer, app, feed=feed)

    read_every_batch()
    app._new_transport = new_transport  # type: ignore[method-assign]  # the hook that Faust's own tests use
