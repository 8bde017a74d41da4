"""Bugs planted by hand in what verify lets pass as no divergence, and in what it must not. See planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

REPLAY, SNAPSHOTS = "analytics/verify/replay.py", "analytics/verify/snapshots.py"
ALARMS, SOURCES = "tests/analytics/test_verify_alarms.py", "tests/analytics/test_verify_sources.py"

ALARM_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "ends are asked for before the snapshots are read",
        REPLAY,
        """        self.snapshots.read()
        ends = {name: self._end(name, at) for name, at in self._positions().items()}
""",
        """        ends = {name: self._end(name, at) for name, at in self._positions().items()}
        self.snapshots.read()
""",
        "a sound market with a snapshotter is called diverged",
        (f"{ALARMS}::test_a_snapshot_that_is_written_meanwhile",),
    ),
    Mutant(
        "a snapshot beyond the end is old",
        SNAPSHOTS,
        "            if offset >= ledger_end:\n",
        "            if offset < 0:\n",
        "a snapshot that claims what no ledger holds passes",
        (f"{ALARMS}::test_a_snapshot_of_what_is_not_there",),
    ),
    Mutant(
        "what retention may have deleted has no end",
        REPLAY,
        "            self._deleted_until = ledger_end\n",
        "            self._deleted_until = 2**63\n",
        "notices that were never written are counted as deleted",
        (f"{ALARMS}::test_a_market_that_wakes_up_without_notices",),
    ),
    Mutant(
        "silence is the end",
        "analytics/verify/kafka.py",
        "                if not ended.value:\n",
        "                if ended.value is None:\n",
        "a broker that stalls hides the rest of a topic, and it is called sound",
        (f"{SOURCES}::test_a_broker_that_falls_silent",),
    ),
    Mutant(
        "a dead projector is not told",
        "analytics/verify/tables.py",
        "    if first_ms is None:\n",
        "    if count < 10**6:\n",
        "tables that are hours behind look all well",
        (f"{ALARMS}::test_tables_that_are_behind",),
    ),
)
