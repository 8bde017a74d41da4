"""Avro single-object encoding of all messages, by fastavro.

A value is `C3 01`, the little-endian CRC-64-AVRO fingerprint of the writer's schema in parsing canonical form, and the
Avro body (Avro 1.12 specification, "Single-object encoding"). The schemas are the files of `schemas/`; one that was
changed leaves its old form in `schemas/archive/`, so that every value ever written stays readable.

What the market writes has the oldest form that can hold it, as long as forms differ only in symbols of enums and in
fields with a default: so the bytes of an event or a notice follow from what it says, and not from what later events may
say (docs/decisions/0014-the-oldest-form.md).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from contractnet.errors import UnreadableValueError
from contractnet.messages import commands, events, notices
from contractnet.messages.entry import Entry
from contractnet.messages.types import Source, Unreadable

MAGIC = b"\xc3\x01"
HEADER_BYTES = 10
VALUE_BYTES_MAX = 64 * 1024
"""A larger value is not even decoded. The largest legal command is under 2 KiB; an event under 2 KiB."""

type_kinds = {"commands": commands, "events": events, "notices": notices}

Message = commands.Command | notices.Notice | Entry


def schema_dir() -> Path:
    """Folder of the .avsc files: `_schemas` inside an installed wheel, `schemas` in a checkout."""
    here = Path(__file__).parent
    packaged = here / "_schemas"
    return packaged if packaged.is_dir() else here.parent / "schemas"


def schema_fingerprint(schema: Any) -> bytes:
    """The 8 fingerprint bytes as they stand on the wire (fastavro's hex is little-endian already)."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _to_plain(hint: Any) -> Callable[[Any], Any] | None:
    """How a field's value becomes what fastavro writes; None where it does already."""
    if get_origin(hint) is UnionType:
        inner = _to_plain(next(a for a in get_args(hint) if a is not type(None)))
        return None if inner is None else lambda v: None if v is None else inner(v)
    if get_origin(hint) is tuple:
        item = _to_plain(get_args(hint)[0])
        return list if item is None else lambda v: [item(x) for x in v]
    return _dumper(hint) if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__") else None


def _from_plain(hint: Any) -> Callable[[Any], Any] | None:
    """How what fastavro read becomes a field's value; None where it is already."""
    if get_origin(hint) is UnionType:
        inner = _from_plain(next(a for a in get_args(hint) if a is not type(None)))
        return None if inner is None else lambda v: None if v is None else inner(v)
    if get_origin(hint) is tuple:
        item = _from_plain(get_args(hint)[0])
        return tuple if item is None else lambda v: tuple(item(x) for x in v)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        members = {str(m): m for m in hint}
        return members.__getitem__
    return _loader(hint) if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__") else None


@cache
def _dumper(cls: Any) -> Callable[[Any], dict[str, Any]]:
    hints = get_type_hints(cls)
    steps = [(f.name, _to_plain(hints[f.name])) for f in fields(cls)]
    terms = ", ".join(f"{n!r}: m.{n}" if c is None else f"{n!r}: c{i}(m.{n})" for i, (n, c) in enumerate(steps))
    # One dict display per class, compiled once: the generic loop over fields costs three times as much per message.
    made: Callable[[Any], dict[str, Any]] = eval(
        f"lambda m: {{{terms}}}", {f"c{i}": c for i, (_, c) in enumerate(steps)}
    )
    return made


@cache
def _loader(cls: Any) -> Callable[[dict[str, Any]], Any]:
    hints = get_type_hints(cls)
    steps = [(f.name, _from_plain(hints[f.name])) for f in fields(cls)]
    terms = ", ".join(f"d[{n!r}]" if c is None else f"c{i}(d[{n!r}])" for i, (n, c) in enumerate(steps))
    scope: dict[str, Any] = {f"c{i}": c for i, (_, c) in enumerate(steps)}
    made: Callable[[dict[str, Any]], Any] = eval(f"lambda d: cls({terms})", scope | {"cls": cls})
    return made


@dataclass(frozen=True, slots=True)
class _Known:
    """A schema that values may have been written with, and the record it reads into."""

    kind: str
    cls: type[Any]
    writer: Any
    reader: Any
    load: Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Form:
    """A schema to write with, and what it may not be able to hold: enum fields with the symbols that it knows, fields
    that it lacks with what they are without being said."""

    header: bytes
    schema: Any
    known: tuple[tuple[str, frozenset[str]], ...]
    unsaid: tuple[tuple[str, Any], ...]

    def holds(self, message: Any) -> bool:
        """Whether every enum of the message has a symbol that this form knows, and what it lacks says nothing."""
        return all(getattr(message, name) in symbols for name, symbols in self.known) and all(
            getattr(message, name) == default for name, default in self.unsaid
        )


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _without_docs(value) for key, value in schema.items() if key != "doc"}
    return schema


def grown_enums(old: Any, new: Any) -> dict[str, frozenset[str]] | None:
    """The fields whose enum has more symbols in a newer schema, with the symbols of the old one.

    None where the two differ in anything else: then bytes of one are no bytes of the other.
    """
    if [f["name"] for f in old["fields"]] != [f["name"] for f in new["fields"]]:
        return None
    grown: dict[str, frozenset[str]] = {}
    for before, after in zip(old["fields"], new["fields"], strict=True):
        was, now = _without_docs(before["type"]), _without_docs(after["type"])
        if was == now:
            continue
        if not (isinstance(was, dict) and isinstance(now, dict) and was["type"] == now["type"] == "enum"):
            return None
        if now["symbols"][: len(was["symbols"])] != was["symbols"]:
            return None
        grown[before["name"]] = frozenset(was["symbols"])
    return grown


def form_of(old: Any, new: Any) -> Form | None:
    """An older schema to write with; None where it differs from the newer one in more than symbols and fields with a
    default."""
    names = {f["name"] for f in old["fields"]}
    more = [f for f in new["fields"] if f["name"] not in names]
    grown = grown_enums(old, {"fields": [f for f in new["fields"] if f["name"] in names]})
    if grown is None or not all("default" in f for f in more):
        return None
    unsaid = tuple((f["name"], f["default"]) for f in more)
    return Form(MAGIC + schema_fingerprint(old), old, tuple(grown.items()), unsaid)


class Registry:
    """All schemas of a folder: decodes whatever was ever written, encodes commands with the newest, and events and
    notices with the oldest form that can hold them."""

    def __init__(self, folder: Path) -> None:
        self.by_fingerprint: dict[bytes, _Known] = {}
        self.newest: dict[type[Any], tuple[bytes, Any, Callable[[Any], dict[str, Any]]]] = {}
        self.older: dict[type[Any], list[Form]] = {}
        for kind, module in type_kinds.items():
            for path in sorted((folder / kind).glob("*.avsc")):
                schema = parse_schema(json.loads(path.read_text("utf-8")))
                cls: Any = getattr(module, path.stem)
                self.newest[cls] = (MAGIC + schema_fingerprint(schema), schema, _dumper(cls))
                self._know(kind, cls, schema, schema)
                for old in sorted((folder / "archive" / kind).glob(f"{path.stem}.*.avsc")):
                    archived = parse_schema(json.loads(old.read_text("utf-8")))
                    self._know(kind, cls, archived, schema)
                    form = None if kind == "commands" else form_of(archived, schema)
                    if form is not None:
                        self.older.setdefault(cls, []).append(form)

    def _know(self, kind: str, cls: Any, writer: Any, reader: Any) -> None:
        self.by_fingerprint[schema_fingerprint(writer)] = _Known(kind, cls, writer, reader, _loader(cls))

    def encode(self, message: Message) -> bytes:
        """Single-object encoding of a command, a notice or a ledger entry."""
        out = io.BytesIO()
        what = message.event if isinstance(message, Entry) else message
        header, schema, dump = self.newest[type(what)]
        plain = dump(what)
        if isinstance(message, Entry):
            plain["source"] = _dumper(Source)(message.source)
        for form in self.older.get(type(what), ()):
            if form.holds(what):
                header, schema = form.header, form.schema
                break
        out.write(header)
        fastavro.schemaless_writer(out, schema, plain)
        return out.getvalue()

    def headers(self, cls: type[Any]) -> tuple[bytes, ...]:
        """The first ten bytes that a value of this message may be written with today."""
        return (self.newest[cls][0], *(form.header for form in self.older.get(cls, ())))

    def decode(self, value: bytes | None, kind: str) -> Message:
        """The message of one value; `kind` is commands, events or notices.

        Raises UnreadableValueError, whose `reason` says why, for anything that is not exactly one such message.
        """
        if not value:
            raise UnreadableValueError(Unreadable.EMPTY)
        if len(value) > VALUE_BYTES_MAX:
            raise UnreadableValueError(Unreadable.TOO_LARGE)
        if len(value) < HEADER_BYTES or value[:2] != MAGIC:
            raise UnreadableValueError(Unreadable.BAD_FRAMING)
        known = self.by_fingerprint.get(value[2:HEADER_BYTES])
        if known is None:
            raise UnreadableValueError(Unreadable.UNKNOWN_SCHEMA)
        if known.kind != kind:
            raise UnreadableValueError(Unreadable.NOT_A_COMMAND)
        body = io.BytesIO(value)
        body.seek(HEADER_BYTES)
        try:
            plain: Any = fastavro.schemaless_reader(body, known.writer, known.reader)
        # What fastavro raises on hostile bodies: short reads, bad UTF-8, bad union or enum indexes, absurd lengths.
        except (EOFError, ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError) as error:
            raise UnreadableValueError(Unreadable.BAD_BODY) from error
        if body.tell() != len(value):
            raise UnreadableValueError(Unreadable.BAD_BODY)
        if kind == "events":
            return Entry(_loader(Source)(plain["source"]), known.load(plain))
        message: Message = known.load(plain)
        return message


@cache
def registry() -> Registry:
    """The schemas that ship with this package."""
    return Registry(schema_dir())


def encode(message: Message) -> bytes:
    """Single-object encoding of a command, a notice or a ledger entry, with the shipped schemas."""
    return registry().encode(message)


def decode_command(value: bytes | None) -> commands.Command:
    """The command of a value of the commands topic; raises UnreadableValueError."""
    message = registry().decode(value, "commands")
    assert isinstance(message, commands.Command)
    return message


def decode_entry(value: bytes | None) -> Entry:
    """The entry of a value of the ledger topic; raises UnreadableValueError."""
    message = registry().decode(value, "events")
    assert isinstance(message, Entry)
    return message


def decode_notice(value: bytes | None) -> notices.Notice:
    """The notice of a value of the notices topic; raises UnreadableValueError."""
    message = registry().decode(value, "notices")
    assert isinstance(message, notices.Notice)
    return message
