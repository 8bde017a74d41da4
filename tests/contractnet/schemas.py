"""The schema files as they are on disk, and samples made from them without the package's own encoder."""

from __future__ import annotations

import io
import json
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import parse_schema
from hypothesis import strategies as st

from contractnet import codec
from contractnet.messages import Entry

Schema = dict[str, Any]

FOLDER = codec.schema_dir()
PATHS = [path for kind in codec.type_kinds for path in sorted((FOLDER / kind).glob("*.avsc"))]
BY_NAME = {f"{path.parent.name}/{path.stem}": path for path in PATHS}


def read(path: Path) -> Schema:
    """The JSON of a schema file."""
    schema: Schema = json.loads(path.read_text("utf-8"))
    return schema


def class_of(path: Path) -> type[Any]:
    """The dataclass that a schema file describes."""
    cls: type[Any] = getattr(codec.type_kinds[path.parent.name], path.stem)
    return cls


class Names:
    """Resolves a named type that was defined earlier in the same schema."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def resolve(self, schema: Any) -> Any:
        """The definition behind a type: itself, or what its name stands for."""
        if isinstance(schema, dict) and "name" in schema:
            self._known[f"{schema.get('namespace', 'contractnet')}.{schema['name']}"] = schema
        if isinstance(schema, str):
            return self._known.get(schema) or self._known.get(f"contractnet.{schema}") or schema
        return schema


def values(schema: Any, names: Names | None = None) -> st.SearchStrategy[Any]:
    """Any value of a schema, as fastavro takes it."""
    names = names or Names()
    schema = names.resolve(schema)
    if isinstance(schema, list):
        return st.one_of(*(values(option, names) for option in schema))
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1)
        case "string":
            return st.text(max_size=40)
        case "bytes":
            return st.binary(max_size=200)
        case "fixed":
            return st.binary(min_size=schema["size"], max_size=schema["size"])
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(values(schema["items"], names), max_size=3)
        case "record":
            return st.fixed_dictionaries({f["name"]: values(f["type"], names) for f in schema["fields"]})
    raise AssertionError(f"a type that no message uses: {kind}")


def sample(schema: Any, seed: int, names: Names) -> Any:
    """One fixed value of a schema, none of whose parts is zero, empty or equal to its neighbour."""
    schema = names.resolve(schema)
    if isinstance(schema, list):
        return sample(schema[-1], seed, names)
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "boolean":
            return True
        case "int":
            return 1000 + seed
        case "long":
            return 1_700_000_000_000 + seed
        case "string":
            return f"text-{seed}-Ω"
        case "bytes":
            return bytes(range(seed % 200, seed % 200 + 20))
        case "fixed":
            return bytes((seed + i) % 256 for i in range(1, schema["size"] + 1))
        case "enum":
            return schema["symbols"][1 + seed % (len(schema["symbols"]) - 1)]
        case "array":
            return [sample(schema["items"], seed + i, names) for i in range(2)]
        case "record":
            return {f["name"]: sample(f["type"], seed + i, names) for i, f in enumerate(schema["fields"], 1)}
    raise AssertionError(f"a type that no message uses: {kind}")


def raw(path: Path, plain: Any) -> bytes:
    """The single-object encoding of a value, by fastavro alone."""
    schema = parse_schema(read(path))
    out = io.BytesIO()
    out.write(codec.MAGIC + codec.schema_fingerprint(schema))
    fastavro.schemaless_writer(out, schema, plain)
    return out.getvalue()


def as_json(message: Any) -> Any:
    """A message as JSON: bytes as hex, enums as their names."""
    if isinstance(message, Entry):
        return {"source": as_json(message.source)} | as_json(message.event)
    if is_dataclass(message):
        return {f.name: as_json(getattr(message, f.name)) for f in fields(message)}
    if isinstance(message, tuple):
        return [as_json(item) for item in message]
    if isinstance(message, StrEnum):
        return str(message)
    return message.hex() if isinstance(message, bytes) else message
