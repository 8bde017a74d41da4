"""`contractnet verify` on a real broker: a sound market, a resumed run, planted divergences."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer

import analytics
from contractnet.codec import encode
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.messages import Cause, Entry, Source
from contractnet.messages.events import ClockAdvanced
from contractnet.topics import LEDGER
from projections.projector import Projector
from projections.settings import ProjectionSettings
from streams.restore import restore
from streams.snapshots import write_snapshot
from tests.cli.command import contractnet, start
from tests.integration.records import stored
from tests.integration.world import PARTITIONS, World, new_world
from tests.streams.driving import busy_market, new_writer

pytestmark = [pytest.mark.broker, pytest.mark.slow]
BATCH = 200


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker with two markets of some thousand commands, judged, snapshotted and projected."""
    with new_world(tmp_path_factory.mktemp("verify")) as running:
        save(
            Credential(Role.OPERATOR, "default", "operator", running.operator, fingerprint(running.operator.public)),
            running.data / "keys" / "operator.json",
        )
        (running.data / "keys" / "operator.pub").write_text(running.operator.public.hex())
        for name in ("default", "gpu-eu-west"):
            grow(running, name, 300)
        project(running)
        yield running


def grow(world: World, name: str, cfps: int) -> None:
    """A market with CFPs and bids, judged by two writers one after the other, and snapshots between and after."""
    market = busy_market(world, name, cfps)
    records = stored(world.broker.bootstrap, market.partition)
    producer = Producer({"bootstrap.servers": world.broker.bootstrap, "message.max.bytes": 1_500_000})
    for number, part in enumerate((records[: len(records) // 2], records)):
        writer = new_writer(world, market.partition)
        for at in range(0, len(part), BATCH):
            writer.process(part[at : at + BATCH], sought=None)
        new_writer(world, market.partition)  # returns once what was committed can be read
        whole = restore(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public)
        write_snapshot(producer, whole.shard, number, whole.ledger_next - 1)


def project(world: World) -> None:
    """Run the projector until the tables hold the whole ledger."""
    projector = Projector(ProjectionSettings(world.broker.bootstrap, world.data, seal_rows=1_000))
    thread = threading.Thread(target=projector.run)
    thread.start()
    wanted = sum(len(world.ledger(p)) for p in range(PARTITIONS))
    give_up_at_s = time.monotonic() + 30
    while published(world) < wanted and time.monotonic() < give_up_at_s:
        time.sleep(0.1)
    projector.stop()
    thread.join(30)
    assert published(world) == wanted


def published(world: World) -> int:
    """Events in the newest publication; 0 before the first."""
    if not (world.data / "ledger.duckdb").exists():
        return 0
    with analytics.open(world.data) as connection:
        row = connection.execute("SELECT coalesce(sum(events), 0)::BIGINT FROM meta").fetchone()
    assert row is not None
    return int(row[0])


def verified(world: World, *options: str | Path, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The finished command."""
    where = ("--data", data or world.data, "--bootstrap", world.broker.bootstrap)
    return contractnet(*where, "verify", "--quiet", *options)


def test_a_sound_market(world: World) -> None:
    """Nothing diverges in thousands of commands on the real broker, and the report says what was checked."""
    done = verified(world)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sound: 0 divergences" in done.stdout
    assert "signatures/s" in done.stdout


def test_resuming_from_a_checkpoint(world: World, tmp_path: Path) -> None:
    """A checkpoint, then more commands: from it, and from nothing against it, the same is found."""
    first, second, third = (tmp_path / f"{n}.json" for n in range(3))
    sign = ("--sign-with", world.data / "keys" / "operator.json")
    assert verified(world, "--write-checkpoint", first, *sign).returncode == 0
    grow(world, "Ω-market", 40)
    resumed = verified(world, "--no-duckdb", "--from-checkpoint", first, "--write-checkpoint", second, *sign)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    whole = verified(world, "--no-duckdb", "--against-checkpoint", first, "--write-checkpoint", third, *sign)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    parts = [path.read_text().partition('"parts"')[2] for path in (second, third)]
    assert parts[0] == parts[1]
    stranger = verified(world, "--operator-key", "11" * 32, "--from-checkpoint", first)
    assert stranger.returncode == 1
    assert "--trust-key" in stranger.stderr


def test_a_wrong_command_line(world: World, tmp_path: Path) -> None:
    """Options that make no sense end with 2."""
    assert verified(world, "--write-checkpoint", tmp_path / "x.json").returncode == 2
    assert verified(world, "--operator-key", "nonsense").returncode == 2
    assert verified(world, "--from-checkpoint", "a", "--against-checkpoint", "b").returncode == 2


def test_ctrl_c(world: World) -> None:
    """Ctrl-C ends the command and its processes at once, with 130 and without a traceback."""
    running = start("--data", world.data, "--bootstrap", world.broker.bootstrap, "verify", "--jobs", "2")
    assert running.stdout is not None
    assert running.stdout.readline().startswith("verifying 4 partitions")
    os.killpg(running.pid, signal.SIGINT)
    told, _ = running.communicate(timeout=20)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    give_up_at_s = time.monotonic() + 10
    while is_alive(running.pid) and time.monotonic() < give_up_at_s:
        time.sleep(0.1)
    assert not is_alive(running.pid)


def is_alive(group: int) -> bool:
    """Whether a process group has a process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_row_that_was_changed(world: World, tmp_path: Path) -> None:
    """A changed row in a copy of the published file is named with its ledger offset."""
    shutil.copy((world.data / "ledger.duckdb").resolve(), tmp_path / "ledger.duckdb")
    with duckdb.connect(str(tmp_path / "ledger.duckdb")) as connection:
        [row] = connection.execute("SELECT partition, ledger_offset FROM unsealed.awards LIMIT 1").fetchall()
        connection.execute(
            "UPDATE unsealed.awards SET price_ucr = price_ucr + 1 WHERE partition = ? AND ledger_offset = ?", row
        )
    done = verified(world, "--operator-key", world.operator.public.hex(), data=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"DIVERGENCE duckdb:awards[{row[0]}] at offset {row[1]}: " in done.stdout


def test_a_market_that_runs(world: World) -> None:
    """While a worker answers commands that keep coming, and with tables that are behind, nothing diverges."""
    world.start_worker(0)
    market = world.market("tenant-42")
    market.open(agents=4)
    stopping = threading.Event()

    def load() -> None:
        while not stopping.wait(0.02):
            cfp = market.call(open_ms=100, duration_ms=100)
            for price_ucr, keys in enumerate(market.agents, start=100):
                market.bid(cfp, keys, price_ucr)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        start_at = world.end_of(LEDGER.name, market.partition)
        world.wait_for("answers", lambda: world.end_of(LEDGER.name, market.partition) > start_at + 500)
        done = verified(world)
        grown = world.end_of(LEDGER.name, market.partition)
        world.wait_for("more answers", lambda: world.end_of(LEDGER.name, market.partition) > grown)
    finally:
        stopping.set()
        sender.join()
        world.stop_all()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sound: 0 divergences" in done.stdout


def test_a_stranger_wrote_into_the_ledger(world: World) -> None:
    """A record that a stranger produced without a transaction is found at its offset."""
    partition = 2
    end = world.end_of(LEDGER.name, partition)
    last = world.entries_of(partition)[-1].source
    entry = Entry(Source(last.offset, last.index + 1, bytes(16), last.at_ms, Cause.DUE), ClockAdvanced())
    world.producer.produce(
        LEDGER.name, encode(entry), key="gpu-eu-west", partition=partition, headers=[("chain", bytes(32))]
    )
    assert world.producer.flush(10) == 0
    done = verified(world, "--no-duckdb")
    assert done.returncode == 1, done.stdout + done.stderr
    # Whether the worker had answered everything before it was stopped decides what the record stands in the place of.
    assert f"DIVERGENCE ledger[{partition}] at offset {end}: " in done.stdout
