"""A reader in a process of its own: opens the published file again and again, and reports what it saw.

python -m benchmarks.reading DATA_DIR DURATION_S heavy|light PAUSE_S
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

WHOLE = """
SELECT (SELECT count(*) FROM events) = (SELECT sum(events) FROM meta)
    AND (SELECT count(*) FROM awards) = (SELECT count(*) FROM bids WHERE status = 'won')
    AND (SELECT count(*) FROM transfers) = (SELECT count(*) FROM events WHERE type = 'CreditsTransferred')
    AND (SELECT sum(balance_ucr) FROM accounts) = 0
"""
"""Each line compares rows that came from different tables, segments and batches: a torn view breaks one of them."""
RECENT = """
WITH recent AS (SELECT type, count(*) AS n FROM events WHERE ledger_offset >= $1 GROUP BY type)
SELECT (SELECT count(*) FROM events) = (SELECT sum(events) FROM meta)
    AND (SELECT count(*) FROM awards WHERE ledger_offset >= $1)
        = (SELECT coalesce(sum(n), 0) FROM recent WHERE type = 'AwardMade')
    AND (SELECT count(*) FROM bids WHERE ledger_offset >= $1)
        = (SELECT coalesce(sum(n), 0) FROM recent WHERE type = 'BidPlaced')
    AND (SELECT count(*) FROM transfers WHERE ledger_offset >= $1)
        = (SELECT coalesce(sum(n), 0) FROM recent WHERE type = 'CreditsTransferred')
    AND (SELECT sum(balance_ucr) FROM accounts) = 0
"""
"""The same for the rows that the last batches brought, where a torn view would be torn."""
RECENT_FROM = "SELECT min(next_offset) - 20000 FROM meta"
SHORT = 100_000
"""Offsets. Up to here, to count everything is cheaper than to find what is recent."""
WHOLE_EVERY = 20
AGE = "SELECT epoch_ms(max(newest_event_at)) FROM meta"
HEAVY = "SELECT project, agent, pool, hour, sum(credits)::BIGINT FROM attribution GROUP BY ALL ORDER BY 5 DESC"


def main() -> None:
    """Read until the time is over; print the result as JSON."""
    path, duration_s, heavy = Path(sys.argv[1], "ledger.duckdb"), float(sys.argv[2]), sys.argv[3] == "heavy"
    pause_s = float(sys.argv[4])
    seen = {"reads": 0, "errors": 0, "torn": 0}
    ages_ms: list[float] = []
    message = ""
    deadline_s = time.monotonic() + duration_s
    while time.monotonic() < deadline_s:
        try:
            with duckdb.connect(str(path), read_only=True) as connection:
                newest = connection.execute(AGE).fetchone()
                ages_ms.append(time.time() * 1000 - (newest or (0,))[0])
                if heavy:
                    connection.execute(HEAVY).fetchall()
                seen["torn"] += not _is_consistent(connection, whole=seen["reads"] % WHOLE_EVERY == 0)
            seen["reads"] += 1
        except duckdb.Error as error:
            seen["errors"] += 1
            message = str(error)
        time.sleep(pause_s)
    print(json.dumps(seen | {"ages_ms": [round(age) for age in ages_ms], "message": message}))


def _is_consistent(connection: duckdb.DuckDBPyConnection, *, whole: bool) -> bool:
    (start,) = connection.execute(RECENT_FROM).fetchone() or (0,)
    if whole or start < SHORT:
        return connection.execute(WHOLE).fetchone() == (True,)
    return connection.execute(RECENT, [start]).fetchone() == (True,)


if __name__ == "__main__":
    main()
