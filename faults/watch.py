"""Watches the ledger at read_committed while faults happen: when awards appear."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from contractnet.codec import decode_entry
from contractnet.messages.events import AwardMade
from contractnet.stall import StallDetector
from contractnet.topics import LEDGER, NOTICES
from streams.reading import new_consumer

_TIMEOUT_S = 30.0
_CALL_TIMEOUT_S = 2.0
"""A call that asks a leader which was killed meanwhile is not answered; the next one asks the new leader."""


class Watch:
    """Remembers when the newest award was seen. Runs a thread until `stop`."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = range(partitions)
        self._beyond: dict[int, int] = {}
        self._first_after: float | None = None
        self._awarding: set[int] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._views = {
            # Asking for ends alone renews nothing that a view knows: it would ask a dead leader for 15 minutes.
            level: new_consumer(bootstrap, **{"isolation.level": level, "log_level": 0, "metadata.max.age.ms": 1000})
            for level in ("read_committed", "read_uncommitted")
        }
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def wait_for_award(self) -> None:
        """Look for the first award that is written from now on: it lies beyond what is in the log."""
        ends = {p: self.end_of(LEDGER.name, p) for p in self._partitions}
        with self._lock:
            self._beyond, self._first_after, self._awarding = ends, None, set()

    @property
    def award_after(self) -> float | None:
        """When it appeared; None as long as it has not."""
        with self._lock:
            return self._first_after

    def awarded_on(self, partitions: Iterable[int]) -> bool:
        """Whether such an award appeared on each of these partitions."""
        with self._lock:
            return self._awarding.issuperset(partitions)

    def open_transactions(self, partitions: Iterable[int]) -> int:
        """How many of these partitions of ledger and notices have an open transaction."""
        return sum(self.is_open(topic.name, p) for p in partitions for topic in (LEDGER, NOTICES))

    def is_open(self, topic: str, partition: int) -> bool:
        """Whether the last stable offset lies before the end: a transaction is open.

        The end is asked for first. What is written between the two answers can hide a transaction that ends just then;
        asked for last, it would make one up.
        """
        end = self.end_of(topic, partition)
        return self._end(self._views["read_committed"], TopicPartition(topic, partition)) < end

    def end_of(self, topic: str, partition: int) -> int:
        """Offset after the last record, also of transactions that are still open."""
        return self._end(self._views["read_uncommitted"], TopicPartition(topic, partition))

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()
        for view in self._views.values():
            view.close()

    @staticmethod
    def _end(view: Consumer, place: TopicPartition) -> int:
        give_up_at = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                return view.get_watermark_offsets(place, timeout=_CALL_TIMEOUT_S)[1]
            except KafkaException:
                # A broker that has just come back does not know its partitions at once.
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.1)

    def _follow(self) -> None:
        starts = [TopicPartition(LEDGER.name, p, 0) for p in self._partitions]
        stalls = StallDetector(LEDGER.name)
        while not self._stopping.is_set():
            consumer = new_consumer(self._bootstrap, log_level=0, **{"auto.offset.reset": "earliest"})
            consumer.assign(starts)
            stalls.assigned(starts)
            # Whoever watches outages meets what they do to consumers (contractnet/stall.py).
            while not (self._stopping.is_set() or stalls.stalled(consumer)):
                for message in consumer.consume(500, 0.1):
                    self._note(message, stalls)
            starts = stalls.starts()
            with suppress(KafkaException):
                consumer.close()

    def _note(self, message: Message, stalls: StallDetector) -> None:
        stalls.heard(message)
        value, partition, offset = message.value(), message.partition(), message.offset()
        # Anything else is a broker that is away, which some sections do on purpose.
        if message.error() is None and isinstance(value, bytes) and self._is_award(value):
            assert partition is not None
            assert offset is not None
            self._saw(partition, offset)

    @staticmethod
    def _is_award(value: bytes) -> bool:
        return isinstance(decode_entry(value).event, AwardMade)

    def _saw(self, partition: int, offset: int) -> None:
        with self._lock:
            if self._beyond and offset >= self._beyond[partition]:
                self._awarding.add(partition)
                self._first_after = self._first_after or time.monotonic()
