"""The notices of one market, read and decoded by one thread.

The partition is assigned by hand: no group, no commit, no rebalance. `read_committed` shows a notice only once the
referee's transaction has committed. librdkafka reconnects by itself; a gap ends with the same next record.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from contractnet import codec, topics
from contractnet.access import Access, client_settings
from contractnet.errors import AccessRefusedError, BrokerUnreachableError, MarketNotFoundError, UnreadableValueError
from contractnet.messages import Notice
from contractnet.messages.partition import partition_of
from contractnet.refusals import Refusals, hint, list_topics, topic_metadata
from contractnet.rights import NOTICES_GROUP
from contractnet.stall import LONG_LIVED, StallDetector
from contractnet.watermarks import watermarks

log = logging.getLogger(__name__)

POLL_S = 0.05
"""How often an idle feed looks whether it has to stop, and lets its owner do what is due."""

FETCH_WAIT_MS = 50
"""The longest the broker holds an empty fetch. Records that arrive end it early."""

BATCH_MAX = 1000

STATISTICS_MS = 1000
"""How often the library says which brokers answer it: while a market is idle, nothing else tells that one is back."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A notice as stored: its offset in the partition and its market time, milliseconds since the epoch."""

    offset: int
    at_ms: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll of the feed brought. `live` is true once the feed has read all that was there when it began;
    everything below `position` was read, whether it is in a batch or not."""

    noted: list[Noted]
    newest_at_ms: int
    live: bool
    position: int


class NoticeFeed:
    """Reads the notices of `market` and hands each batch to `deliver`, in the feed's own thread.

    `keep` decides on a notice's raw value whether it is worth decoding. `deliver` is also called, with an empty batch,
    when the feed becomes live, and about every 50 ms while nothing arrives.
    """

    def __init__(
        self,
        bootstrap: str,
        market: str,
        *,
        access: Access | None = None,
        keep: Callable[[bytes], bool],
        deliver: Callable[[Batch], None],
    ) -> None:
        self.market = market
        self.partitions = 0
        self.partition = 0
        self.last_problem: str | None = None
        self.position = 0
        """The offset after the last one that `keep` was, or is about to be, asked about."""
        self._read_s: float | None = None
        self._bootstrap = bootstrap
        self._access = access
        self._refusals = Refusals(self._problem)
        self._key = market.encode()
        self._keep = keep
        self._deliver = deliver
        self._stop = threading.Event()
        self._live = False
        self._end = 0
        self._thread = threading.Thread(target=self._run, name=f"contractnet-notices-{market}", daemon=True)
        self._stall = StallDetector(topics.NOTICES.name)
        self._consumer = self._new_consumer()

    def _new_consumer(self) -> Consumer:
        return Consumer(
            {
                **client_settings(self._bootstrap, self._access),
                "group.id": NOTICES_GROUP,  # asked for by the library, never joined: partitions are assigned
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": FETCH_WAIT_MS,
                "fetch.error.backoff.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
                "error_cb": self._refusals,
                "statistics.interval.ms": STATISTICS_MS,
                "stats_cb": self._connected,
                **LONG_LIVED,
            }
        )

    def start(self, look_back_s: float | None, timeout_s: float) -> None:
        """Find the partition and begin to read `look_back_s` seconds ago (None: at the beginning). Blocks.

        Raises BrokerUnreachableError when no broker answers in time, AccessRefusedError when it does not accept the
        credentials, MarketNotFoundError when it has no markets.
        """
        try:
            self._assign(look_back_s, timeout_s)
        except KafkaException as error:
            self._consumer.close()
            raise BrokerUnreachableError(
                f"no Kafka broker answers at {self._bootstrap} ({error.args[0].str()}): "
                "start one with `contractnet up`, or name another with connect(..., bootstrap=), CONTRACTNET_BOOTSTRAP "
                f"or, on the command line, --bootstrap.{hint(self._access)}"
            ) from error
        except (MarketNotFoundError, AccessRefusedError):
            self._consumer.close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the consumer. Blocks for at most about a second. May be called twice."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def silence(self) -> str:
        """For messages to people who wait in vain: when a record was read last, and what is wrong with the broker."""
        if self._read_s is None:
            read = "no notice was read yet"
        else:
            read = f"the last notice was read {time.monotonic() - self._read_s:.1f} s ago"
        if self.last_problem is None:
            return read
        return f"{read}; the broker at {self._bootstrap} does not answer: {self.last_problem}"

    def _assign(self, look_back_s: float | None, timeout_s: float) -> None:
        known = list_topics(self._consumer, self._refusals, self._bootstrap, timeout_s, self._access).topics
        for topic in (topics.COMMANDS.name, topics.NOTICES.name):
            if topic not in known:
                topic_metadata(self._consumer, topic, self._bootstrap, self._access)
                raise MarketNotFoundError(
                    f"the broker at {self._bootstrap} has no topic {topic!r}: `contractnet up` prepares it for markets"
                )
        self.partitions = len(known[topics.NOTICES.name].partitions)
        self.partition = partition_of(self.market, self.partitions)
        begin = TopicPartition(topics.NOTICES.name, self.partition, OFFSET_BEGINNING)
        # First, as it waits for the leader of a partition that has none yet.
        _, self._end = watermarks(self._consumer, begin, timeout_s)
        if look_back_s is not None:
            begin.offset = int((time.time() - look_back_s) * 1000)
            begin = self._consumer.offsets_for_times([begin], timeout=timeout_s)[0]
        if begin.offset == OFFSET_END:
            # Nothing is that young. As a number, so that a new consumer can go on from there.
            begin.offset = self._end
        self._consumer.assign([begin])
        self._stall.assigned([begin])

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                first = self._consumer.poll(POLL_S)
                # With a timeout of 0, consume() takes what is there; otherwise it would wait for a full batch.
                messages = [] if first is None else [first, *self._consumer.consume(BATCH_MAX, 0)]
                self._deliver(self._read(messages))
                if self._stall.stalled(self._consumer):
                    log.debug("notices of market %s: nothing came although there is more, connecting anew", self.market)
                    self._consumer.close()
                    self._consumer = self._new_consumer()
                    self._consumer.assign(self._stall.starts())
                    self._stall.assigned(self._stall.starts())
        finally:
            self._consumer.close()

    def _read(self, messages: list[Message]) -> Batch:
        noted: list[Noted] = []
        newest_at_ms = 0
        for message in messages:
            self._stall.heard(message)
            problem = message.error()
            if problem is not None:
                if problem.code() == KafkaError._PARTITION_EOF:
                    self._live = True
                else:
                    self._problem(problem)
                continue
            self.last_problem = None
            self._read_s = time.monotonic()
            at_ms = message.timestamp()[1]
            newest_at_ms = max(newest_at_ms, at_ms)
            value, offset = message.value(), message.offset()
            # In a market that never rests, no fetch comes back empty, and so none tells where the end is.
            self._live = self._live or (offset is not None and offset >= self._end - 1)
            self.position = self.position if offset is None else offset + 1
            if message.key() != self._key or value is None or offset is None or not self._keep(value):
                continue
            try:
                noted.append(Noted(offset, at_ms, codec.decode_notice(value)))
            except UnreadableValueError as error:
                log.warning("notice at offset %d of market %s skipped: %s", offset, self.market, error)
        return Batch(noted, newest_at_ms, self._live, self.position)

    def _connected(self, statistics: str) -> None:
        if any(broker["state"] == "UP" for broker in json.loads(statistics)["brokers"].values()):
            self.last_problem = None

    def _problem(self, error: KafkaError) -> None:
        self.last_problem = error.str()
        log.debug("notices of market %s: %s", self.market, error)
