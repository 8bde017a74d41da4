"""Compares the published DuckDB file with the ledger, row by row."""

from __future__ import annotations

import time
from collections import Counter

import analytics
from contractnet.errors import QueryError
from faults.tally import Tally
from faults.world import PARTITIONS, World

PUBLISHED_S = 120.0


def compare_rows(world: World, tally: Tally) -> None:
    """Wait until the projector has published the ledger's end; then count rows that are missing, or there twice.

    A row that no ledger record stands for counts as doubled. The balances have to agree with the transfers.
    """
    wanted = {(p, r.offset) for p in range(PARTITIONS) for r in world.ledger(p)}
    newest = {p: max((o for q, o in wanted if q == p), default=-1) + 1 for p in range(PARTITIONS)}
    deadline = time.monotonic() + PUBLISHED_S
    while _published(world) != {p: n for p, n in newest.items() if n}:
        if time.monotonic() > deadline:
            tally.problems.append(f"the projector did not publish the ledger's end within {PUBLISHED_S:.0f} s")
            tally.rows_lost += len(wanted)
            return
        time.sleep(0.2)
    with analytics.open(world.data) as connection:
        found = Counter(connection.execute("SELECT partition, ledger_offset FROM events").fetchall())
        balanced = connection.execute("SELECT coalesce(bool_and(ok), false) FROM balances_check").fetchone()
    tally.rows += found.total()
    tally.rows_lost += len(wanted - found.keys())
    tally.rows_doubled += found.total() - len(found) + len(found.keys() - wanted)
    if balanced != (True,):
        tally.problems.append("balances in DuckDB do not follow from the transfers")


def _published(world: World) -> dict[int, int]:
    try:
        with analytics.open(world.data) as connection:
            return dict(connection.execute("SELECT partition, next_offset FROM meta").fetchall())
    except QueryError:
        return {}
