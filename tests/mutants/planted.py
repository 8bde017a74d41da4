"""Bugs planted by hand: what is changed, what that breaks, and which tests must notice.

`old` stands in its file exactly once. Killers are the names that tests/mutants/quick.py knows (`golden`, `directed`,
`seeds`) or pytest's.
"""

from __future__ import annotations

from tests.mutants.mutant import SEEDS, Mutant
from tests.mutants.planted_alarms import ALARM_MUTANTS
from tests.mutants.planted_budgets import BUDGET_MUTANTS
from tests.mutants.planted_buyers import BUYER_MUTANTS
from tests.mutants.planted_checker import CHECKER_MUTANTS
from tests.mutants.planted_dashboard import DASHBOARD_MUTANTS
from tests.mutants.planted_decay import DECAY_MUTANTS
from tests.mutants.planted_decisions import DECISION_MUTANTS
from tests.mutants.planted_deposits import DEPOSIT_MUTANTS
from tests.mutants.planted_exports import EXPORT_MUTANTS
from tests.mutants.planted_groups import GROUP_MUTANTS
from tests.mutants.planted_identities import IDENTITY_MUTANTS
from tests.mutants.planted_integrity import INTEGRITY_MUTANTS
from tests.mutants.planted_invitations import INVITATION_MUTANTS
from tests.mutants.planted_negotiations import NEGOTIATION_MUTANTS
from tests.mutants.planted_policies import POLICY_MUTANTS
from tests.mutants.planted_purchases import PURCHASE_MUTANTS
from tests.mutants.planted_resales import RESALE_MUTANTS
from tests.mutants.planted_roots import ROOT_MUTANTS
from tests.mutants.planted_rules import RULE_MUTANTS
from tests.mutants.planted_strategies import STRATEGY_MUTANTS
from tests.mutants.planted_tokens import TOKEN_MUTANTS
from tests.mutants.planted_waits import WAIT_MUTANTS
from tests.mutants.planted_wallets import WALLET_MUTANTS

SHELLS = "tests/streams/test_shells.py::test_the_clock_ticks_only_for_a_reason"
STORE = "tests/projections/test_store.py"


LOADS = "tests/streams/test_snapshots.py::test_a_snapshot_that_does_not_load_falls_back"
WRITER, RESTORE = "streams/writer.py", "streams/restore.py"
SNAPSHOTS, SNAPSHOTTER = "streams/snapshots.py", "streams/snapshotter.py"

SHELL_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "position read before init_transactions",
        WRITER,
        """        self._producer.init_transactions(INIT_TIMEOUT_S)
        self._signatures = SignatureChecks()
        self.shard = self._restore()
""",
        """        self._signatures = SignatureChecks()
        self.shard = self._restore()
        self._producer.init_transactions(INIT_TIMEOUT_S)
""",
        "a commit of the old owner that is not visible yet is missed, and its commands judged twice",
        (SEEDS,),
    ),
    Mutant(
        "no fencing",
        WRITER,
        '"transactional.id": settings.transactional_id(partition),',
        '"transactional.id": f"{settings.transactional_id(partition)}-{id(self)}",',
        "a zombie commits",
        (SEEDS,),
    ),
    Mutant(
        "acknowledge without commit",
        WRITER,
        "            if answers:\n",
        "            if len(answers) > 3:\n",
        "the position moves although nothing is committed: a crash loses what was answered (to move it earlier "
        "changes nothing here: after an abort or a crash it is read from the ledger)",
        (SEEDS,),
    ),
    Mutant(
        "an aborted batch is skipped",
        WRITER,
        "            self._position = self.shard.next_offset\n            return",
        "            self._position = records[-1].offset + 1\n            return",
        "its commands never get an outcome",
        (SEEDS,),
    ),
    Mutant(
        "the state is kept after an abort",
        WRITER,
        "            self.shard = self._rebuild()\n",
        "",
        "what was aborted stays in the state",
        (SEEDS,),
    ),
    Mutant(
        "rebuild without waiting for the last commit",
        WRITER,
        "            self.shard = self._rebuild()\n",
        "            self.shard = self._restore()\n",
        "the ledger may not show the last commit yet: its commands are judged twice",
        ("tests/simulation/test_rebuild.py",),
    ),
    Mutant(
        "forget the seek rule",
        WRITER,
        "if records[0].offset > expected and sought != expected:",
        "if records[0].offset > expected and sought is expected:",
        "a consumer that starts too late loses commands",
        (SEEDS,),
    ),
    Mutant(
        "take any seek for the right one",
        WRITER,
        "if records[0].offset > expected and sought != expected:",
        "if records[0].offset > expected + 3 and sought != expected:",
        "a batch that starts a little late loses commands",
        (SEEDS,),
    ),
    Mutant(
        "judge the last answered record again",
        WRITER,
        "if r.offset >= self._position",
        "if r.offset >= self._position - 1",
        "a command gets two outcomes",
        (SEEDS,),
    ),
    Mutant(
        "chain without the command",
        WRITER,
        "source.offset, source.index, submission.digest, value)",
        "source.offset, source.index, bytes(32), value)",
        "a changed command would not show",
        (SEEDS,),
    ),
    Mutant(
        "notices of the first entry only",
        WRITER,
        "values_of(told(shard, submission.market, entries))",
        "values_of(told(shard, submission.market, entries[:1]))",
        "agents do not learn of their awards",
        (SEEDS,),
    ),
    Mutant(
        "output to partition 0",
        WRITER,
        "topic, value, key=key, partition=self.partition, timestamp=at_ms",
        "topic, value, key=key, partition=0, timestamp=at_ms",
        "the ledger of a market lies elsewhere",
        (SEEDS,),
    ),
    Mutant(
        "retry what must be aborted",
        WRITER,
        "                if error.txn_requires_abort():\n",
        "                if error.txn_requires_abort() and error.fatal():\n",
        "an abortable error ends the worker, which a rebuild would have spared",
        (SEEDS,),
    ),
    Mutant(
        "a snapshot of another ledger is taken",
        RESTORE,
        "if at is None or at.offset != manifest.ledger_offset or chain.hex() != manifest.chain:",
        "if at is None or chain == manifest.chain.encode():",
        "a snapshot that does not fit the ledger decides the state",
        (SEEDS,),
    ),
    Mutant(
        "one entry is left out after a snapshot",
        RESTORE,
        "Restored(shard, manifest.ledger_offset + 1,",
        "Restored(shard, manifest.ledger_offset + 2,",
        "the state lacks an entry",
        (SEEDS,),
    ),
    Mutant(
        "a snapshot's hash is not checked",
        SNAPSHOTS,
        "return state if hashlib.sha256(state).hexdigest() == manifest.state_hash else None",
        "return state",
        "a state that was edited is taken for the one that was written (chunks of a newer snapshot show by its chain)",
        ("tests/streams/test_snapshots.py::test_without_any_sound_snapshot_the_ledger_is_folded",),
    ),
    Mutant(
        "a damaged manifest is an error",
        SNAPSHOTS,
        "except (ValueError, TypeError, RecursionError):",
        "except KeyError:",
        "a damaged cache ends every restore",
        (SEEDS,),
    ),
    Mutant(
        "a snapshot that does not load is an error",
        RESTORE,
        "        except UNLOADABLE as error:\n",
        "        except UnicodeError as error:\n",
        "a worker ends at every start, although the ledger has everything",
        (LOADS,),
    ),
    Mutant(
        "what a snapshot claims is not what it holds",
        RESTORE,
        "if shard.head.hex() != manifest.chain:",
        "if not shard.head:",
        "a worker goes on with another chain than the ledger's",
        (LOADS,),
    ),
    Mutant(
        "delivery reports of a snapshot are not read",
        SNAPSHOTS,
        "    if refused or waiting:\n",
        "    if waiting:\n",
        "a manifest promises a chunk that the broker refused",
        ("tests/streams/test_snapshots.py::test_a_chunk_that_the_broker_refuses_gets_no_manifest",),
    ),
    Mutant(
        "a refused snapshot counts as written",
        SNAPSHOTTER,
        "        if manifest is None:\n",
        "        if manifest is None:\n            follower.number += 1\n",
        "the next attempt goes over the generation that is whole",
        ("tests/streams/test_snapshots.py::test_a_chunk_that_the_broker_refuses_gets_no_manifest",),
    ),
    Mutant(
        "snapshot one entry early",
        SNAPSHOTTER,
        "        follower.ledger_offset = record.offset\n",
        "        follower.ledger_offset = record.offset - 1\n",
        "no snapshot ever fits the ledger",
        (SEEDS,),
    ),
    Mutant(
        "the snapshotter leaves out an entry",
        SNAPSHOTTER,
        "        fold_record(follower.shard, record)\n",
        "        if follower.since != 7:\n            fold_record(follower.shard, record)\n",
        "snapshots are wrong, and say that they are right",
        (SEEDS,),
    ),
    Mutant(
        "the clock ticks a millisecond late",
        "streams/clock.py",
        "behind_ms >= due.due_at_ms - due.now_ms)",
        "behind_ms > due.due_at_ms - due.now_ms)",
        "an award waits for the next record",
        (SHELLS,),
    ),
    Mutant(
        "the clock is silent",
        "streams/clock.py",
        "for _ in range(count):",
        "for _ in range(min(count, 0)):",
        "a CFP of a quiet market never ends",
        (SEEDS,),
    ),
    Mutant(
        "read uncommitted",
        "streams/reading.py",
        '"isolation.level": "read_committed"',
        '"isolation.level": "read_uncommitted"',
        "what was aborted is taken for true",
        ("tests/streams/test_log.py",),
    ),
    Mutant(
        "a signature is checked against any genesis",
        "streams/signatures.py",
        "if ahead is None or ahead[0] != genesis:",
        "if ahead is None:",
        "a check made for another market's genesis counts",
        ("tests/streams/test_signatures.py",),
    ),
)

PROJECTOR_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "rows and position in two transactions",
        "projections/store.py",
        """        with self.transaction():
            self._fold(decoded)
            self._move(records, decoded)
""",
        """        self._fold(decoded)
        self._move(records, decoded)
""",
        "a projector that is killed doubles or loses rows",
        (STORE,),
    ),
    Mutant(
        "the position stays behind",
        "projections/store.py",
        "UPDATE SET next_offset = i.o + 1",
        "UPDATE SET next_offset = i.o",
        "meta says that the file reaches less far than it does, and rows are sealed too late",
        ("tests/analytics/test_verify.py::test_a_sound_market",),
    ),
    Mutant(
        "sealed rows stay",
        "projections/store.py",
        '            self.connection.execute(f"DELETE FROM {table} WHERE {ripe}")\n',
        "",
        "rows are in the segment and in the state",
        (STORE,),
    ),
    Mutant(
        "a segment is not in the manifest",
        "projections/store.py",
        '            self.connection.execute("INSERT INTO segments VALUES (?, ?, ?)", [table, file, row[0]])\n',
        "",
        "sealed rows are lost",
        (STORE,),
    ),
    Mutant(
        "a segment's name is used again",
        "projections/store.py",
        "max(taken, default=0) + 1:09d",
        "min(len(taken), 0) + 1:09d",
        "a segment that a reader has open changes",
        (STORE,),
    ),
)

PLANTED = (
    *SHELL_MUTANTS,
    *RULE_MUTANTS,
    *BUDGET_MUTANTS,
    *DECISION_MUTANTS,
    *GROUP_MUTANTS,
    *INVITATION_MUTANTS,
    *NEGOTIATION_MUTANTS,
    *PURCHASE_MUTANTS,
    *TOKEN_MUTANTS,
    *POLICY_MUTANTS,
    *DEPOSIT_MUTANTS,
    *BUYER_MUTANTS,
    *DASHBOARD_MUTANTS,
    *EXPORT_MUTANTS,
    *ROOT_MUTANTS,
    *IDENTITY_MUTANTS,
    *RESALE_MUTANTS,
    *DECAY_MUTANTS,
    *WAIT_MUTANTS,
    *WALLET_MUTANTS,
    *INTEGRITY_MUTANTS,
    *STRATEGY_MUTANTS,
    *CHECKER_MUTANTS,
    *ALARM_MUTANTS,
    *PROJECTOR_MUTANTS,
)
