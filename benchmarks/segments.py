"""What a query costs in CPU time as the same rows lie in many small segments or in few large ones."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import duckdb

from projections.merge import LEVELS
from projections.settings import ProjectionSettings
from projections.store import quoted

ROWS = (
    "SELECT 0 AS partition, i AS ledger_offset, 'default' AS market, "
    "['BidPlaced', 'HoldPlaced', 'CommandAccepted', 'CreditsTransferred', 'AwardMade'][1 + i % 5] AS type, "
    "md5(i::VARCHAR) AS command_id, make_timestamp_ms(1795000000000 + i) AS occurred_at FROM range(?, ?) t(i)"
)
QUERIES = {
    "count": "SELECT count(*) FROM events",
    "one type": "SELECT count(*) FROM events WHERE type = 'CreditsTransferred'",
    "newest": "SELECT count(*) FROM events WHERE ledger_offset >= (SELECT max(ledger_offset) - 10000 FROM events)",
}


def costs(rows: int, runs: int) -> list[dict[str, object]]:
    """One row per size of segments, from what is sealed to what merging ends with: median CPU ms, a new connection each
    time."""
    settings = ProjectionSettings("", Path())
    return [_cost(rows, runs, settings.seal_rows * settings.merge_files**level) for level in range(LEVELS + 1)]


def _cost(rows: int, runs: int, size: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder:
        files = [Path(folder, f"{start}.parquet") for start in range(0, rows, size)]
        path = Path(folder, "published.duckdb")
        with duckdb.connect(str(path)) as connection:
            for number, file in enumerate(files):
                bounds = [number * size, min(rows, (number + 1) * size)]
                connection.execute(f"COPY ({ROWS}) TO {quoted(file)} (FORMAT parquet, COMPRESSION zstd)", bounds)
            connection.execute(f"CREATE VIEW events AS FROM read_parquet([{', '.join(map(quoted, files))}])")
        found: dict[str, object] = {"rows": rows, "segments": len(files)}
        for name, sql in QUERIES.items():
            found[f"{name}, CPU ms"] = round(statistics.median(_cpu_ms(path, sql) for _ in range(runs)), 1)
        return found


def _cpu_ms(path: Path, sql: str) -> float:
    begun = time.process_time()
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(sql).fetchall()
    return (time.process_time() - begun) * 1000
