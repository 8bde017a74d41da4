"""Ways to tamper with a market's topics, drawn at random. Each returns what it did, or None where the place it drew
holds nothing that could be changed. Those for the DuckDB file are in tampering_rows.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from hashlib import blake2b

from analytics.verify.source import StoredRecord
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from tests.analytics.towns import Topics

Tamper = Callable[[Topics, str, random.Random], str | None]
TOPICS = (COMMANDS.name, LEDGER.name, NOTICES.name, SNAPSHOTS.name)
DRAWS_PER_CASE = 50
"""After so many draws for each attempt that was asked for, a place has no more distinct ones."""


def flipped(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one bit of one of them changed."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _place(topics: Topics, topic: str, rng: random.Random) -> tuple[list[StoredRecord], int, int]:
    """A partition that has records, its number, and the index of one of them."""
    filled = [p for p, records in enumerate(topics[topic]) if len(records) > 1]
    partition = rng.choice(filled)
    return topics[topic][partition], partition, rng.randrange(len(topics[topic][partition]))


def _range(records: list[StoredRecord], lengths: tuple[int, ...], rng: random.Random) -> slice:
    """A random range of records of one of these lengths, as far as there are so many."""
    length = min(rng.choice(lengths), len(records))
    start = rng.randrange(len(records) - length + 1)
    return slice(start, start + length)


def _renumbered(records: list[StoredRecord], offsets: list[int]) -> list[StoredRecord]:
    """A copy of a topic gives its records the offsets that come next."""
    offsets = list(offsets)
    while len(offsets) < len(records):
        offsets.append(offsets[-1] + 1 if offsets else 0)
    return [record._replace(offset=offset) for record, offset in zip(records, offsets, strict=False)]


def flip_key(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """One bit of a record's key."""
    records, partition, i = _place(topics, topic, rng)
    if not records[i].key:
        return None
    records[i] = records[i]._replace(key=flipped(records[i].key or b"", rng))
    return f"{topic}[{partition}] record {i}: key"


def flip_header(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """One bit of a header; where a record has none, one is added."""
    records, partition, i = _place(topics, topic, rng)
    headers = list(records[i].headers)
    if headers:
        at = rng.randrange(len(headers))
        headers[at] = (headers[at][0], flipped(headers[at][1] or b"\0", rng))
    else:
        headers = [("sig", rng.randbytes(64))]
    records[i] = records[i]._replace(headers=headers)
    return f"{topic}[{partition}] record {i}: header"


def flip_value(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """One bit of a record's value."""
    records, partition, i = _place(topics, topic, rng)
    if not records[i].value:
        return None
    records[i] = records[i]._replace(value=flipped(records[i].value or b"", rng))
    return f"{topic}[{partition}] record {i}: value"


def flip_timestamp(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """One bit of a record's timestamp."""
    records, partition, i = _place(topics, topic, rng)
    records[i] = records[i]._replace(timestamp=records[i].timestamp ^ 1 << rng.randrange(32))
    return f"{topic}[{partition}] record {i}: timestamp"


def delete(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """One record, or up to three in a row, are gone; in half of the cases a hole shows where they were, as deletion in
    place would leave it."""
    records, partition, _ = _place(topics, topic, rng)
    gone = _range(records, (1, 1, 1, 2, 3), rng)
    offsets = [record.offset for record in records]
    del records[gone]
    holes = topic == SNAPSHOTS.name or rng.random() < 0.5
    if not holes:
        topics[topic][partition] = _renumbered(records, offsets)
    return f"{topic}[{partition}] records {gone.start} to {gone.stop - 1}: deleted{' in place' if holes else ''}"


def insert(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """A copy of one record, before another one."""
    records, partition, i = _place(topics, topic, rng)
    offsets = [record.offset for record in records]
    records.insert(i, rng.choice(records))
    topics[topic][partition] = _renumbered(records, offsets)
    return f"{topic}[{partition}] record {i}: inserted"


def reorder(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """Two records change places."""
    records, partition, i = _place(topics, topic, rng)
    k = rng.randrange(len(records))
    offsets = [record.offset for record in records]
    if records[i][1:] == records[k][1:]:
        return None
    records[i], records[k] = records[k], records[i]
    topics[topic][partition] = _renumbered(records, offsets)
    return f"{topic}[{partition}] records {i} and {k}: exchanged"


def swap_partitions(topics: Topics, topic: str, rng: random.Random) -> str | None:
    """A range of one partition and a range of another change places: single records, a few, or all that there are."""
    one, two = rng.sample(range(len(topics[topic])), 2)
    here, there = topics[topic][one], topics[topic][two]
    lengths = (1, 1, 2, 3, 5, max(len(here), len(there)))
    left, right = _range(here, lengths, rng), _range(there, lengths, rng)
    changed = [*here[: left.start], *there[right], *here[left.stop :]]
    others = [*there[: right.start], *here[left], *there[right.stop :]]
    topics[topic][one] = _renumbered(changed, [record.offset for record in here])
    topics[topic][two] = _renumbered(others, [record.offset for record in there])
    ranges = f"[{one}] records {left.start} to {left.stop - 1} and [{two}] records {right.start} to {right.stop - 1}"
    return f"{topic}{ranges}: exchanged"


OPERATIONS: dict[str, Tamper] = {
    "flip key": flip_key,
    "flip header": flip_header,
    "flip value": flip_value,
    "flip timestamp": flip_timestamp,
    "delete": delete,
    "insert": insert,
    "reorder": reorder,
    "swap partitions": swap_partitions,
}


class Attempts:
    """Draws attempts on topics, each of them different from all that were drawn before and from no change at all.

    A record that is only appended is none either: what comes after the end is no change of what a checkpoint saw.
    """

    def __init__(self, topics: Topics, rng: random.Random) -> None:
        self._topics = topics
        self._rng = rng
        self._seen = {(topic, _digest(topics[topic])) for topic in TOPICS}

    def draw(self, operation: str, topic: str, wanted: int) -> Iterator[tuple[str, Topics]]:
        """What was done, and the topics after it, `wanted` times. Fails where there are not so many distinct ones."""
        found = 0
        for _ in range(wanted * DRAWS_PER_CASE):
            changed = {name: [list(records) for records in parts] for name, parts in self._topics.items()}
            did = OPERATIONS[operation](changed, topic, self._rng)
            what = (topic, _digest(changed[topic]))
            if did is None or what in self._seen or self._only_appended(changed, topic):
                continue
            self._seen.add(what)
            found += 1
            yield did, changed
            if found == wanted:
                return
        raise AssertionError(f"{operation} on {topic}: only {found} distinct attempts, {wanted} are wanted")

    def _only_appended(self, changed: Topics, topic: str) -> bool:
        """Whether everything that was there is there still, at its offset."""
        pairs = zip(self._topics[topic], changed[topic], strict=True)
        return all(records == others[: len(records)] for records, others in pairs)


def _digest(parts: list[list[StoredRecord]]) -> bytes:
    return blake2b(repr([[tuple(record) for record in records] for records in parts]).encode(), digest_size=16).digest()
