"""A reader in a process of its own: opens the published file again and again, and reports what it saw.

python -m benchmarks.reading DATA_DIR DURATION_S heavy|light
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

CONSISTENT = """
SELECT (SELECT count(*) FROM events) = (SELECT sum(events) FROM meta)
    AND (SELECT count(*) FROM awards) = (SELECT count(*) FROM bids WHERE status = 'won')
    AND (SELECT count(*) FROM transfers) = (SELECT count(*) FROM events WHERE type = 'CreditsTransferred')
    AND (SELECT sum(balance_ucr) FROM accounts) = 0
"""
"""Each line compares rows that came from different tables, segments and batches: a torn view breaks one of them."""
AGE = "SELECT epoch_ms(max(newest_event_at)) FROM meta"
HEAVY = "SELECT project, agent, pool, hour, sum(credits)::BIGINT FROM attribution GROUP BY ALL ORDER BY 5 DESC"


def main() -> None:
    """Read until the time is over; print the result as JSON."""
    path, duration_s, heavy = Path(sys.argv[1], "ledger.duckdb"), float(sys.argv[2]), sys.argv[3] == "heavy"
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
                seen["torn"] += connection.execute(CONSISTENT).fetchone() != (True,)
            seen["reads"] += 1
        except duckdb.Error as error:
            seen["errors"] += 1
            message = str(error)
        time.sleep(0.1)
    print(json.dumps(seen | {"ages_ms": [round(age) for age in ages_ms], "message": message}))


if __name__ == "__main__":
    main()
