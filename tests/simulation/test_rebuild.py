"""What a writer does after an abort, step by step, on the log in memory."""

from __future__ import annotations

from confluent_kafka import KafkaError

from contractnet.topics import COMMANDS
from streams.writer import PartitionWriter
from tests.market.town import PARTITION
from tests.simulation.audit import Audit
from tests.simulation.memory import MemoryLog, MemoryProducer, failure
from tests.simulation.run import SETTINGS


def test_a_rebuild_waits_for_the_last_commit_to_show() -> None:
    """A commit is acknowledged and not visible yet; the next transaction fails before its first record. The state is
    rebuilt with the commit in it, and nothing is judged twice."""
    log = MemoryLog()
    reads: list[str] = []

    def first_record_fails(step: str, _: MemoryProducer | None) -> None:
        if step == "produce":
            log.on = lambda _step, _producer: None
            raise failure(KafkaError._STATE, "the transaction failed", abort=True)

    def late() -> bool:
        reads.append("read")
        return len(reads) > 6

    for number in range(2):
        log.append(COMMANDS.name, PARTITION, b"default", b"garbage %d" % number, [])
    first, second = log.stored(COMMANDS.name, PARTITION)
    writer = PartitionWriter(SETTINGS, PARTITION, log.as_log())
    log.is_late, log.catches_up = lambda: True, late
    assert writer.process([first], sought=0).entries == 1
    log.on = first_record_fails
    assert writer.process([second], sought=None).seek == second.offset
    assert writer.process([second], sought=second.offset).entries == 1
    log.complete()
    audit = Audit(log)
    audit.check()
    audit.compare(writer.shard)
    assert audit.unanswered() == []
    writer.close()
