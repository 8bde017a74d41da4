"""The projector on a real broker: what it reads, how it ends, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

import analytics
from broker.interface import Broker
from broker.jvm import JvmBroker
from contractnet import stall
from contractnet.errors import BrokerUnreachableError, DataDirectoryError, LedgerChangedError, QueryError
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.lock import ProjectorLock
from projections.projector import EXIT_TERMINAL, Projector
from projections.reader import LedgerReader
from projections.rebuild import rebuild
from projections.settings import ProjectionSettings
from projections.store import APPENDED, CHANGING
from tests.projections.folded import Folded, fold, read_back
from tests.projections.generator import History
from tests.projections.ledger import Ledger

pytestmark = pytest.mark.broker

TIMEOUT_S = 60.0


def settings_of(ledger: Ledger, data_dir: Path) -> ProjectionSettings:
    """Settings for a test's own ledger, with small segments."""
    return ProjectionSettings(ledger.bootstrap, data_dir, ledger.topic, seal_rows=1000, seal_grace_offsets=100)


@contextmanager
def projecting(settings: ProjectionSettings) -> Iterator[Projector]:
    """A projector in a thread, stopped at the end."""
    projector = Projector(settings)
    thread = threading.Thread(target=projector.run)
    thread.start()
    try:
        yield projector
    finally:
        projector.stop()
        thread.join(TIMEOUT_S)


def events_published(data_dir: Path) -> int:
    """Events in the newest generation; 0 before the first."""
    try:
        with analytics.open(data_dir) as connection:
            row = connection.execute("SELECT coalesce(sum(events), 0)::BIGINT FROM meta").fetchone()
    except QueryError:
        return 0
    assert row is not None
    return int(row[0])


def wait_for(data_dir: Path, events: int) -> None:
    """Return when so many events are published."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while (found := events_published(data_dir)) < events:
        assert time.monotonic() < deadline_s, f"only {found} of {events} events after {TIMEOUT_S} s"
        time.sleep(0.1)
    assert found == events


def filled(ledger: Ledger, transactions: int = 20, entries_each: int = 300) -> Folded:
    """Write the histories of two markets a partition, with aborted transactions in between."""
    expected = Folded()
    histories = [(p, History(f"market-{p}-{i}", i)) for p in range(ledger.partitions) for i in range(2)]
    for number in range(transactions):
        partition, history = histories[number % len(histories)]
        if number % 5 == 0:
            ledger.write(partition, "ghost", History("ghost", number).take(50), commit=False)
        entries = history.take(entries_each)
        ledger.write(partition, history.market, entries)
        fold(history.market, entries, expected)
    return expected


def everything(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, sorted, but for what differs by nature (publication time and generation)."""
    names = (*APPENDED, *CHANGING, "accounts", "markets", "pools", "unreadable_entries", "attribution")
    with analytics.open(data_dir) as connection:
        tables = {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names}
        meta = "SELECT * EXCLUDE (published_at, generation) FROM meta ORDER BY ALL"
        return tables | {"meta": connection.execute(meta).fetchall()}


def test_committed_events_are_projected_and_aborted_ones_are_not(broker: Broker, tmp_path: Path) -> None:
    """The tables hold what was committed, and nothing of an aborted transaction; offsets have holes."""
    ledger = Ledger(broker.bootstrap)
    expected = filled(ledger)
    with projecting(settings_of(ledger, tmp_path)):
        wait_for(tmp_path, ledger.written)
    assert read_back(tmp_path) == expected
    with analytics.open(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM events WHERE market = 'ghost'").fetchone() == (0,)
        holes = connection.execute("SELECT bool_and(next_offset > events) FROM meta").fetchone()
        assert holes == (True,)
        assert connection.execute("SELECT bool_and(ok), count(*) FROM balances_check").fetchone() == (True, 4)


def test_a_rebuild_equals_the_live_projection(broker: Broker, tmp_path: Path) -> None:
    """Folding the ledger from offset 0 gives the rows that the live projection has, whatever was sealed when."""
    ledger = Ledger(broker.bootstrap)
    filled(ledger)
    settings = settings_of(ledger, tmp_path)
    with projecting(settings):
        wait_for(tmp_path, ledger.written)
        filled_again = History("late", 1).take(500)
        ledger.write(0, "late", filled_again)
        wait_for(tmp_path, ledger.written)
    live = everything(tmp_path)
    reader = analytics.open(tmp_path)
    assert rebuild(replace(settings, seal_rows=333)) == ledger.written
    assert everything(tmp_path) == live
    assert reader.execute("SELECT count(*) FROM bids").fetchone() is not None, "older generations keep their segments"
    reader.close()
    with projecting(settings):
        ledger.write(0, "late", History("later", 1).take(100))
        wait_for(tmp_path, ledger.written)


def test_a_second_projector_is_refused_and_a_stale_lock_is_not(broker: Broker, tmp_path: Path) -> None:
    """While one runs, another names its pid; a lock left by a dead process is taken over."""
    ledger = Ledger(broker.bootstrap)
    settings = settings_of(ledger, tmp_path)
    layout = Layout(tmp_path)
    layout.create()
    layout.lock.write_text("999999\n")
    with projecting(settings):
        wait_for(tmp_path, 0)
        deadline_s = time.monotonic() + TIMEOUT_S
        while layout.lock.read_text() != f"{os.getpid()}\n" and time.monotonic() < deadline_s:
            time.sleep(0.05)
        with pytest.raises(DataDirectoryError, match=rf"in use by the projector with pid {os.getpid()} "):
            Projector(settings).run()
        with pytest.raises(DataDirectoryError, match="in use"):
            rebuild(settings)
    with ProjectorLock(layout.lock):
        pass


def test_another_ledger_is_recognised(broker: Broker, tmp_path: Path) -> None:
    """A ledger that is shorter than before, or has another chain at the last offset, is refused; the tables stay."""
    ledger = Ledger(broker.bootstrap, partitions=1)
    ledger.write(0, "m", History("m", 1).take(1000))
    settings = settings_of(ledger, tmp_path)
    with projecting(settings):
        wait_for(tmp_path, ledger.written)
    shorter, longer = Ledger(broker.bootstrap, partitions=1), Ledger(broker.bootstrap, partitions=1)
    shorter.write(0, "m", History("m", 1).take(10))
    # The same number of records up to the stored offset, so that only the chain tells them apart.
    longer.write(0, "m", History("m", 2).take(1100))
    for other in (shorter, longer):
        other.wait_visible(0)
    for other, message in ((shorter, r"ends at offset 1\d, but \d+ was reached"), (longer, "holds another record")):
        with pytest.raises(LedgerChangedError, match=message + r".*projections\.rebuild"):
            Projector(replace(settings, topic=other.topic)).run()
    assert events_published(tmp_path) == ledger.written


def test_a_deleted_beginning_is_recognised(broker: Broker, tmp_path: Path) -> None:
    """A ledger whose first records are gone cannot be projected from the start, and says so."""
    ledger = Ledger(broker.bootstrap, partitions=1)
    ledger.write(0, "m", History("m", 1).take(100))
    ledger.delete_until(0, 50)
    with pytest.raises(LedgerChangedError, match="begins at offset 50: records were deleted"):
        Projector(settings_of(ledger, tmp_path)).run()


def test_no_broker_and_no_topic_are_told_apart(broker: Broker, tmp_path: Path) -> None:
    """Without broker or topic the start fails after its timeout, transient, and says which is missing."""
    settings = ProjectionSettings("127.0.0.1:1", tmp_path, connect_timeout_s=0.5)
    with pytest.raises(BrokerUnreachableError, match=r"the broker does not answer.*contractnet up") as no_broker:
        Projector(settings).run()
    with pytest.raises(BrokerUnreachableError, match="there is no topic absent"):
        Projector(replace(settings, bootstrap=broker.bootstrap, topic="absent")).run()
    assert no_broker.value.transient


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(broker: Broker, tmp_path: Path, signum: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with 0 within a few seconds, with everything read published."""
    ledger = Ledger(broker.bootstrap)
    filled(ledger, transactions=4)
    arguments = ["--bootstrap", ledger.bootstrap, "--data", str(tmp_path), "--topic", ledger.topic]
    process = subprocess.Popen(
        [sys.executable, "-m", "projections.projector", *arguments], stderr=subprocess.PIPE, text=True
    )
    wait_for(tmp_path, ledger.written)
    started_s = time.monotonic()
    process.send_signal(signum)
    _, log = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, log
    assert time.monotonic() - started_s < 5.0
    assert f"projecting 2 partitions of {ledger.topic}" in log
    assert f"stopped at {ledger.written} events" in log
    assert not list(tmp_path.rglob("*.wal")), "a clean end leaves no write-ahead log"


def test_a_terminal_error_has_its_own_exit_code(broker: Broker, tmp_path: Path) -> None:
    """Where starting again can't help, the supervisor learns it from the exit code, people from one line."""
    layout = Layout(tmp_path)
    layout.create()
    with ProjectorLock(layout.lock):
        done = subprocess.run(
            [sys.executable, "-m", "projections.projector", "--bootstrap", broker.bootstrap, "--data", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.returncode == EXIT_TERMINAL
    assert done.stderr.startswith("projector: ")
    assert f"pid {os.getpid()}" in done.stderr


@pytest.mark.slow
def test_a_broker_restart_is_waited_out(tmp_path: Path) -> None:
    """While the broker is away for some seconds the projector waits, and then goes on; it does not end."""
    with JvmBroker(tmp_path / "broker", port=0) as own:
        ledger = Ledger(own.bootstrap, partitions=1)
        history = History("m", 1)
        ledger.write(0, "m", history.take(500))
        with projecting(settings_of(ledger, tmp_path)):
            wait_for(tmp_path, ledger.written)
            own.kill()
            time.sleep(3.0)
            own.start()
            ledger.write(0, "m", history.take(500))
            wait_for(tmp_path, ledger.written)


def test_a_partition_that_stalls_is_read_on(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A consumer that brings nothing although there is more (here: paused behind its owner's back) is replaced, and no
    record is lost or read twice; one that has nothing to bring stays."""
    monkeypatch.setattr(stall, "LOOK_S", 0.5)
    ledger = Ledger(broker.bootstrap, partitions=2)
    history = History("m", 1)
    ledger.write(0, "m", history.take(300))
    reader = LedgerReader(replace(settings_of(ledger, tmp_path), publish_interval_s=0.1), {})
    read = [record.offset for record in _read_for(reader, 1.5)]
    first = reader._consumer
    reader._consumer.pause([TopicPartition(ledger.topic, 0)])
    ledger.write(0, "m", history.take(300))
    deadline_s = time.monotonic() + TIMEOUT_S
    while len(read) < ledger.written and time.monotonic() < deadline_s:
        read += [record.offset for record in reader.poll()]
    replaced = reader._consumer
    reader.close()
    assert len(read) == ledger.written == len(set(read)), "each record once"
    assert replaced is not first
    assert caplog.text.count("with a new connection") == 1, "neither the silence before nor the empty partition"


def _read_for(reader: LedgerReader, duration_s: float) -> Iterator[LedgerRecord]:
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        yield from reader.poll()
