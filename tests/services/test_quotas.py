"""What a quota of Kafka's does not hold, measured on a broker with access control: docs/security.md quotes the line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer

from broker.security import USER
from contractnet.access import client_settings, load_access, role_file
from contractnet.principals import Principals
from contractnet.rights import AGENT_QUOTAS
from contractnet.topics import COMMANDS
from faults.world import guarded_world

pytestmark = [pytest.mark.broker, pytest.mark.slow]
RECORD = os.urandom(300)
BATCH = 3_000
CONNECTIONS = 10
ANSWER_S = 20.0
# No more than a batch of a megabyte, as Kafka's own default has it.
SETTINGS = {"linger.ms": 100, "batch.size": 1_000_000, "log_level": 0}


def test_a_new_connection_for_each_batch_passes_a_quota(tmp_path: Path, tell: Callable[[str], None]) -> None:
    """A quota delays what a connection sends next, not what it sends first: who connects anew for each batch stores
    many times its quota, until its user is revoked."""
    taken, refused = 0, 0

    def delivered(error: KafkaError | None, _message: Message) -> None:
        nonlocal taken, refused
        taken, refused = taken + (error is None), refused + (error is not None)

    with guarded_world(tmp_path, print) as world:
        principals = Principals(world.broker.bootstrap, load_access(role_file(tmp_path, USER)))
        (eve,) = principals.new_agents(1)

        def batch(wait_s: float) -> None:
            producer = Producer(client_settings(world.broker.bootstrap, eve) | SETTINGS)
            for _ in range(BATCH):
                producer.produce(COMMANDS.name, RECORD, b"default", 0, on_delivery=delivered)
            producer.flush(wait_s)
            producer.purge()
            producer.poll(0)

        begun = time.monotonic()
        for _ in range(CONNECTIONS):
            batch(ANSWER_S)
        took_s = time.monotonic() - begun
        assert (taken, refused) == (CONNECTIONS * BATCH, 0)
        assert world.end_of(COMMANDS.name, 0) == taken
        assert eve.user is not None
        principals.revoke(eve.user)
        batch(3.0)
        assert (taken, refused) == (CONNECTIONS * BATCH, BATCH)
        assert world.end_of(COMMANDS.name, 0) == taken
    rate, quota = taken * len(RECORD) / took_s, AGENT_QUOTAS["producer_byte_rate"]
    tell(
        f"a new connection for each batch: {CONNECTIONS} of {BATCH} records in {took_s:.1f} s, {taken / took_s:.0f} "
        f"records/s, {rate / quota:.0f} times the quota; nothing after the revocation"
    )
    assert rate > 2 * quota, "the quota holds: docs/security.md says that it does not"
