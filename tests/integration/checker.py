"""Reads the log and says whether every award was made exactly once. Decides by the log, not by what a worker reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import decode_entry, encode
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Entry
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.topics import COMMANDS, LEDGER
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from market import Shard
from streams.reading import new_consumer, read_partition

OUTCOMES = (e.CommandAccepted, e.CommandRejected, e.CommandRepeated, e.CommandUnreadable)


@dataclass
class Verdict:
    """What the log of one partition says."""

    commands: int = 0
    ticks: int = 0
    awards: int = 0
    duplicate: int = 0
    lost: int = 0
    torn: int = 0
    diverged: int = 0

    @property
    def sound(self) -> bool:
        return not (self.duplicate or self.lost or self.torn or self.diverged)


def check(bootstrap: str, partition: int, partitions: int, operator_key: bytes) -> Verdict:
    """Judge all commands of a partition again from nothing and compare with the ledger, record by record."""
    verdict = Verdict()
    shard = Shard(partition, partitions, operator_key, is_proven, head=CHAIN_START)
    ledger = list(read_partition(bootstrap, LEDGER.name, partition, 0))
    entries = [decode_entry(r.value) for r in ledger]
    expected: list[bytes] = []
    outcomes = Counter(x.source.offset for x in entries if isinstance(x.event, OUTCOMES))
    for offset, stamp, key, value, headers in _commands(bootstrap, partition):
        submission = open_record(offset, stamp, key, value, headers)
        if isinstance(submission.command, c.Tick):
            verdict.ticks += 1
        else:
            verdict.commands += 1
            verdict.lost += outcomes[offset] == 0
            verdict.duplicate += outcomes[offset] > 1
        for entry in shard.apply(submission):
            encoded = encode(entry)
            source = entry.source
            shard.head = chain(shard.head, partition, source.offset, source.index, submission.digest, encoded)
            expected.append(encoded + shard.head)
    found = [r.value + dict(r.headers)["chain"] for r in ledger]
    verdict.diverged = sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))
    _check_awards(entries, verdict)
    return verdict


def _check_awards(entries: list[Entry], verdict: Verdict) -> None:
    awards: Counter[bytes] = Counter()
    parts: Counter[bytes] = Counter()
    slots: Counter[bytes] = Counter()
    for entry in entries:
        event = entry.event
        if isinstance(event, e.AwardMade):
            awards[event.award] += 1
            slots[event.cfp] += 1
        elif isinstance(event, e.SlotReserved):
            parts[event.award] += 1
        elif isinstance(event, e.HoldCaptured):
            parts[event.hold] += 1
        elif isinstance(event, e.CreditsTransferred) and event.award is not None:
            parts[event.award] += 1
    wanted = {x.event.cfp: x.event.slots for x in entries if isinstance(x.event, e.CfpOpened)}
    verdict.awards = sum(awards.values())
    verdict.duplicate += sum(n > 1 for n in awards.values()) + sum(n > wanted[cfp] for cfp, n in slots.items())
    verdict.torn += sum(parts[award] != 3 for award in awards) + sum(part not in awards for part in parts)


def _commands(
    bootstrap: str, partition: int
) -> list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]:
    """All records of a commands partition with their stamps; read uncommitted, as the referee does."""
    consumer = new_consumer(bootstrap, **{"isolation.level": "read_uncommitted"})
    found = []
    try:
        consumer.assign([TopicPartition(COMMANDS.name, partition, 0)])
        while True:
            for m in consumer.consume(5000, 1.0):
                error = m.error()
                if error is None:
                    offset = m.offset()
                    assert offset is not None
                    headers = [(n, v if isinstance(v, bytes) else None) for n, v in m.headers() or []]
                    found.append((offset, m.timestamp()[1], m.key(), m.value(), headers))
                elif error.code() == KafkaError._PARTITION_EOF:
                    return found
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
