"""The other peer: Faust's own `exactly_once`, doing less. `faust -A benchmarks.faust_eos worker`.

It counts each sender's commands in a Faust table and sends one event a command, in Faust's transactions: no rules, no
signatures, no decoding, no awards. The ledger topic gets as many records as there are commands. Under faults it loses
and doubles some of them (docs/decisions/0001); here only its speed counts.
"""

from __future__ import annotations

import os
from typing import Any

import faust

from contractnet.topics import COMMANDS, LEDGER

COMMIT_INTERVAL_S = 0.1
"""The interval with which it was fastest: Faust's default of 2.8 s keeps transactions open for longer."""

app = faust.App(
    "faust-exactly-once",
    broker=f"kafka://{os.environ['CONTRACTNET_BOOTSTRAP']}",
    processing_guarantee="exactly_once",
    topic_partitions=4,
    topic_replication_factor=1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=COMMIT_INTERVAL_S,
    stream_wait_empty=False,
    web_enabled=False,
    store="memory://",
    datadir=f"{os.environ['CONTRACTNET_DATA']}/faust-exactly-once",
)
RAW: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
commands = app.topic(COMMANDS.name, **RAW)
ledger = app.topic(LEDGER.name, **RAW)
counts: Any = app.Table("counts", default=int, partitions=4, key_type=str)


@app.agent(commands)
async def count(stream: Any) -> None:
    """One table update and one event a command."""
    async for event in stream.events():
        counts[event.message.key.decode()] += 1
        await ledger.send(key=event.message.key, value=event.value)


@app.agent(ledger)
async def subscribe(stream: Any) -> None:
    """Faust makes transactional producers only for partitions of topics that it consumes."""
    async for _ in stream:
        pass
