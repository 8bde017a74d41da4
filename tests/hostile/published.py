"""The ledger of a market under attack as `contractnet query` finds it: tables, views and segments in DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analytics.query import run
from contractnet.topics import LEDGER
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import Store
from tests.analytics.test_query_locked import SECRET
from tests.hostile.life import Life
from tests.market.town import PARTITION
from tests.simulation.memory import Stored

SEAL_ROWS = 300
"""Small enough that a short life has segments."""


def publish(life: Life, home: Path) -> Path:
    """Publish the ledger of a life into a data directory, in which a secret lies beside it; returns a segment."""
    records = [_record(stored) for stored in life.log.committed(LEDGER.name, PARTITION, 0)]
    settings = ProjectionSettings("", home, seal_rows=SEAL_ROWS, seal_grace_offsets=50)
    layout = Layout(home)
    layout.create()
    store = Store(layout, settings)
    store.apply(records)
    store.seal_due()
    Publisher(store, settings).publish()
    store.close()
    (home / "keys").mkdir()
    (home / "keys" / "operator.json").write_text(json.dumps({"signing_seed": SECRET}), "utf-8")
    (layout.segments / "other.parquet").write_bytes(b"")
    return next(layout.segments.glob("events-*.parquet"))


def _record(stored: Stored) -> LedgerRecord:
    return LedgerRecord(PARTITION, stored.offset, stored.key or b"", stored.value or b"", bytes(32))


def texts_of(home: Path) -> Iterator[tuple[str, str]]:
    """Every text of every table and view, with where it stands."""
    tables = run("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'", home)
    for (table,) in tables.rows:
        found = run(f'FROM "{table}"', home)
        for row in found.rows:
            for column, value in zip(found.columns, row, strict=True):
                for text in _texts_in(value):
                    yield f"{table}.{column}", text


def _texts_in(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for held in value.values():
                yield from _texts_in(held)
        case list() | tuple():
            for held in value:
                yield from _texts_in(held)
