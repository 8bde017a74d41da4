"""Ways to tamper with a market's topics and its DuckDB file, drawn at random. Each returns what it did, or None where
the place it drew holds nothing that could be changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import duckdb

from analytics.verify_source import StoredRecord
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from tests.analytics.towns import Topics

Tamper = Callable[[Topics, str, random.Random], str | None]
TOPICS = (COMMANDS.name, LEDGER.name, NOTICES.name, SNAPSHOTS.name)


def flipped(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one bit of one of them changed."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _place(topics: Topics, topic: str, rng: random.Random) -> tuple[list[StoredRecord], int, int]:
    """A partition that has records, its number, and the index of one of them."""
    filled = [p for p, records in enumerate(topics[topic]) if len(records) > 1]
    partition = rng.choice(filled)
    return topics[topic][partition], partition, rng.randrange(len(topics[topic][partition]))


def _renumbered(records: list[StoredRecord], offsets: list[int]) -> list[StoredRecord]:
    """A copy of a topic gives its records the offsets that come next."""
    while len(offsets) < len(records):
        offsets = [*offsets, offsets[-1] + 1]
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
    """A record is gone; in half of the cases a hole shows where it was, as deletion in place would leave it."""
    records, partition, i = _place(topics, topic, rng)
    offsets = [record.offset for record in records]
    del records[i]
    holes = topic == SNAPSHOTS.name or rng.random() < 0.5
    if not holes:
        topics[topic][partition] = _renumbered(records, offsets)
    return f"{topic}[{partition}] record {i}: deleted{' in place' if holes else ''}"


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
    """Two partitions change places."""
    one, two = rng.sample(range(len(topics[topic])), 2)
    if topics[topic][one] == topics[topic][two]:
        return None
    topics[topic][one], topics[topic][two] = topics[topic][two], topics[topic][one]
    return f"{topic}: partitions {one} and {two} exchanged"


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

TABLES = {
    "unsealed.events": "events",
    "unsealed.cfps": "cfps",
    "unsealed.bids": "bids",
    "unsealed.awards": "awards",
    "unsealed.reservations": "reservations",
    "unsealed.transfers": "transfers",
    "unsealed.holds": "holds",
    "unsealed.rejections": "rejections",
    "markets": "markets",
    "accounts": "accounts",
    "keys": "keys",
    "pools": "pools",
    "meta": "meta",
}
_NOT_OF_THE_LEDGER = {"published_at", "generation"}
"""Columns of meta that tell about the publication itself."""


def edit_row(file: Path, rng: random.Random) -> str | None:
    """Change, delete or double one row of a table in a DuckDB file."""
    table = rng.choice(list(TABLES))
    with duckdb.connect(str(file)) as connection:
        rows = connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid").fetchall()
        if not rows:
            return None
        rowid = rng.choice(rows)[0]
        how = rng.choice(("change", "change", "change", "delete", "double"))
        if how == "delete":
            connection.execute(f"DELETE FROM {table} WHERE rowid = {rowid}")
            return f"{table}: row {rowid} deleted"
        if how == "double":
            connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE rowid = {rowid}")
            return f"{table}: row {rowid} doubled"
        columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
        name, kind = rng.choice([c for c in columns if c[0] not in _NOT_OF_THE_LEDGER])
        others = {
            "VARCHAR": f"coalesce({name}, '') || 'x'",
            "BOOLEAN": f"NOT {name}",
            "TIMESTAMP": f"coalesce({name}, TIMESTAMP '2026-01-01') + INTERVAL 1 MILLISECOND",
        }
        changed = others.get(kind, f"coalesce({name}, 0) + 1")
        connection.execute(f"UPDATE {table} SET {name} = {changed} WHERE rowid = {rowid}")
        return f"{table}: {name} of row {rowid} changed"
