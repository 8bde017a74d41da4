"""The Faust app of the referee: `faust -A streams.app worker -l info`, or `contractnet up`.

Faust owns membership, assignment, the worker's life, timers and agents. `processing_guarantee` stays at_least_once
and there are no Faust tables: exactly once is the business of streams/writer.py (docs/decisions/0001 has the
measurements).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import faust
from aiohttp import web as aiohttp_web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from contractnet.access import own_access
from contractnet.topics import COMMANDS
from streams import clock
from streams.access import faust_credentials
from streams.batches import Feed, deliver_batches
from streams.garbage import freeze_imports
from streams.metrics import Metrics
from streams.referee import Referee, die
from streams.settings import WEB_PORT_DEFAULT, Settings
from streams.slots import Slot
from streams.sparse import make_sparse
from streams.tables import NoTables
from streams.topics import wait_for_topics

POSITIONS_INTERVAL_S = 1.0
BROKER_WAIT_S = 60.0
# Logging is 18% of Faust's CPU time even at WARN, most of it in these.
QUIET = ("aiokafka", "faust.topics", "faust.transport")

settings = Settings.from_environment()
slot = Slot.take(settings.data, settings.app_id, settings.slot)
faust_dir = settings.data / "faust" / f"{settings.app_id}-{slot.number}"
faust_dir.mkdir(parents=True, exist_ok=True)
app = faust.App(
    settings.app_id,
    broker_credentials=faust_credentials(own_access()),
    broker=f"kafka://{settings.bootstrap}".replace(",", ";kafka://"),
    consumer_group_instance_id=f"{settings.app_id}-{slot.number}",
    topic_partitions=settings.partitions,
    topic_replication_factor=settings.replication,
    topic_disable_leader=True,
    topic_allow_declare=False,
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=settings.session_timeout_s,
    broker_heartbeat_interval=min(2.0, settings.session_timeout_s / 3),
    broker_request_timeout=40.0,
    broker_commit_interval=60.0,
    broker_max_poll_records=4000,
    stream_wait_empty=False,
    web_bind="127.0.0.1",
    web_host="127.0.0.1",
    web_port=WEB_PORT_DEFAULT + slot.number if settings.web_port is None else settings.web_port,
    datadir=str(faust_dir),
    TableManager=NoTables,
)
feed = Feed(COMMANDS.name)
metrics = Metrics()
referee: Referee | None = None
deliver_batches(app, feed)
commands = app.topic(COMMANDS.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def _quieten(_app: Any, **_: Any) -> None:
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    make_sparse("aiokafka")


def the_referee() -> Referee:
    """This worker's referee, made on the event loop that it lives on."""
    global referee  # noqa: PLW0603  (Faust's decorators work on modules)
    if referee is None:
        referee = Referee(settings, feed, metrics)
    return referee


async def _revoked(_app: Any, _partitions: set[Any], **_: Any) -> None:
    await the_referee().revoked()


async def _assigned(_app: Any, assigned: set[Any], **_: Any) -> None:
    await the_referee().assigned({tp.partition for tp in assigned if tp.topic == COMMANDS.name})


@app.agent(commands)
async def subscribe(stream: Any) -> None:
    """Keeps the topic in Faust's subscription. Its records go to `feed` instead."""
    async for _ in stream:
        die(AssertionError("a record took Faust's own way"))


@app.task
async def judge() -> None:
    """Judge what the consumer fetches, a batch after the other."""
    while not app.should_stop:
        await the_referee().judge(await feed.next())


# A timer of Faust costs 4% of the interpreter at this rate.
@app.task
async def tick() -> None:
    """Send ticks for what is due."""
    while not app.should_stop:
        the_referee().tick()
        await asyncio.sleep(clock.INTERVAL_S)


@app.timer(POSITIONS_INTERVAL_S)
async def positions() -> None:
    """Publish positions and lag for monitoring."""
    if not app.rebalancing:
        await the_referee().publish_positions(app.consumer)


@app.page("/health")
async def health(view: Any, _request: Any) -> Any:
    """200 once the worker owns its partitions and has restored them, with its positions; 503 before."""
    r = the_referee()
    found = {str(p): w.position for p, w in sorted(r.writers.items())}
    body = {"status": "ready" if r.ready else "starting", "slot": slot.number, "next_offset": found}
    return view.json(body, status=200 if r.ready else 503)


@app.page("/metrics")
async def prometheus(_view: Any, _request: Any) -> Any:
    """The Prometheus exposition of this worker."""
    return aiohttp_web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _wait_for_broker(_app: Any, **_: Any) -> None:
    """A worker that starts while the broker is away waits for it; Faust would end at once."""
    wait_for_topics(settings.bootstrap, BROKER_WAIT_S)


def _share_evenly(_app: Any, **_: Any) -> None:
    """No standby replicas, of which there are no tables: with some, Faust's assignor lets two workers keep half of the
    partitions each and gives a third one none. Asked for by its setting, there would be another assignor."""
    app.assignor.replicas = 0


async def _leave(_app: Any, **_: Any) -> None:
    """A worker that is told to stop hands its partitions over at once; one that crashes keeps them for its restart."""
    the_referee().close()
    signals.consumer._thread.leave_group_on_close()


signals: Any = app  # Faust types what a signal may call so narrowly that its own examples fail
signals.on_before_configured.connect(_quieten)
signals.on_worker_init.connect(_wait_for_broker)
signals.on_worker_init.connect(_share_evenly)
signals.on_partitions_revoked.connect(_revoked)
signals.on_partitions_assigned.connect(_assigned)
signals.on_before_shutdown.connect(_leave)

# Looking the imported modules over for cycles took 14% of the time of a busy worker.
freeze_imports()
