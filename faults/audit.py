"""What a section left behind, looked at by `contractnet verify`, whose checker shares no code with market/.

It compares what faults/checker.py does not: keys and timestamps, snapshots, signatures, invariants, and every column of
every published table (docs/verify.md).
"""

from __future__ import annotations

from analytics.verify import KafkaSource, Order, verify
from faults.tally import Tally
from faults.world import World, acting_as_auditor

JOBS = 2
AT_REST_S = 0.0
"""How long verify waits for what is missing at an end: nobody writes any more."""


def audit(world: World, tally: Tally, *, records: int, tables: bool) -> None:
    """Verify all topics, and with `tables` the published file; `records` is what the ledger is known to hold.

    Verify stops at the first divergence, so there is one at most.
    """
    order = Order(world.operator.public, jobs=JOBS, data_dir=world.data if tables else None)
    with acting_as_auditor(world):
        report, _ = verify(KafkaSource(world.broker.bootstrap, AT_REST_S), order)
    seen = report.counts["ledger records of the independent checker"]
    tally.verified += seen
    if report.divergence is not None:
        tally.diverged += 1
        tally.problems.append(f"verify: {report.divergence}")
    elif seen != records:
        tally.problems.append(f"verify has seen {seen} of {records} ledger records")
