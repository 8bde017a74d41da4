"""`contractnet status`: the parts, their health, their lag, and the age of what readers see."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaException, TopicPartition
from rich.text import Text

import analytics
from broker.jvm import running_bootstrap
from broker.ready import wait_until_ready
from contractnet.access import client_settings
from contractnet.cli.directory import DataDirectory
from contractnet.errors import QueryError
from contractnet.rights import STATUS_GROUP
from contractnet.settings import BOOTSTRAP_ENV
from contractnet.terminal import printable
from contractnet.topics import LEDGER
from services import state
from services.part import answers_ready
from services.table import command, console, parts_table, where

_TIMEOUT_S = 2.0
_LAG_METRIC = "contractnet_commands_lag{"


def show(directory: DataDirectory, bootstrap: str | None = None) -> int:
    """Print the status. The exit code: 0 where all runs and is healthy, else 1.

    `bootstrap`: the broker to ask; without it the one that `up` has noted. Raises BrokerUnreachableError where that
    very broker was asked for and does not answer.
    """
    directory.check()
    if bootstrap is not None:
        wait_until_ready(bootstrap, _TIMEOUT_S)
    noted = state.read(directory)
    pid = state.running_pid(directory)
    if noted is None or pid is None:
        broker = running_bootstrap(directory.path)
        elsewhere = bootstrap or os.environ.get(BOOTSTRAP_ENV)
        if elsewhere is None:
            print(f"no market runs in {directory.path}; {command(directory)} up starts one")
        else:
            print(
                f"no `contractnet up` runs in {directory.path}: a market at {elsewhere} was started by other means, "
                f"which watch its parts (`docker compose ps`)"
            )
        if broker is not None:
            print(f"the broker alone runs at {broker}; {command(directory)} broker stop ends it")
        if noted is not None:
            print(f"an earlier `up` was killed and may have left processes behind; {command(directory)} down ends them")
        return 1
    address = bootstrap or noted.bootstrap
    ends = ledger_ends(address, noted.partitions)
    table = parts_table()
    healthy = ends is not None and noted.ready
    broker_pid = str(noted.broker_pid or "")
    table.add_row(
        "Kafka", broker_pid, _mark(ends is not None, "answers", "no answer"), "", "", Text(printable(address))
    )
    for part in noted.parts:
        alive = state.process_of(part.pid, part.created_s) is not None
        well = ends is not None and alive and (part.web_port is None or answers_ready(part.web_port))
        healthy = healthy and well
        lag = _lag(directory, part, ends)
        # Without Kafka nothing gets on, whatever a process says of itself.
        ill = "no Kafka" if ends is None else "not ready"
        health = _mark(well, "healthy", ill if alive else part.status if part.pid is None else "gone")
        place = Text(printable(where(part.web_port, part.log)))
        table.add_row(part.name, str(part.pid or ""), health, lag, str(part.restarts), place)
    uptime = time.time() - noted.started_s
    ready = "Kafka does not answer" if ends is None else "ready" if noted.ready else "starting"
    screen = console()
    screen.print(f"market {noted.market!r}: {ready}, up for {uptime:.0f} s (pid {pid})", markup=False)
    screen.print(table)
    screen.print(_freshness(directory), markup=False)
    screen.print(f"logs: {directory.logs}", markup=False, soft_wrap=True)
    return 0 if healthy else 1


def ledger_ends(bootstrap: str, partitions: int) -> list[int] | None:
    """The end offset of each ledger partition, None where the broker does not answer."""
    consumer = Consumer(client_settings(bootstrap) | {"group.id": STATUS_GROUP, "log_level": 0})
    try:
        places = [TopicPartition(LEDGER.name, p) for p in range(partitions)]
        return [consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)[1] for place in places]
    except KafkaException:
        return None
    finally:
        consumer.close()


def _mark(good: bool, yes: str, no: str) -> Text:
    return Text(yes, "green") if good else Text(no, "red")


def _lag(directory: DataDirectory, part: state.PartState, ends: list[int] | None) -> str:
    if part.web_port is None and part.name != "projector":
        return ""
    if ends is None:
        return "unknown"
    if part.web_port is not None:
        lag = _worker_lag(part.web_port)
        return "unknown" if lag is None else f"{lag} commands"
    behind = projection_lag(directory, ends)
    return "unknown" if behind is None else f"{behind} events"


def _worker_lag(port: int) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT_S) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return None
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(_LAG_METRIC))


def projection_lag(directory: DataDirectory, ends: list[int]) -> int | None:
    """Ledger entries, about, that the published file does not hold yet, None where nothing is published."""
    try:
        with analytics.open(directory.path) as connection:
            rows = connection.execute("SELECT partition, next_offset FROM meta").fetchall()
    except QueryError:
        return None
    found = {int(partition): int(offset) for partition, offset in rows}
    # A transaction ends with a marker, which takes an offset and is no entry.
    return sum(max(0, end - 1 - found.get(partition, 0)) for partition, end in enumerate(ends))


def _freshness(directory: DataDirectory) -> str:
    try:
        with analytics.open(directory.path) as connection:
            row = connection.execute(
                "SELECT max(newest_event_at), max(published_at), sum(events)::BIGINT FROM meta"
            ).fetchone()
    except QueryError:
        return "ledger: nothing is published yet"
    assert row is not None
    newest, published, events = row
    if newest is None:
        return f"ledger: no event yet ({directory.ledger})"
    now = datetime.now(UTC).replace(tzinfo=None)
    return (
        f"ledger: {events} events, the newest {(now - newest).total_seconds():.1f} s old, published "
        f"{(now - published).total_seconds():.1f} s ago ({directory.ledger})"
    )
