"""Ledger values to Arrow tables, one per event type.

pyruhvro decodes whole batches (millions of records a second) but knows no Avro `fixed`. A fixed of 8n bytes has the
same encoding as a record of n doubles, and nothing computes with them, so it is read as such and its bits are put
together again. Where pyruhvro can't go (a schema of the archive with other fields, or a batch with a broken record),
the codec decodes record by record.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from contractnet.codec import HEADER_BYTES, MAGIC, decode_entry, grown_enums, registry
from contractnet.errors import UnreadableValueError
from contractnet.messages import Code

OUT_OF_RANGE = "OUT_OF_RANGE"
"""Reason of an unreadable entry beside the codec's: a number is larger than its Avro type."""
_WORD_BYTES = 8
_ARROW = {
    "long": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "enum": pa.string(),
    "fixed": pa.binary(),
}
_SOURCE = {"offset": "command_offset"}
"""Fields of `source` that get another name, because a ledger record has an offset of its own."""

_COMMON = ("partition", "ledger_offset", "market", "command_offset", "index", "command", "at_ms", "cause")
_OUTCOME = {"account": pa.binary(), "kind": pa.string(), "code": pa.string()}
_OUTCOME_CODES = {
    "CommandAccepted": Code.ACCEPTED.value,
    "CommandRejected": None,
    "CommandRepeated": None,
    "CommandUnreadable": Code.UNREADABLE.value,
}
"""The answers to commands; None where the event has the code itself."""


class LedgerRecord(NamedTuple):
    """One record of the ledger topic as consumed."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    chain: bytes | None


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """A record that is no ledger entry, and why."""

    record: LedgerRecord
    reason: str


@dataclass(slots=True)
class Decoded:
    """A batch: its events by type, as tables with the columns partition, ledger_offset, market, those of `source`
    (offset named command_offset) and those of the event; and the records that are no events."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    unreadable: list[UnreadableEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Layout:
    """One event schema in the forms that decoding needs; `stand_in` is None for a schema of the archive
    with other fields than today's."""

    type: str
    avro: dict[str, Any]
    arrow: pa.Schema
    stand_in: str | None


def decode(records: Iterable[LedgerRecord]) -> Decoded:
    """Decode a batch. Order within a type and schema is that of `records`."""
    decoded = Decoded()
    groups: dict[bytes, list[LedgerRecord]] = defaultdict(list)
    for record in records:
        value = record.value or b""
        # Too short or unframed values find no layout, and the codec then says what is wrong with them.
        groups[value[:HEADER_BYTES] if value[:2] == MAGIC else b""].append(record)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for header, members in groups.items():
        layout = _layout(header[2:]) if len(header) == HEADER_BYTES else None
        table = _fast(layout, members) if layout and layout.stand_in else None
        if layout and table is not None:
            parts[layout.type].append(table)
        else:
            _one_by_one(members, parts, decoded.unreadable)
    decoded.tables = {name: pa.concat_tables(tables) for name, tables in parts.items()}
    return decoded


def all_events(tables: dict[str, pa.Table]) -> pa.Table:
    """What all events have in common, one row each: where they come from, their type, and of the outcomes of commands
    also account, kind and code."""
    return pa.concat_tables([_in_common(name, table) for name, table in tables.items()])


def _in_common(name: str, table: pa.Table) -> pa.Table:
    columns = {column: table.column(column) for column in _COMMON}
    columns["type"] = pa.repeat(pa.scalar(name), table.num_rows)
    outcome = {column: pa.nulls(table.num_rows, kind) for column, kind in _OUTCOME.items()}
    if name in _OUTCOME_CODES:
        outcome |= {column: table.column(column) for column in _OUTCOME if column in table.column_names}
        if (code := _OUTCOME_CODES[name]) is not None:
            outcome["code"] = pa.repeat(pa.scalar(code), table.num_rows)
    return pa.table(columns | outcome)


def _fast(layout: _Layout, records: list[LedgerRecord]) -> pa.Table | None:
    bodies = [record.value[HEADER_BYTES:] for record in records if record.value is not None]
    try:
        batch = pa.record_batch(pyruhvro.deserialize_array(bodies, layout.stand_in))
        batch.validate(full=True)  # pyruhvro does not look whether strings are UTF-8, and DuckDB refuses others
    except ValueError:
        return None  # one broken record fails its whole batch
    if not _same_bytes(batch, layout, bodies):
        return None
    fields = layout.avro["fields"]
    columns = {f["name"]: _restored(batch.column(f["name"]), f["type"]) for f in fields}
    return _flattened(layout, pa.Table.from_pydict(columns, schema=layout.arrow), records)


def _same_bytes(batch: pa.RecordBatch, layout: _Layout, bodies: list[bytes]) -> bool:
    """Whether the batch encodes to the very bytes that it came from.

    pyruhvro reads over bytes after the end of a body. The codec does not: what it refuses must not become a row.
    """
    [encoded] = pyruhvro.serialize_record_batch(batch, layout.stand_in, 1)
    return bool(pa.array(encoded).equals(pa.array(bodies, pa.binary())))


def _one_by_one(
    records: list[LedgerRecord], parts: dict[str, list[pa.Table]], unreadable: list[UnreadableEntry]
) -> None:
    rows: dict[str, tuple[list[LedgerRecord], list[dict[str, Any]]]] = defaultdict(lambda: ([], []))
    for record in records:
        try:
            entry = decode_entry(record.value)
        except UnreadableValueError as error:
            unreadable.append(UnreadableEntry(record, error.reason))
            continue
        members, plain = rows[type(entry.event).__name__]
        members.append(record)
        event: Any = entry.event  # every event is a dataclass, which their base class cannot say
        plain.append({"source": asdict(entry.source), **asdict(event)})
    for name, (members, plain) in rows.items():
        if tables := _tables(_newest(name), members, plain, unreadable):
            parts[name] += tables


def _tables(
    layout: _Layout, records: list[LedgerRecord], plain: list[dict[str, Any]], unreadable: list[UnreadableEntry]
) -> list[pa.Table]:
    """Rows as tables, without those whose numbers do not fit their type, which the codec lets through."""
    try:
        return [_flattened(layout, pa.Table.from_pylist(plain, schema=layout.arrow), records)]
    except (pa.ArrowInvalid, OverflowError):
        if len(records) == 1:
            unreadable.append(UnreadableEntry(records[0], OUT_OF_RANGE))
            return []
    half = len(records) // 2
    return [
        *_tables(layout, records[:half], plain[:half], unreadable),
        *_tables(layout, records[half:], plain[half:], unreadable),
    ]


def _flattened(layout: _Layout, table: pa.Table, records: list[LedgerRecord]) -> pa.Table:
    source = table.column("source").combine_chunks()
    columns: dict[str, Any] = {
        "partition": pa.array([r.partition for r in records], pa.int32()),
        "ledger_offset": pa.array([r.offset for r in records], pa.int64()),
        "market": pa.array([market_name(r.key) for r in records], pa.string()),
    }
    for index, child in enumerate(source.type):
        columns[_SOURCE.get(child.name, child.name)] = source.field(index)
    columns |= {name: table.column(name) for name in layout.arrow.names if name != "source"}
    return pa.table(columns)


@cache
def _decoded_name(key: bytes) -> str:
    return key.decode(errors="backslashreplace")


def market_name(key: bytes | None) -> str | None:
    """The market of a record; none where the command named none. Bytes that are no UTF-8 are written as escapes."""
    return _decoded_name(key) if key else None


def _restored(array: pa.Array, avro: Any) -> pa.Array:
    """Undo the stand-ins: structs of doubles become the bytes that they are."""
    avro = _without_null(avro)
    if avro["type"] == "fixed":
        words = [word.view(pa.binary(_WORD_BYTES)).cast(pa.binary()) for word in array.flatten()]
        return pc.binary_join_element_wise(*words, pa.scalar(b"", pa.binary()))
    if avro["type"] == "record":
        children = [_restored(c, f["type"]) for c, f in zip(array.flatten(), avro["fields"], strict=True)]
        names = [f["name"] for f in avro["fields"]]
        return pa.StructArray.from_arrays(children, names=names, mask=array.is_null() if array.null_count else None)
    return array


@cache
def _layout(fingerprint: bytes) -> _Layout | None:
    known = registry().by_fingerprint.get(fingerprint)
    if known is None or known.kind != "events":
        return None
    avro = _inlined(known.writer, {})
    other = grown_enums(known.writer, known.reader) is None
    stand_in = None if other else json.dumps(_stand_in(avro, iter(range(10_000))))
    return _Layout(known.cls.__name__, avro, pa.schema([_arrow_field(f) for f in avro["fields"]]), stand_in)


@cache
def _newest(name: str) -> _Layout:
    header = next(header for cls, (header, _, _) in registry().newest.items() if cls.__name__ == name)
    layout = _layout(header[2:])
    assert layout is not None
    return layout


def _inlined(avro: Any, named: dict[str, Any]) -> Any:
    """A schema without references: every type is a dict with `type` first, a union with null a list of two."""
    if isinstance(avro, list):
        return [_inlined(t, named) for t in avro]
    if isinstance(avro, str):
        return named.get(avro) or {"type": avro}
    plain = {key: avro[key] for key in ("type", "name", "symbols", "size") if key in avro}
    if avro["type"] == "array":
        plain["items"] = _inlined(avro["items"], named)
    if avro["type"] == "record":
        plain["fields"] = [{"name": f["name"], "type": _inlined(f["type"], named)} for f in avro["fields"]]
    named[avro.get("name", "")] = plain
    return plain


def _stand_in(avro: Any, numbers: Any) -> Any:
    """A schema with the same encoding, in types that pyruhvro knows. Numbered names: a type may be defined only
    once."""
    if isinstance(avro, list):
        return [_stand_in(t, numbers) for t in avro]
    kind, name = avro["type"], f"T{next(numbers)}"
    if kind == "fixed":
        assert avro["size"] % _WORD_BYTES == 0, "a fixed of another size needs another stand-in"
        words = [{"name": f"w{i}", "type": "double"} for i in range(avro["size"] // _WORD_BYTES)]
        return {"type": "record", "name": name, "fields": words}
    if kind == "record":
        fields = [{"name": f["name"], "type": _stand_in(f["type"], numbers)} for f in avro["fields"]]
        return {"type": "record", "name": name, "fields": fields}
    if kind == "array":
        return {"type": "array", "items": _stand_in(avro["items"], numbers)}
    return {"type": "enum", "name": name, "symbols": avro["symbols"]} if kind == "enum" else kind


def _without_null(avro: Any) -> Any:
    if not isinstance(avro, list):
        return avro
    inner = [t for t in avro if t["type"] != "null"]
    assert len(inner) == 1, "the only unions in our schemas are optional fields"
    return inner[0]


def _arrow_field(avro: dict[str, Any]) -> pa.Field:
    return pa.field(avro["name"], _arrow_type(_without_null(avro["type"])))


def _arrow_type(avro: Any) -> pa.DataType:
    match avro["type"]:
        case "record":
            return pa.struct([_arrow_field(f) for f in avro["fields"]])
        case "array":
            return pa.list_(_arrow_type(avro["items"]))
        case plain:
            return _ARROW[plain]
