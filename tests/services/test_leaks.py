"""What an agent's credential tells of others' commands, measured on a real broker: docs/security.md quotes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from broker.security import USER
from contractnet.access import Access, client_settings, load_access, role_file
from contractnet.codec import decode_notice
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.principals import Principals
from contractnet.rights import NOTICES_GROUP
from contractnet.sealing import open_notice, tag_of
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS, TOPICS
from contractnet.watermarks import watermarks
from faults.hostile.attempts import read
from faults.world import World, guarded_world
from streams.reading import new_consumer
from streams.writer import PartitionWriter
from tests.integration.records import Stored, stored
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, PARTITION, PARTITIONS, Town, bid, call, key_pair, small_town
from tests.market.town import inbox_key as inbox_key_of
from tests.streams.driving import settings_of

pytestmark = [pytest.mark.broker, pytest.mark.slow]
BOB = key_pair("bob")
FORBIDDEN = "TOPIC_AUTHORIZATION_FAILED"
COMMANDS_HERE, NOTICES_HERE = (TopicPartition(topic.name, PARTITION) for topic in (COMMANDS, NOTICES))
PAUSES_MS = (0, 1, 3, 7, 20, 45)


@dataclass(frozen=True, slots=True)
class Stage:
    """A guarded broker with the market's topics; this process reads as the referee."""

    world: World
    administrator: Access
    ann: Access
    bob: Access

    def again(self) -> None:
        """All topics anew and empty; the broker takes the stamps of a test's clock, or no two runs had the same."""
        admin = AdminClient(client_settings(self.world.broker.bootstrap, self.administrator))
        for deleted in admin.delete_topics([topic.name for topic in TOPICS]).values():
            deleted.result(20)
        more = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**62)}
        wanted = [NewTopic(topic.name, PARTITIONS, 1, config=topic.config | more) for topic in TOPICS]
        for created in admin.create_topics(wanted).values():
            created.result(20)
        referee = new_consumer(self.world.broker.bootstrap)
        for topic in TOPICS:
            watermarks(referee, TopicPartition(topic.name, PARTITION))
        referee.close()

    def writer(self) -> PartitionWriter:
        """The real one."""
        return PartitionWriter(replace(settings_of(self.world), operator_key=OPERATOR.public), PARTITION)

    def consumer_of_ann(self) -> Consumer:
        """What her credential reads with."""
        more = {**self.ann.settings, "group.id": NOTICES_GROUP, "log_level": 2}
        return new_consumer(self.world.broker.bootstrap, **more)

    def producers(self) -> dict[bytes, Producer]:
        """The agents' own, by their signing keys."""
        address = self.world.broker.bootstrap
        users = {ANN.public: self.ann, BOB.public: self.bob}
        return {key: Producer(client_settings(address, access) | {"linger.ms": 0}) for key, access in users.items()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all tests here."""
    folder = tmp_path_factory.mktemp("leaks")
    with guarded_world(folder, print) as world:
        administrator = load_access(role_file(folder, USER))
        ann, bob = Principals(world.broker.bootstrap, administrator).new_agents(2)
        yield Stage(world, administrator, ann, bob)


def send(stage: Stage, town: Town, producers: dict[bytes, Producer], start: int = 0) -> None:
    """Put a town's records on the wire, each by its author's user and with the stamp of the town's clock."""
    for (key, value, headers), answer in zip(town.records[start:], town.answers[start:], strict=True):
        author = dict(headers).get("key", b"")
        producer = producers.get(author, stage.world.producer)
        stamp = answer.submission.stamped_at_ms
        producer.produce(COMMANDS.name, value, key=key, headers=list(headers), partition=PARTITION, timestamp=stamp)
        assert producer.flush(20) == 0


Wire = tuple[int, int, bytes, object, bytes]
"""A record as stored: offset, stamp, key, headers, value."""


def read_all(consumer: Consumer, place: TopicPartition) -> list[Wire]:
    """All records that are there now."""
    consumer.assign([TopicPartition(place.topic, place.partition, 0)])
    found: list[Wire] = []
    while True:
        for message in consumer.consume(1000, 1.0):
            error = message.error()
            if error is None:
                place_of = message.offset() or 0, message.timestamp()[1], message.key() or b""
                found.append((*place_of, message.headers(), message.value() or b""))
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
            else:
                raise KafkaException(error)


def bisected(consumer: Consumer, offset: int, low_ms: int, high_ms: int) -> tuple[int, int]:
    """The stamp of the command at an offset, by asking which command is the first at or after a time; and how many
    questions it took. It was stamped after `low_ms` and not after `high_ms`."""
    asked = 0
    while high_ms - low_ms > 1:
        middle_ms = (low_ms + high_ms) // 2
        (answer,) = consumer.offsets_for_times([TopicPartition(COMMANDS.name, PARTITION, middle_ms)], timeout=10)
        asked += 1
        # The end is -1: nothing was stamped as late.
        if answer.offset < 0 or answer.offset > offset:
            high_ms = middle_ms
        else:
            low_ms = middle_ms
    return low_ms, asked


def walked(admin: AdminClient, begin_ms: int, end: int) -> tuple[list[int], int]:
    """The stamps of all commands from a time on: the broker's answer holds the stamp of the command that it finds."""
    stamps: list[int] = []
    place, first, asked, at_ms = TopicPartition(COMMANDS.name, PARTITION), -1, 0, begin_ms
    while True:
        found = admin.list_offsets({place: OffsetSpec.for_timestamp(at_ms)})[place].result(10)
        asked += 1
        offset = end if found.offset < 0 else found.offset
        if first < 0:
            first = offset
        # All between two answers share the stamp of the first.
        stamps += [at_ms - 1] * (offset - first - len(stamps))
        if found.offset < 0:
            return stamps, asked
        at_ms = found.timestamp + 1


def test_an_agent_learns_when_and_how_many_commands_others_send(stage: Stage, tell: Callable[[str], None]) -> None:
    """The number of bob's commands and the broker's stamp of each, to the millisecond, before anything is judged; the
    receipts tell the same once it is. Nothing of what is in them, and nothing of ledger and snapshots."""
    town, _ = small_town("ann", "bob")
    producers, consumer = stage.producers(), stage.consumer_of_ann()
    admin = AdminClient(client_settings(stage.world.broker.bootstrap, stage.ann) | {"log_level": 0})
    try:
        send(stage, town, producers)
        # A millisecond apart from the setup's stamps and from the first bid's.
        time.sleep(0.01)
        setup, begin_ms = len(town.records), int(time.time() * 1000)
        time.sleep(0.01)
        cfp = town.cfp()
        for number in range(40):
            first = len(town.records)
            town.send(bid(cfp, 20 + number), BOB)
            time.sleep(PAUSES_MS[number % len(PAUSES_MS)] / 1000)
            send(stage, town, producers, first)
        end = watermarks(consumer, COMMANDS_HERE)[1]
        assert end == setup + 40
        true = [record.timestamp for record in stored(stage.world.broker.bootstrap, PARTITION)][setup:]
        now_ms = int(time.time() * 1000) + 1
        by_bisection = [bisected(consumer, offset, begin_ms, now_ms) for offset in range(setup, end)]
        assert [stamp for stamp, _ in by_bisection] == true
        by_walking, asked = walked(admin, begin_ms, end)
        assert by_walking == true
        # All in one batch, long after: what the receipts tell is when the commands came.
        stage.writer().process(stored(stage.world.broker.bootstrap, PARTITION), sought=None)
        heard = read_all(consumer, NOTICES_HERE)
        receipts = [stamp for _, stamp, *_, value in heard if isinstance(decode_notice(value), n.Receipt)][setup:]
        assert receipts == true
        for topic in (COMMANDS, LEDGER, SNAPSHOTS):
            assert read(stage.world.broker.bootstrap, stage.ann, topic.name, NOTICES_GROUP) == FORBIDDEN
    finally:
        consumer.close()
    gaps = [later - earlier for earlier, later in pairwise(true)]
    tell(
        f"of 40 commands of another agent: number 40, broker's stamps 40 exact by {sum(a for _, a in by_bisection)} "
        f"questions of bisection, 40 by {asked} that return stamps; spacing of its receipts {min(gaps)} to {max(gaps)} "
        f"ms, 39 of 39 as sent"
    )


def story(price_ucr: int) -> tuple[Town, int]:
    """A call on which bob bids this and, withdrawn, one more; how many records come before the deadline's tick."""
    town, ids = small_town("ann", "bob")
    cfp = town.send(call(open_ms=1_000), MANAGER).id
    town.bid(cfp, "ann", 50)
    town.at_ms += 7
    first = town.bid(cfp, "bob", price_ucr)
    # What bob is told of his balance now depends on what he holds.
    town.send(c.IssueCredits(ids["bob"], 7, ""), BANK)
    town.at_ms += 11
    town.send(c.WithdrawBid(first.id), BOB)
    town.bid(cfp, "bob", price_ucr + 1)
    town.send(c.IssueCredits(ids["ann"], 7, ""), BANK)
    town.at_ms += 981
    town.tick()
    town.at_ms += 1
    assert cfp in town.state.cfps
    town.tick()
    return town, len(town.records) - 1


def judge(stage: Stage, records: Sequence[Stored]) -> None:
    """Have those of these records judged that were not, each in a transaction of its own, and return once the answers
    can be read."""
    writer = stage.writer()
    for record in records:
        assert writer.process([record], sought=None).seek is None
    # A commit may be seen a moment later; the next writer waits for that.
    stage.writer()


def seen_by_ann(records: Sequence[Wire], town: Town) -> list[object]:
    """The notices as stored, with what she can read in place of the value: of another's box what is outside it."""
    seen: list[object] = []
    mine = inbox_key_of("ann")
    for *stored_as, value in records:
        notice = decode_notice(value)
        readable: object = value
        if isinstance(notice, n.SealedNotice):
            if notice.tag == tag_of(mine, notice.nonce):
                readable = open_notice(notice, mine, town.genesis_hash, town.market)
            else:
                readable = (notice.tag, notice.nonce, len(notice.box))
        seen.append((stored_as, readable))
    return seen


def boxes(records: Sequence[Wire]) -> list[int]:
    """The sizes of the sealed ones, in order."""
    notices = [decode_notice(value) for *_, value in records]
    return [len(notice.box) for notice in notices if isinstance(notice, n.SealedNotice)]


def test_what_another_bids_changes_nothing_that_an_agent_reads(stage: Stage, tell: Callable[[str], None]) -> None:
    """Two runs through the real writer that differ in bob's prices alone: on the wire ann reads the same bytes until
    the close, at the same offsets with the same stamps; at it as many boxes of the same sizes."""
    runs: list[tuple[list[object], list[object]]] = []
    wire: list[tuple[list[Wire], list[Wire]]] = []
    for price_ucr in (20, 80):
        stage.again()
        town, open_records = story(price_ucr)
        send(stage, town, stage.producers())
        records, consumer = stored(stage.world.broker.bootstrap, PARTITION), stage.consumer_of_ann()
        try:
            judge(stage, records[:open_records])
            told = read_all(consumer, NOTICES_HERE)
            judge(stage, records)
            closing = read_all(consumer, NOTICES_HERE)[len(told) :]
        finally:
            consumer.close()
        wire.append((told, closing))
        runs.append((seen_by_ann(told, town), seen_by_ann(closing, town)))
    (before, after), (before_other, after_other) = runs
    assert before == before_other
    differing = sum(one != other for one, other in zip(wire[0][0], wire[1][0], strict=True))
    assert differing, "nothing that depends on the price was sent: the comparison would be empty"
    assert after != after_other, "who wins depends on the price"
    assert boxes(wire[0][1]) == boxes(wire[1][1])
    size = sum(len(value) for *_, value in wire[0][0])
    tell(
        f"two runs that differ in another's bids: {len(before)} notices of {size} bytes until the close, all the same "
        f"to an agent, {differing} box of another's different inside; at the close {len(boxes(wire[0][1]))} boxes of "
        f"{boxes(wire[0][1])[0]} bytes in both"
    )
