"""`contractnet export`, `verify --from` and `replay` on a real broker: what the files hold is what the topics held."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from analytics.export_kafka import KafkaTopics
from analytics.verify import Order, verify
from analytics.verify.kafka import KafkaSource
from analytics.verify.source import MemorySource, StoredRecord
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.exports.reading import Export, open_export
from contractnet.topics import COMMANDS, LEDGER, NOTICES, TOPICS
from tests.analytics.test_verify_kafka import grow, project
from tests.cli.command import contractnet, start
from tests.integration.restless import restless
from tests.integration.world import PARTITIONS, World, new_world

pytestmark = [pytest.mark.broker, pytest.mark.slow]
COUNTED = re.compile(r"^  (.+?) +([0-9,]+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker with two markets of some thousand commands, judged, snapshotted and projected, and poison among them."""
    with new_world(tmp_path_factory.mktemp("export")) as running:
        operator = Credential(
            Role.OPERATOR, "default", "operator", running.operator, fingerprint(running.operator.public)
        )
        save(operator, running.data / "keys" / "operator.json")
        (running.data / "keys" / "operator.pub").write_text(running.operator.public.hex())
        poison(running)
        for name in ("default", "gpu-eu-west"):
            grow(running, name, 120)
        project(running)
        yield running


def poison(world: World) -> None:
    """What anybody may store: nulls, empty bytes, doubled and null headers."""
    market = world.market("default")
    market.send_raw(None, None, [])
    market.send_raw(b"", b"", [("", b""), ("sig", b"1"), ("sig", b"2")])
    market.send_raw(b"\xff\x00", os.urandom(90_000), [("Ω", b"\x00")])
    # The next producer's settings allow what ours asserts not to be.
    producer = Producer({"bootstrap.servers": world.broker.bootstrap})
    producer.produce(COMMANDS.name, None, partition=market.partition, headers=[("null", None)])
    assert world.producer.flush(10) == producer.flush(10) == 0


@pytest.fixture(scope="module")
def exported(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export that the command makes, signed by the operator, whose credential is at hand."""
    directory = tmp_path_factory.mktemp("exported") / "market"
    done = contractnet(*place(world), "export", "--avro", directory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"signed by {world.operator.public.hex()}" in done.stdout
    assert "market 'default' on partition" in done.stdout
    return directory


def place(world: World) -> tuple[str | Path, ...]:
    """Options that lead to a world."""
    return ("--data", world.data, "--bootstrap", world.broker.bootstrap)


def test_the_records_are_those_of_the_broker(world: World, exported: Path) -> None:
    """Every record of every topic, and the type of its timestamp: the commands are stamped by the broker."""
    export, source = open_export(exported), KafkaSource(world.broker.bootstrap)
    for topic in TOPICS:
        kind = "LOG_APPEND_TIME" if topic is COMMANDS else "CREATE_TIME"
        for partition in range(PARTITIONS):
            kept = list(export.records(topic.name, partition))
            wanted = list(source.read(topic.name, partition, 0))
            assert [StoredRecord(r.offset, r.timestamp, r.key, r.value, r.headers or []) for r in kept] == wanted
            assert {r.timestamp_type for r in kept} <= {kind}
            part = export.part(topic.name, partition)
            assert (part.low, part.end) == source.bounds(topic.name, partition)
            assert part.records == len(wanted)
    assert sum(part.records for part in export.manifest.topics[LEDGER.name]) > 1_000
    assert stat.S_IMODE(exported.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in exported.iterdir()} == {0o600}


def restored(world: World, export: Export, topic: str, partition: int, into: str) -> None:
    """Write the records of a partition to a topic of another name, from the export alone."""
    producer = Producer({"bootstrap.servers": world.broker.bootstrap})
    for r in export.records(topic, partition):
        headers: list[tuple[str, str | bytes | None]] = [*(r.headers or [])]
        producer.produce(into, r.value, key=r.key, partition=0, timestamp=r.timestamp, headers=headers)
        producer.poll(0)
    assert producer.flush(30) == 0


def test_a_topic_is_restored_from_it(world: World, exported: Path) -> None:
    """What is written back to a broker is what was there, but for the offsets that transaction markers took."""
    export, source = open_export(exported), KafkaSource(world.broker.bootstrap)
    partition = world.market("default").partition
    admin = AdminClient({"bootstrap.servers": world.broker.bootstrap})
    admin.create_topics([NewTopic("restored-ledger", 1, 1)])["restored-ledger"].result(30)
    restored(world, export, LEDGER.name, partition, "restored-ledger")
    assert [r[1:] for r in source.read("restored-ledger", 0, 0)] == [
        r[1:] for r in source.read(LEDGER.name, partition, 0)
    ]


def counts(text: str) -> dict[str, str]:
    """The lines of a report that count something."""
    return dict(COUNTED.findall(text))


def test_verify_says_the_same_of_both(world: World, exported: Path, tmp_path: Path) -> None:
    """The export is verified with the operator's public key and nothing else: the same is compared, and sound."""
    kafka = contractnet(*place(world), "verify", "--quiet")
    assert kafka.returncode == 0, kafka.stdout + kafka.stderr
    key = ("--operator-key", world.operator.public.hex())
    nowhere = ("--bootstrap", "127.0.0.1:1")
    with_tables = contractnet(*nowhere, "--data", world.data, "verify", "--from", exported, *key, "--quiet")
    assert with_tables.returncode == 0, with_tables.stdout + with_tables.stderr
    assert "sound: 0 divergences" in with_tables.stdout
    assert counts(with_tables.stdout) == counts(kafka.stdout)
    alone = contractnet(*nowhere, "verify", "--from", exported, *key, env={"HOME": str(tmp_path)})
    assert alone.returncode == 0, alone.stdout + alone.stderr
    wanted = {name: count for name, count in counts(kafka.stdout).items() if not name.startswith("duckdb")}
    assert counts(alone.stdout) == wanted


def test_verify_names_the_file(world: World, exported: Path) -> None:
    """A changed file ends with 1, and says which."""
    [first, *_] = sorted(exported.glob("notices-*"))
    data = first.read_bytes()
    first.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    try:
        done = contractnet("verify", "--from", exported, "--operator-key", world.operator.public.hex())
        assert done.returncode == 1
        assert f"the file {first.name} was changed" in done.stderr
        again = contractnet("replay", "--from", exported, "--into", exported.parent / "never.duckdb")
        assert again.returncode == 1
        assert f"the file {first.name} was changed" in again.stderr
        assert not (exported.parent / "never.duckdb").exists()
    finally:
        first.write_bytes(data)
    done = contractnet("export", "--avro", exported, "--bootstrap", world.broker.bootstrap)
    assert done.returncode == 1
    assert "overwrites nothing" in done.stderr


def everything(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables and views, but for what tells of the publication itself."""
    with duckdb.connect(str(file), read_only=True) as connection:
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY ALL"
        names = [name for (name,) in connection.execute(listed).fetchall()]
        meta = "SELECT * EXCLUDE (published_at, generation) FROM meta ORDER BY ALL"
        return {
            name: connection.execute(meta if name == "meta" else f"FROM {name} ORDER BY ALL").fetchall()
            for name in names
        }


def test_a_replay_equals_the_live_projection(world: World, exported: Path, tmp_path: Path) -> None:
    """Table by table and view by view, from the export and from Kafka; the file is asked as any other."""
    live = everything((world.data / "ledger.duckdb").resolve())
    assert sum(bool(rows) for rows in live.values()) > 10
    past = tmp_path / "past" / "ledger.duckdb"
    done = contractnet("replay", "--from", exported, "--into", past)
    assert done.returncode == 0, done.stdout + done.stderr
    assert everything(past) == live
    assert stat.S_IMODE(past.stat().st_mode) == 0o600
    assert list(past.parent.iterdir()) == [past]
    asked = contractnet("--data", past.parent, "query", "SELECT count(*) FROM awards", "--csv")
    assert asked.stdout.split()[-1] == str(len(live["awards"]))
    done = contractnet(*place(world), "replay", "--into", tmp_path / "kafka.duckdb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert everything(tmp_path / "kafka.duckdb") == live
    again = contractnet("replay", "--from", exported, "--into", past)
    assert again.returncode == 1
    assert "overwrites nothing" in again.stderr


def test_other_terms_are_the_same_from_both(world: World, exported: Path) -> None:
    """`replay --set` judges the commands of an export as those on Kafka; the export needs the operator's key alone."""
    told = contractnet(*place(world), "replay", "--set", "pricing=FIRST", "--quiet")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "market 'default', as it was and with pricing=FIRST" in told.stdout
    assert "with the change only" in told.stdout
    key = ("--operator-key", world.operator.public.hex())
    alone = contractnet("--bootstrap", "127.0.0.1:1", "replay", "--set", "pricing=FIRST", "--from", exported, *key)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert alone.stdout.splitlines()[:-1] == told.stdout.splitlines()[:-1]
    neither = contractnet("replay")
    assert neither.returncode == 2
    assert "either --into FILE or --set" in neither.stderr
    offset = contractnet("replay", "--set", "pricing=FIRST", "--from", exported, *key, "--until", "15")
    assert offset.returncode == 2
    assert "an offset of the ledger says nothing" in offset.stderr


def test_ctrl_c(world: World, tmp_path: Path) -> None:
    """An export that is interrupted ends with 130, without a traceback, and leaves nothing."""
    running = start(*place(world), "export", "--avro", tmp_path / "export")
    give_up_at_s = time.monotonic() + 60
    while not list(tmp_path.glob(".export.*.partial/*.avro")) and time.monotonic() < give_up_at_s:
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGINT)
    told, _ = running.communicate(timeout=20)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_market_that_never_rests(world: World) -> None:
    """Cuts that are made while a worker answers commands all the time are consistent: what lies below each is sound,
    and no notice is without its entry."""
    source = KafkaSource(world.broker.bootstrap)
    with restless(world, pause_s=0.03, records=100) as market:
        cuts = [KafkaTopics(source).capture() for _ in range(6)]
    stored = {t.name: [list(source.read(t.name, p, 0)) for p in range(PARTITIONS)] for t in TOPICS}
    ends = [cut[NOTICES.name][market.partition][1] for cut in cuts]
    assert ends == sorted(set(ends)), "there was more each time"
    for cut in cuts:
        below = {
            name: [[r for r in records if r.offset < cut[name][p][1]] for p, records in enumerate(partitions)]
            for name, partitions in stored.items()
        }
        report, _ = verify(MemorySource(below), Order(world.operator.public))
        assert report.sound, report.divergence
        assert report.counts["notice records compared"] == sum(map(len, below[NOTICES.name])), report.notes
