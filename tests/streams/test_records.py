"""Records that client libraries cannot read do not end a worker."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from aiokafka.consumer import fetcher
from confluent_kafka import Producer

from analytics.verify import KafkaSource, Order, verify
from contractnet.codec import encode
from contractnet.envelope import open_record, readable_headers
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.topics import COMMANDS
from faults.checker import check
from faults.handmade import RawRecord, batch, bomb, gzipped, plain, record_bytes, send
from faults.world import PARTITIONS, new_world
from streams.records import ReadableRecords

GOOD = RawRecord(b"k", b"fine", ((b"h", b"1"), (b"", b"")))
BAD = RawRecord(b"k", b"bad", ((b"a", b"1"), (b"\xff\xfe", b"2")))
CUT = RawRecord(b"k", b"cut", ((b"a\0\xff", b"1"),))


def test_every_record_of_a_batch_is_read_whatever_its_headers_are_called() -> None:
    """One bad name takes the headers of its own record only; a name ends at NUL; offsets and stamps stay."""
    data = plain([GOOD, BAD, CUT]) + plain([GOOD])
    records = ReadableRecords(data)
    found = []
    while records.has_next():
        batch_ = records.next_batch()
        assert batch_ is not None
        assert batch_.validate_crc()
        found.append([(r.offset, r.value, r.headers) for r in batch_])
    whole = [("h", b"1"), ("", b"")]
    assert found == [[(0, b"fine", whole), (1, b"bad", []), (2, b"cut", [("a", b"1")])], [(0, b"fine", whole)]]
    assert records.size_in_bytes() == len(data)


def test_our_parser_agrees_with_aiokafkas() -> None:
    """On a batch that both read, record for record."""
    from aiokafka.record.memory_records import MemoryRecords

    from streams.records import parse_batch

    data = plain([GOOD, RawRecord(b"", b"", ((b"x", b"y" * 300),)), GOOD])
    fields = ("offset", "timestamp", "timestamp_type", "key", "value", "headers")
    ours = [[getattr(r, f) for f in fields] for r in parse_batch(bytearray(data))]
    theirs = [[getattr(r, f) for f in fields] for r in MemoryRecords(data).next_batch() or []]
    assert ours == theirs


def test_the_seam_in_aiokafka_is_where_it_was() -> None:
    """Its fetcher makes records by a name of its module."""
    source = Path(str(importlib.import_module("aiokafka.consumer.fetcher").__file__)).read_text("utf-8")
    assert "records = MemoryRecords(part_data[-1])" in source
    assert hasattr(fetcher, "MemoryRecords")


def test_a_name_that_ends_at_nul_is_the_same_for_every_reader() -> None:
    """confluent-kafka gives `a`, aiokafka gives `a` NUL `b`: the digest is one."""
    one = open_record(0, 0, b"k", b"v", [("a", b"1")])
    other = open_record(0, 0, b"k", b"v", [("a\0b", b"1")])
    assert one == other


def test_headers_that_cannot_be_read_are_none() -> None:
    """What confluent-kafka raises is no error here."""

    def bad() -> object:
        return b"\xff".decode()

    assert readable_headers(bad) == []
    assert readable_headers(lambda: None) == []
    assert readable_headers(lambda: [("a", b"1"), ("b", None)]) == [("a", b"1"), ("b", None)]


@pytest.mark.broker
@pytest.mark.slow
def test_no_record_that_a_broker_stores_ends_a_worker(tmp_path: Path) -> None:
    """Bad header names, batches of every codec, a bomb that the broker refuses: each answered, and the log is sound."""
    with new_world(tmp_path) as world:
        market = world.market("default")
        market.open(1)
        assert world.producer.flush(30) == 0
        worker = world.start_worker(0)
        key, place = market.name.encode(), market.partition
        value = encode(c.WithdrawBid(bytes(16)))
        sealed = market.seal(c.WithdrawBid(bytes(16)), market.agents[0])
        cut = tuple((name.encode() + b"\0\xff", held) for name, held in sealed.headers)
        odd = [
            RawRecord(key, value, BAD.headers),
            RawRecord(key, sealed.value, cut),
            RawRecord(key, b"", ((b"", b""),)),
        ]
        packed = gzipped([RawRecord(key, b"packed")] * 5)
        lying = batch(record_bytes(RawRecord(key, b"x"), 0), 2)
        answers = send(world.broker.bootstrap, COMMANDS.name, place, [plain(odd), packed, bomb(key, 1 << 24), lying])
        assert [error for error, _ in answers[:2]] == [0, 0]
        assert [error for error, _ in answers[2:]] == [10, 87], "too large when unpacked; not the records it promises"
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            client = Producer({"bootstrap.servers": world.broker.bootstrap, "compression.type": codec})
            for _ in range(20):
                client.produce(COMMANDS.name, b"z" * 1000, key=key, partition=place)
            assert client.flush(30) == 0
        last = market.send(c.WithdrawBid(b"\x01" * 16), market.agents[0])
        world.producer.flush(30)
        world.wait_for("all is answered", lambda: any(x.source.command == last for x in world.entries(market)))
        assert worker.poll() is None
        by_offset = {x.source.offset: x.event for x in world.entries(market)}
        first = answers[0][1]
        codes = [getattr(by_offset[first + n], "code", None) for n in range(2)]
        assert codes == [Code.MISSING_SIGNATURE, Code.UNKNOWN_BID]
        assert isinstance(by_offset[first + 2], e.CommandUnreadable)
        assert check(world.broker.bootstrap, place, PARTITIONS, world.operator.public).sound
        report, _ = verify(KafkaSource(world.broker.bootstrap), Order(world.operator.public))
        assert report.sound, report.lines()
