"""Snapshots shorten a restore and never decide it."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from contractnet.codec import decode_entry
from contractnet.messages import events as e
from contractnet.topics import LEDGER, MESSAGE_BYTES_MAX, SNAPSHOTS
from market.rules import RULES
from market.snapshot import dump, load
from streams.log import Log
from streams.reading import read_partition
from streams.restore import Restored, empty_shard, fold_record, restore
from streams.snapshots import GENERATIONS, Manifest, read_snapshots, write_snapshot
from streams.snapshotter import IDLE_S, Follower, Snapshotter
from tests.integration.world import PARTITIONS, Market, World
from tests.streams.driving import busy_market, judge_all, settings_of


@pytest.fixture(scope="module")
def market(world: World) -> Market:
    """A market with a ledger."""
    busy = busy_market(world, "default", cfps=50)
    judge_all(world, busy.partition)
    return busy


def fold(world: World, market: Market) -> Restored:
    return restore(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public)


@pytest.fixture
def producer(world: World) -> Producer:
    return Producer({"bootstrap.servers": world.broker.bootstrap})


def test_canonical_bytes_survive_a_round_trip(world: World, market: Market) -> None:
    """Loading a dump and dumping it again gives the same bytes, and the loaded shard is as sound as the first."""
    shard = fold(world, market).shard
    other = empty_shard(market.partition, PARTITIONS, world.operator.public)
    load(other, dump(shard))
    assert dump(other) == dump(shard)
    assert other.markets[market.name].agenda[:1] == shard.markets[market.name].agenda[:1]


def test_a_snapshot_saves_the_fold_and_gives_the_same_state(world: World, market: Market, producer: Producer) -> None:
    """With a snapshot of the whole ledger nothing is folded; the state is the same."""
    before = fold(world, market)
    assert before.snapshot is None
    assert before.entries > 500
    write_snapshot(producer, before.shard, 0, before.ledger_next - 1)
    after = fold(world, market)
    assert (after.snapshot, after.entries) == (0, 0)
    assert dump(after.shard) == dump(before.shard)


def test_a_snapshot_inside_a_close_gives_the_same_state(world: World, market: Market) -> None:
    """The snapshotter stops after any entry, also between those of one award, where some holds are resolved while
    their bids are still there: from each such place the rest of the ledger leads to the same state."""
    time.sleep(0.2)  # longer than the calls of the busy market are open: the next command closes them
    market.call(open_ms=60_000)
    world.producer.flush(10)
    judge_all(world, market.partition)
    records = world.ledger(market.partition)
    end = fold(world, market).shard
    inside = (e.AwardMade, e.SlotReserved, e.HoldCaptured, e.HoldReleased, e.BidRejected)
    places = [i for i, r in enumerate(records) if isinstance(decode_entry(r.value).event, inside)][:15]
    assert len(places) == 15
    shard = empty_shard(market.partition, PARTITIONS, world.operator.public)
    for i, record in enumerate(records[: places[-1] + 1]):
        fold_record(shard, record)
        if i in places:
            other = empty_shard(market.partition, PARTITIONS, world.operator.public)
            load(other, dump(shard))
            for later in records[i + 1 :]:
                fold_record(other, later)
            assert dump(other) == dump(end)
            assert other.markets[market.name].accounts == end.markets[market.name].accounts


@pytest.mark.parametrize(
    "damage", ["chunk flipped", "chunk lost", "state edited", "manifest garbled", "chain of another ledger"]
)
def test_a_bad_snapshot_falls_back(world: World, market: Market, producer: Producer, damage: str) -> None:
    """A damaged or foreign newest snapshot is passed over for the older one, and the state is the same."""
    whole = fold(world, market)
    state = dump(whole.shard)
    number = 1 + max((m.number for m, _ in read_snapshots(world.broker.bootstrap, market.partition)), default=0)
    if damage == "chain of another ledger":
        other = empty_shard(market.partition, PARTITIONS, world.operator.public)
        load(other, state)
        other.head = bytes(32)
        manifest = write_snapshot(producer, other, number, whole.ledger_next - 1)
    else:
        manifest = write_snapshot(producer, whole.shard, number, whole.ledger_next - 1)
        key = f"{manifest.generation}/{'manifest' if damage == 'manifest garbled' else 0}"
        bad = {
            "chunk flipped": b"\x00garbage",
            "chunk lost": None,
            "state edited": b"x\x9c",
            "manifest garbled": b'{"generation": 1',
        }[damage]
        producer.produce(SNAPSHOTS.name, bad, key=key, partition=market.partition)
        producer.flush(10)
    restored = fold(world, market)
    assert restored.snapshot != manifest.number
    assert dump(restored.shard) == state


def _truncated(packed: bytes) -> bytes:
    return packed[:-9]


def _flipped(packed: bytes) -> bytes:
    return packed[:20] + bytes([packed[20] ^ 1]) + packed[21:]


def _edited(packed: bytes) -> bytes:
    """Whole and readable, and of another state: only the hash in the manifest tells."""
    state = zlib.decompress(packed)
    return zlib.compress(state.replace(b"agent-0", b"agent-9", 1), level=1)


def _gone(_packed: bytes) -> None:
    return None


@pytest.mark.parametrize("damages", [(_truncated, _flipped), (_edited, _edited), (_gone, _gone)])
def test_without_any_sound_snapshot_the_ledger_is_folded(
    world: World,
    market: Market,
    producer: Producer,
    damages: tuple[Callable[[bytes], bytes | None], ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All snapshots of a partition are bad: a restore says so, and comes to the state of the fold from the start."""
    records = world.ledger(market.partition)
    folded = empty_shard(market.partition, PARTITIONS, world.operator.public)
    for record in records:
        fold_record(folded, record)
    for number in (100, 101):
        write_snapshot(producer, folded, number, records[-1].offset)
    assert (fold(world, market).snapshot, len(damages)) == (101, GENERATIONS)
    packed = zlib.compress(dump(folded), level=1)
    for generation, damage in enumerate(damages):
        producer.produce(SNAPSHOTS.name, damage(packed), key=f"{generation}/0", partition=market.partition)
    assert producer.flush(10) == 0
    with caplog.at_level(logging.INFO, "streams.restore"):
        restored = fold(world, market)
    assert restored.snapshot is None
    assert restored.entries == len(records)
    assert "after no snapshot" in caplog.text
    assert (dump(restored.shard), restored.shard.head) == (dump(folded), folded.head)
    assert restored.ledger_next == records[-1].offset + 1


def _of_another_partition(state: bytes) -> bytes:
    plain = json.loads(state)
    return json.dumps(plain | {"partition": plain["partition"] + 1}).encode()


def _of_another_head(state: bytes) -> bytes:
    return json.dumps(json.loads(state) | {"head": bytes(32).hex()}).encode()


def _without_accounts(state: bytes) -> bytes:
    plain = json.loads(state)
    for each in plain["markets"]:
        each["accounts"] = []
    return json.dumps(plain).encode()


def _nested(_state: bytes) -> bytes:
    return b"[" * 100_000


def _cut(state: bytes) -> bytes:
    return state[:-2]


def _of_one_number(_state: bytes) -> bytes:
    return b"7"


@pytest.mark.parametrize(
    "damage", [_cut, _of_one_number, _nested, _without_accounts, _of_another_partition, _of_another_head]
)
def test_a_snapshot_that_does_not_load_falls_back(
    world: World, market: Market, producer: Producer, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Its hash and its place in the ledger are right: what was written is no state. The older one is taken, and where
    that is none either, the ledger from its start; each is told once."""
    records = world.ledger(market.partition)
    folded = empty_shard(market.partition, PARTITIONS, world.operator.public)
    for record in records:
        fold_record(folded, record)
    state = dump(folded)
    for number, good in ((200, True), (201, False)):
        _put(producer, market.partition, number, records[-1].offset, folded.head, state if good else damage(state))
    with caplog.at_level(logging.INFO, "streams.restore"):
        restored = fold(world, market)
    assert (restored.snapshot, dump(restored.shard)) == (200, state)
    assert caplog.text.count("snapshot 201 ") == 1
    _put(producer, market.partition, 200, records[-1].offset, folded.head, damage(state))
    restored = fold(world, market)
    assert (restored.snapshot, restored.entries, dump(restored.shard)) == (None, len(records), state)


def _put(producer: Producer, partition: int, number: int, offset: int, head: bytes, state: bytes) -> None:
    """A snapshot as `write_snapshot` writes it, of any bytes."""
    promised = hashlib.sha256(state).hexdigest()
    manifest = Manifest(number % GENERATIONS, number, 1, offset, head.hex(), max(RULES), promised)
    written = {"0": zlib.compress(state), "manifest": json.dumps(asdict(manifest)).encode()}
    for name, value in written.items():
        producer.produce(SNAPSHOTS.name, value, key=f"{manifest.generation}/{name}", partition=partition)
    assert producer.flush(10) == 0


def _take_at_most(world: World, size: int) -> None:
    """Have the broker refuse larger records of snapshots."""
    value = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, SNAPSHOTS.name, incremental_configs=[value])
    admin = AdminClient({"bootstrap.servers": world.broker.bootstrap})
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(20)


def test_a_chunk_that_the_broker_refuses_gets_no_manifest(
    world: World, market: Market, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing waits after it, as if it were stored. The log says so, and the snapshot is written at its next time."""
    whole = fold(world, market)
    write_snapshot(producer, whole.shard, 300, whole.ledger_next - 1)
    now_s = [1_000.0]
    snapshotter = Snapshotter(settings_of(world), Log(Producer, read_partition, lambda: now_s[0]), entries=1)
    snapshotter.restore()
    for _ in range(2):
        market.call(open_ms=60_000)
    world.producer.flush(10)
    judge_all(world, market.partition)
    for record in list(read_partition(world.broker.bootstrap, LEDGER.name, market.partition, whole.ledger_next)):
        snapshotter.take(market.partition, record)

    def manifests() -> list[int]:
        """The newest of each generation, sound or not."""
        kept = {r.key: r.value for r in read_partition(world.broker.bootstrap, SNAPSHOTS.name, market.partition, 0)}
        return [json.loads(value)["number"] for key, value in kept.items() if key.endswith(b"/manifest")]

    _take_at_most(world, 1_000)
    with caplog.at_level(logging.WARNING, "streams.snapshotter"):
        snapshotter.snapshot_due()
    assert max(manifests()) == 300
    assert caplog.text.count("snapshot 301 is not written") == 1
    assert fold(world, market).snapshot == 300
    _take_at_most(world, MESSAGE_BYTES_MAX)
    snapshotter.snapshot_due()
    assert max(manifests()) == 300, "the next time has not come"
    now_s[0] += IDLE_S + 1
    snapshotter.snapshot_due()
    assert max(manifests()) == 301
    assert (fold(world, market).snapshot, fold(world, market).entries) == (301, 0)


def test_the_snapshotter_writes_what_a_worker_restores(world: World, market: Market) -> None:
    """The process itself, told to write early: a snapshot of the newest ledger appears, and ends well on SIGTERM."""
    process = world.start("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES="100")
    more = [market.call(open_ms=60_000) for _ in range(100)]
    world.producer.flush(10)
    judge_all(world, market.partition)
    end = fold(world, market)
    assert len(more) == 100

    def newest() -> int:
        found = read_snapshots(world.broker.bootstrap, market.partition)
        return found[0][0].ledger_offset if found else -1

    world.wait_for("a snapshot near the ledger's end", lambda: newest() >= end.ledger_next - 150)
    restored = fold(world, market)
    assert restored.entries <= 150
    assert dump(restored.shard) == dump(end.shard)
    process.terminate()
    assert process.wait(20) == 0


def test_snapshots_take_a_twentieth_of_the_time_at_most() -> None:
    """A snapshot is due after so many entries, but not before twenty times as long has passed as the last one took; and
    after a little and then silence."""
    shard = empty_shard(0, 4, bytes(32))
    follower = Follower(shard, 0, 1, since=4_000, last_at=100.0, took_s=0.5)
    assert not follower.is_due(109.9, 4_000)
    assert follower.is_due(110.0, 4_000)
    follower.took_s = 0.0
    assert follower.is_due(100.0, 4_000)
    follower.since = 3_999
    assert not follower.is_due(130.0, 4_000)
    assert follower.is_due(130.1, 4_000)
    follower.since = 999
    assert not follower.is_due(1_000.0, 4_000)
