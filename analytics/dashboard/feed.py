"""What public notices tell before the next generation: how long commands take, and how much happens a second.

A call's announcement names the instant of its command (the broker's stamp); it is seen here once it can be read at
read_committed. The difference is what an agent on this machine waits for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contractnet.access import client_settings
from contractnet.codec import decode_notice
from contractnet.errors import UnreadableValueError
from contractnet.messages import notices as n
from contractnet.rights import VERIFY_GROUPS
from contractnet.stall import LONG_LIVED
from contractnet.topics import NOTICES

GROUP = f"{VERIFY_GROUPS}dashboard"
KEPT_S = 60.0
_BATCH = 500
_PAUSE_S = 0.2
_TIMEOUT_S = 5.0


class NoticeFeed:
    """Reads the notices of a broker from their end on, in a thread of its own."""

    def __init__(self, bootstrap: str, market: str) -> None:
        self._market = market.encode()
        self._settings = {
            **client_settings(bootstrap),
            "group.id": GROUP,  # required by the client; no group is joined, nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "fetch.wait.max.ms": 50,
            "log_level": 2,
            **LONG_LIVED,
        }
        self._lock = threading.Lock()
        self._receipts: deque[float] = deque()
        self._awards: deque[float] = deque()
        self._latencies: deque[tuple[float, float]] = deque()
        self._problem: str | None = "no notice has been read yet"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End, within a second or so."""
        self._ended.set()
        self._thread.join(_TIMEOUT_S)

    def told(self) -> dict[str, Any]:
        """Rates over the last 10 seconds, latencies over the last minute in milliseconds, and what is wrong."""
        now = time.time()
        with self._lock:
            for kept in (self._receipts, self._awards):
                while kept and kept[0] < now - KEPT_S:
                    kept.popleft()
            while self._latencies and self._latencies[0][0] < now - KEPT_S:
                self._latencies.popleft()
            taken = sorted(ms for _, ms in self._latencies)
            return {
                "receipts_per_s": sum(at > now - 10 for at in self._receipts) / 10,
                "awards_per_s": sum(at > now - 10 for at in self._awards) / 10,
                "p50_ms": taken[len(taken) // 2] if taken else None,
                "p99_ms": taken[int(len(taken) * 0.99)] if taken else None,
                "measured": len(taken),
                "problem": self._problem,
            }

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except KafkaException as error:
                self._say(f"the broker does not answer: {error.args[0].str()}")
                self._ended.wait(_TIMEOUT_S)

    def _read(self) -> None:
        consumer = Consumer(self._settings)
        try:
            topic = consumer.list_topics(NOTICES.name, _TIMEOUT_S).topics[NOTICES.name]
            if topic.error is not None:
                raise KafkaException(topic.error)
            ends = [TopicPartition(NOTICES.name, p) for p in sorted(topic.partitions)]
            for place in ends:
                place.offset = consumer.get_watermark_offsets(place, _TIMEOUT_S)[1]
            consumer.assign(ends)
            self._say(None)
            while not self._ended.is_set():
                for message in consumer.consume(_BATCH, _PAUSE_S):
                    value = message.value()
                    if message.error() is None and message.key() == self._market and isinstance(value, bytes):
                        self._hear(value)
        finally:
            consumer.close()

    def _hear(self, value: bytes) -> None:
        now = time.time()
        try:
            notice = decode_notice(value)
        except UnreadableValueError:
            return  # of a newer version
        with self._lock:
            match notice:
                case n.Receipt():
                    self._receipts.append(now)
                case n.CfpAnnounced():
                    self._latencies.append((now, now * 1000 - notice.opened_at_ms))
                case n.CfpSettled():
                    self._awards.extend([now] * len(notice.winners))
                case _:
                    pass

    def _say(self, problem: str | None) -> None:
        with self._lock:
            self._problem = problem
