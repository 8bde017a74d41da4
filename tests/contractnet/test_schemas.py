"""The schemas and the typed messages say the same, and every schema reads what its predecessors wrote."""

from __future__ import annotations

import copy
import json
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from fastavro.schema import parse_schema

from contractnet import codec
from contractnet.messages.types import Source
from tests.contractnet.schemas import BY_NAME, FOLDER, PATHS, Names, class_of, read

UNITS = ("_ms", "_ucr", "_permille", "_bytes", "_points", "_tokens", "tokens_per_minute")
COUNTS = {
    "awards", "bids", "calls", "cap_allowances", "index", "invitations", "offset", "partitions", "roots",
    "round", "rounds", "rounds_max", "rules_version", "sequence", "slot", "slots", "still_rounds_max",
    "throttled", "token_index", "token_offset", "tokens", "units", "version", "wins_max",
}  # fmt: skip  # numbers whose name is their unit
PLAIN = {"string": str, "int": int, "long": int, "boolean": bool, "bytes": bytes}


def check(schema: Any, hint: Any, names: Names) -> None:
    """Assert that a schema and a type hint describe the same values."""
    schema = names.resolve(schema)
    if isinstance(schema, list):
        assert schema[0] == "null"
        assert get_origin(hint) is types.UnionType
        inner, none = get_args(hint)
        assert none is type(None)
        check(schema[1], inner, names)
        return
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "fixed":
            assert hint is bytes
        case "enum":
            assert issubclass(hint, StrEnum)
            assert [str(member) for member in hint] == schema["symbols"]
            assert hint.__name__ == schema["name"]
        case "array":
            assert get_origin(hint) is tuple
            item, rest = get_args(hint)
            assert rest is Ellipsis
            check(schema["items"], item, names)
        case "record":
            assert isinstance(hint, type)
            assert is_dataclass(hint)
            check_fields(schema["fields"], hint, names)
        case _:
            assert hint is PLAIN[kind]


def check_fields(declared: list[Any], cls: type[Any], names: Names) -> None:
    """Assert that fields and dataclass fields are the same, in the same order."""
    hints = get_type_hints(cls)
    assert [f["name"] for f in declared] == [f.name for f in fields(cls)]
    for field in declared:
        check(field["type"], hints[field["name"]], names)


def parts(schema: Any) -> Iterator[Any]:
    """A schema and all schemas inside it that are objects."""
    if isinstance(schema, list):
        for option in schema:
            yield from parts(option)
    elif isinstance(schema, dict):
        yield schema
        for field in schema.get("fields", []):
            yield field
            yield from parts(field["type"])
        yield from parts(schema.get("items", []))


@pytest.mark.parametrize("path", PATHS, ids=BY_NAME)
def test_messages_cannot_drift_from_their_schemas(path: Path) -> None:
    """Fields, order and types of a dataclass are those of its .avsc; an event's schema starts with its source."""
    names, declared = Names(), read(path)["fields"]
    if path.parent.name == "events":
        check(declared[0]["type"], Source, names)
        assert declared[0]["name"] == "source"
        declared = declared[1:]
    check_fields(declared, class_of(path), names)


def test_every_message_has_a_schema() -> None:
    """No dataclass of commands, events or notices is without a file, and no file without a dataclass."""
    for kind, module in codec.type_kinds.items():
        (base,) = [v for v in vars(module).values() if isinstance(v, type) and v.__name__.lower() + "s" == kind]
        own = {n for n, v in vars(module).items() if is_dataclass(v) and isinstance(v, type) and issubclass(v, base)}
        assert own == {path.stem for path in PATHS if path.parent.name == kind}


@pytest.mark.parametrize("path", PATHS, ids=BY_NAME)
def test_schemas_are_documented_and_evolvable(path: Path) -> None:
    """Every record, field, enum and fixed has a doc; every enum starts with UNSPECIFIED and has it as its default."""
    schema = read(path)
    assert schema["name"] == path.stem
    assert schema["namespace"] == f"contractnet.{path.parent.name}"
    for part in parts(schema):
        # An array has no name to document; the field that holds it says what is in it.
        if part.get("type") != "array":
            assert part.get("doc", "").strip().endswith("."), f"{part.get('name')} has no doc"
        if part.get("type") == "enum":
            assert part["default"] == part["symbols"][0] == "UNSPECIFIED"


@pytest.mark.parametrize("path", PATHS, ids=BY_NAME)
def test_numbers_carry_their_unit_in_the_name(path: Path) -> None:
    """A number is in milliseconds, micro-credits and so on, by the end of its name, or counts what its name says."""
    for part in parts(read(path)):
        if part.get("type") in ("int", "long") and "name" in part:
            assert part["name"].endswith(UNITS) or part["name"] in COUNTS, part["name"]


def compatible(reader: Any, writer: Any) -> bool:
    """Whether `reader` reads everything that `writer` wrote, by Apache Avro's own checker."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro has no types here
    result = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return bool(result.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("path", PATHS, ids=BY_NAME)
def test_every_schema_reads_all_its_predecessors(path: Path) -> None:
    """Transitive backward compatibility over schemas/archive and the current form."""
    archived = sorted((FOLDER / "archive" / path.parent.name).glob(f"{path.stem}.*.avsc"))
    versions = [*(read(old) for old in archived), read(path)]
    for number, reader in enumerate(versions):
        for writer in versions[: number + 1]:
            assert compatible(reader, writer)


def test_the_check_of_compatibility_tells_breaking_changes() -> None:
    """A new field without a default, a changed type and a lost enum symbol are breaking; a new default is not."""
    old = read(BY_NAME["notices/Receipt"])

    def changed(**field: Any) -> Any:
        new = copy.deepcopy(old)
        new["fields"].append({"name": "extra", "type": "long"} | field)
        return new

    assert not compatible(changed(), old)
    assert compatible(changed(default=0), old)
    text = copy.deepcopy(old)
    text["fields"][0]["type"] = "string"
    assert not compatible(text, old)


def test_fingerprints_match_the_reference_vector() -> None:
    """Schema "int" of ../shared/REFERENCE.md; and no two schemas share a fingerprint."""
    assert codec.schema_fingerprint(parse_schema("int")).hex() == "8f5c393f1ad57572"
    assert len({codec.schema_fingerprint(parse_schema(read(path))) for path in PATHS}) == len(PATHS)
