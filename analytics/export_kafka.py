"""What an export takes from Kafka: one consistent cut of the topics, and their records as stored.

The ends are captured once, at the start, and nothing beyond them is exported. What a transaction writes becomes visible
on each of its partitions by itself, not at one instant: the cut has to be found.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition

from analytics.verify.kafka import KafkaSource
from contractnet.access import client_settings
from contractnet.envelope import readable_headers
from contractnet.errors import ExportError
from contractnet.exports.container import TIMESTAMP_TYPES, KeptRecord
from contractnet.rights import VERIFY_GROUPS
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS, TOPICS
from contractnet.watermarks import watermarks

_TRIES = 40
_PAUSE_S = 0.025
# So many records before an end are looked at: far more than the transactions that are under way at a time.
_TAIL = 5_000
# A transaction of the referee takes far less, and its broker ends one that takes longer than a minute.
_OPEN_S = 90.0
# Below a captured end, everything is there: a broker that is silent for so long is away.
_QUIET_S = 30.0

Bounds = dict[str, list[tuple[int, int]]]
"""By topic and partition: the first offset that is kept, and the offset at which the export ends."""


@dataclass(frozen=True, slots=True)
class KafkaTopics:
    """The topics of a market on Kafka, as an export reads them."""

    source: KafkaSource

    def capture(self) -> Bounds:
        """The ends of all partitions, now. Raises BrokerUnreachableError, AccessRefusedError, KafkaException."""
        counts = {topic.name: self.source.partitions(topic.name) for topic in TOPICS}
        if len(set(counts.values())) != 1:
            raise ExportError(f"these are not the topics of a market: their numbers of partitions are {counts}")
        readers = {level: self._reader(level) for level in ("read_committed", "read_uncommitted")}
        try:
            found: Bounds = {name: [] for name in counts}
            for partition in range(counts[COMMANDS.name]):
                for name, bounds in _cut(self.source, readers, partition).items():
                    found[name].append(bounds)
            return found
        finally:
            for reader in readers.values():
                reader.close()

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[KeptRecord]:
        """The records from offset `start` on below `end`. Raises ExportError, KafkaException."""
        return map(_kept, _messages(self.source, topic, partition, start, end))

    def _reader(self, level: str) -> Consumer:
        return Consumer(
            {
                **client_settings(self.source.bootstrap),
                "group.id": f"{VERIFY_GROUPS}{uuid.uuid4().hex}",
                "isolation.level": level,
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )


def _messages(source: KafkaSource, topic: str, partition: int, start: int, end: int) -> Iterator[Message]:
    messages = source.messages(topic, partition, start, end, _QUIET_S)
    while True:
        try:
            message = next(messages)
        except StopIteration as ended:
            if not ended.value:
                why = f"the broker gave nothing for {_QUIET_S:.0f} s, and {end} is the end"
                raise ExportError(f"{topic}[{partition}]: {why}") from None
            return
        yield message


def _cut(source: KafkaSource, readers: dict[str, Consumer], partition: int) -> dict[str, tuple[int, int]]:
    """Where the topics of one partition are cut: every entry of the ledger with its notices, and none without.

    A snapshot is of a ledger that its maker saw: its end is asked for first, and that of the commands, which cause
    everything, last. The notices of the entries below the ledger's end were written before that was visible: they are
    there once none of the transactions that had written by then is open. At rest there are no others; else they are
    told apart by their times.
    """
    committed, uncommitted = readers["read_committed"], readers["read_uncommitted"]
    places = {topic.name: TopicPartition(topic.name, partition) for topic in TOPICS}
    for _ in range(_TRIES):
        snapshots = watermarks(committed, places[SNAPSHOTS.name])
        ledger = watermarks(committed, places[LEDGER.name])
        notices = _settled(readers, places[NOTICES.name])
        further = _settled(readers, places[LEDGER.name])[1]
        end = notices[1] if further == ledger[1] else _notices_end(source, partition, ledger, further, notices)
        if end is not None:
            commands = watermarks(uncommitted, places[COMMANDS.name])
            cut = (commands, ledger, (notices[0], end), snapshots)
            return dict(zip((topic.name for topic in (COMMANDS, LEDGER, NOTICES, SNAPSHOTS)), cut, strict=True))
    raise ExportError(
        f"partition {partition} never rests, and within a millisecond of its end there were always other commands. "
        f"Export again, or when there is less to do."
    )


def _notices_end(
    source: KafkaSource, partition: int, ledger: tuple[int, int], further: int, notices: tuple[int, int]
) -> int | None:
    """Where the notices of the ledger's entries end; None where that can't be told."""

    def times(topic: str, start: int, end: int) -> list[tuple[int, int]]:
        found = _messages(source, topic, partition, start, end)
        return [(message.offset() or 0, message.timestamp()[1]) for message in found]

    before = times(LEDGER.name, max(ledger[0], ledger[1] - _TAIL), ledger[1])
    after = times(LEDGER.name, ledger[1], further)
    told = times(NOTICES.name, max(notices[0], notices[1] - _TAIL), notices[1])
    return boundary([at for _, at in before], [at for _, at in after], told, notices[1])


def boundary(before: Sequence[int], after: Sequence[int], notices: Sequence[tuple[int, int]], end: int) -> int | None:
    """The end of the notices of the entries `before` a cut, `end` where no others are there.

    `before` and `after` are times of entries, `notices` offsets and times of notices up to `end`: those of an entry
    have its time. None where times do not tell: entries of both sides have the same, or time went back.
    """
    if not after:
        return end
    first_after = min(after)
    if before and max(before) >= first_after:
        return None
    later = [at >= first_after for _, at in notices]
    if later != sorted(later) or (notices and all(later) and before):
        return None
    return next((offset for offset, at in notices if at >= first_after), end)


def _settled(readers: dict[str, Consumer], place: TopicPartition) -> tuple[int, int]:
    """Bounds of a partition once all transactions that have written by now have ended."""
    written = watermarks(readers["read_uncommitted"], place)[1]
    give_up_at_s = time.monotonic() + _OPEN_S
    while (bounds := watermarks(readers["read_committed"], place))[1] < written:
        if time.monotonic() > give_up_at_s:
            raise ExportError(
                f"{place.topic}[{place.partition}]: a transaction stays open at offset {bounds[1]}. Look whether the "
                f"workers are well (`contractnet status`), and export again."
            )
        time.sleep(_PAUSE_S)
    return bounds


def _kept(message: Message) -> KeptRecord:
    kind, timestamp = message.timestamp()
    offset, key, value = message.offset(), message.key(), message.value()
    assert offset is not None
    assert key is None or isinstance(key, bytes)
    assert value is None or isinstance(value, bytes)
    return KeptRecord(offset, timestamp, TIMESTAMP_TYPES[kind], key, value, _headers(message))


def _headers(message: Message) -> list[tuple[str, bytes | None]] | None:
    """The headers; None where there are some that the client library cannot read."""
    try:
        message.headers()
    except (UnicodeDecodeError, SystemError):
        return None
    return readable_headers(message.headers)
