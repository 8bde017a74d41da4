"""Adds a golden message for every schema that has none: `python -m tests.contractnet.golden`. It changes no old one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contractnet import codec
from tests.contractnet.schemas import BY_NAME, Names, as_json, raw, read, sample

FILE = Path(__file__).resolve().parents[1] / "golden" / "messages.json"


def load() -> list[dict[str, Any]]:
    """All golden messages: `record`, `hex` of the value as on the wire, and `fields`."""
    if not FILE.exists():
        return []
    found: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def fingerprint_of(entry: dict[str, Any]) -> str:
    """The fingerprint of the schema that a golden message was written with, hex."""
    text: str = entry["hex"]
    return text[4:20]


def main() -> None:
    """Append what is missing."""
    golden = load()
    known = {(entry["record"], fingerprint_of(entry)) for entry in golden}
    for seed, (record, path) in enumerate(BY_NAME.items()):
        value = raw(path, sample(read(path), seed, Names()))
        entry: dict[str, Any] = {"record": record, "hex": value.hex()}
        if (record, fingerprint_of(entry)) not in known:
            entry["fields"] = as_json(codec.registry().decode(value, path.parent.name))
            golden.append(entry)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
