"""`contractnet verify`: everything that the topics and the DuckDB file say, checked from the commands alone.

docs/verify.md says what it proves and what it cannot.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from analytics import checkpoint
from analytics.checkpoint import Checkpoint, Part
from analytics.verify.export import ExportSource, opened
from analytics.verify.kafka import KafkaSource
from analytics.verify.replay import Replay
from analytics.verify.report import DivergenceError, Report
from analytics.verify.signatures import SignaturePool
from analytics.verify.snapshots import STATE_BYTES_MAX
from analytics.verify.source import RecordSource
from analytics.verify.tables import check_tables
from contractnet.credentials import load
from contractnet.errors import CheckpointError
from contractnet.progress import Progress
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS

__all__ = ["KafkaSource", "Order", "Report", "run", "verify"]

_Tables = tuple[Counter[str], str | None]
"""Rows compared by table, and a note."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to verify. `operator_key` is the trusted operator's, 32 bytes; `jobs` the processes beside this one.

    `start` is where to go on from; `against` what has to be met on the way from nothing. `data_dir` has the DuckDB
    file; None leaves it out. Progress goes to `out`.
    """

    operator_key: bytes
    jobs: int = 0
    data_dir: Path | None = None
    start: Checkpoint | None = None
    against: Checkpoint | None = None
    out: TextIO | None = None


def verify(source: RecordSource, order: Order) -> tuple[Report, Checkpoint | None]:
    """Verify everything up to the present ends, stopping at the first divergence.

    Returns the report, and a checkpoint of where it ended if all is sound. Raises CheckpointError for a checkpoint of
    another operator, and Kafka's errors.
    """
    report = Report()
    started_s, cpu_s = time.monotonic(), time.process_time()
    parts: list[Part] = []
    try:
        partitions = _partitions(source)
        begin = _by_partition(order.start, order, partitions)
        against = _by_partition(order.against, order, partitions)
        if order.out is not None:
            print(
                f"verifying {partitions} partitions, {order.jobs} processes beside this one", file=order.out, flush=True
            )
        with SignaturePool(order.jobs) as pool:
            tables = _begin_tables(source, order, partitions, pool)
            progress = Progress(order.out)
            for partition in range(partitions):
                replay = Replay(source, partition, partitions, order.operator_key)
                if begin:
                    replay.resume(begin[partition])
                try:
                    parts.append(replay.run(pool, progress, against.get(partition)))
                finally:
                    _count(report, replay)
            rows, note = tables.result() if isinstance(tables, Future) else tables
            report.counts.update(rows)
            report.notes += [] if note is None else [note]
    except DivergenceError as error:
        report.divergence = error
        if not report.counts["markets opened"]:
            trusted = order.operator_key.hex()
            report.notes.append(f"no market that was looked at was opened by the trusted operator, key {trusted}")
    report.duration_s, report.cpu_s = time.monotonic() - started_s, time.process_time() - cpu_s
    if not report.sound:
        return report, None
    return report, Checkpoint(order.operator_key, int(time.time() * 1000), tuple(parts))


def _partitions(source: RecordSource) -> int:
    counts = {topic.name: source.partitions(topic.name) for topic in (COMMANDS, LEDGER, NOTICES, SNAPSHOTS)}
    for name, count in counts.items():
        if count != counts[COMMANDS.name]:
            what = f"it has {count} partitions, commands has {counts[COMMANDS.name]}"
            raise DivergenceError(name, None, None, what)
    return counts[COMMANDS.name]


def _by_partition(found: Checkpoint | None, order: Order, partitions: int) -> dict[int, Part]:
    if found is None:
        return {}
    if found.operator_key != order.operator_key or {p.partition for p in found.parts} != set(range(partitions)):
        raise CheckpointError("the checkpoint is of another market: its operator or its partitions are others")
    return {part.partition: part for part in found.parts}


def _begin_tables(
    source: RecordSource, order: Order, partitions: int, pool: SignaturePool
) -> _Tables | Future[_Tables]:
    if order.data_dir is None:
        return Counter(), None
    if pool.executor is None:
        return check_tables(source, order.data_dir, partitions)
    return pool.submit(check_tables, source, order.data_dir, partitions)


def _count(report: Report, replay: Replay) -> None:
    counts, snapshots = report.counts, replay.snapshots
    counts["markets opened"] += len(replay.shard.markets)
    counts["commands judged again"] += replay.commands
    counts["ledger records compared"] += replay.ledger.compared
    counts["notice records compared"] += replay.notices.compared
    counts["signatures checked"] += replay.signatures.checked + replay.signatures.inline
    counts["ledger records of the independent checker"] += replay.checker.checked
    counts["commands that it found proven"] += replay.checker.proven
    counts["snapshots equal to the fold"] += snapshots.checked
    counts.update(replay.counts.counts)
    report.signature_cpu_s += replay.counts.signature_cpu_s
    if replay.unanswered is not None:
        report.notes.append(f"commands[{replay.partition}]: not answered yet from offset {replay.unanswered} on")
    if replay.notices.passed_over:
        report.notes.append(f"notices[{replay.partition}]: {replay.notices.passed_over} were deleted by retention")
    if snapshots.torn or snapshots.older:
        what = f"{snapshots.torn} torn by a crash, {snapshots.older} of before the start or of other rules"
        report.notes.append(f"snapshots[{replay.partition}]: {what}, not compared")
    if snapshots.large:
        what = f"{snapshots.large} are larger than {STATE_BYTES_MAX:,} bytes, and every worker passes them over"
        report.notes.append(f"snapshots[{replay.partition}]: {what}")


def run(
    where: str | Path,
    operator_key: bytes,
    *,
    jobs: int,
    data_dir: Path | None,
    from_checkpoint: Path | None,
    against_checkpoint: Path | None,
    write_checkpoint: Path | None,
    sign_with: Path | None,
    trust: frozenset[bytes],
    out: TextIO | None,
) -> Report:
    """Verify the market at a broker's address or in the directory of an export, and write a checkpoint signed with the
    credential `sign_with` if it is sound.

    Raises ContractnetError for what the command line got wrong, KafkaException for Kafka's errors.
    """
    trusted = trust | {operator_key}
    keys: KeyPair | None = None
    if write_checkpoint is not None:
        if sign_with is None:
            raise CheckpointError("a checkpoint has to be signed: name a credential file with --sign-with")
        if write_checkpoint.exists():
            raise CheckpointError(
                f"{write_checkpoint} exists already, and a checkpoint is never overwritten: it is evidence. Choose "
                "another name."
            )
        if not write_checkpoint.parent.is_dir():
            raise CheckpointError(f"there is no folder {write_checkpoint.parent} to write the checkpoint into")
        keys = load(sign_with).keys
    order = Order(
        operator_key,
        jobs=jobs,
        data_dir=data_dir,
        start=None if from_checkpoint is None else checkpoint.read(from_checkpoint, trusted),
        against=None if against_checkpoint is None else checkpoint.read(against_checkpoint, trusted),
        out=out,
    )
    source: RecordSource
    notes: list[str] = []
    if isinstance(where, Path):
        source, note = opened(where, trusted, out)
        notes.append(note)
    else:
        source = KafkaSource(where)
    report, made = verify(source, order)
    if made is not None and isinstance(source, ExportSource):
        report.divergence = source.misnamed(made)
    report.notes[:0] = notes
    if made is not None and report.sound and keys is not None and write_checkpoint is not None:
        checkpoint.write(made, keys, write_checkpoint)
        report.notes.append(f"checkpoint written to {write_checkpoint}, signed by {keys.public.hex()}")
    return report
