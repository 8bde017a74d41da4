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
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

import analytics
from analytics.verify.kafka import KafkaSource
from contractnet.codec import encode
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.messages import Cause, Entry, Source
from contractnet.messages.events import ClockAdvanced
from contractnet.topics import LEDGER, NOTICES, SNAPSHOTS
from projections.projector import Projector
from projections.settings import ProjectionSettings
from streams.restore import restore
from streams.snapshots import write_snapshot
from tests.cli.command import contractnet, start
from tests.integration.records import stored
from tests.integration.restless import restless
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


def test_an_auditor_has_no_published_file(world: World, tmp_path: Path) -> None:
    """Without one none is compared, which is said, unless it is demanded; a key of another operator is told as such."""
    key = ("--operator-key", world.operator.public.hex())
    alone = verified(world, *key, data=tmp_path)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "none is compared" in alone.stderr
    demanded = verified(world, *key, "--duckdb", data=tmp_path)
    assert demanded.returncode == 1
    assert "ledger.duckdb" in demanded.stderr
    stranger = verified(world, "--operator-key", "11" * 32, data=tmp_path)
    assert stranger.returncode == 1
    assert f"was opened by the trusted operator, key {'11' * 32}" in stranger.stdout


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
    """While a worker answers commands that keep coming, a snapshotter writes what it folds, and the tables are behind,
    nothing diverges; how far the tables are behind is told."""
    with restless(world, pause_s=0.1, records=300) as market:
        written = world.end_of(SNAPSHOTS.name, market.partition)
        world.start("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES="100")
        world.wait_for("snapshots", lambda: world.end_of(SNAPSHOTS.name, market.partition) > written)
        done = verified(world)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sound: 0 divergences" in done.stdout
    assert "records behind the ledger; the first that it lacks is of " in done.stdout


def test_all_notices_were_deleted(world: World) -> None:
    """Retention has left nothing of a partition's notices: it is sound, and what it lacks is counted."""
    place = TopicPartition(NOTICES.name, world.market("gpu-eu-west").partition, OFFSET_END)
    admin = AdminClient({"bootstrap.servers": world.broker.bootstrap})
    admin.delete_records([place])[place].result(30)
    low, end = KafkaSource(world.broker.bootstrap).bounds(NOTICES.name, place.partition)
    assert low == end > 0
    done = verified(world, "--no-duckdb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"note: notices[{place.partition}]: " in done.stdout
    assert "were deleted by retention" in done.stdout


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
    assert "trusted operator" not in done.stdout
    # Whether the worker had answered everything before it was stopped decides what the record stands in the place of.
    assert f"DIVERGENCE ledger[{partition}] at offset {end}: " in done.stdout
