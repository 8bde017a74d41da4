"""The ahead-of-time cache of the JVM: made once per user, it takes the broker's start from 2 s to half a second.

It is an optimisation. Where it can't be made, or does not fit, the broker starts without it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from broker.cache import cache_dir
from broker.java import Java
from broker.node import FLAGS, KafkaNode
from broker.ports import find_free
from broker.progress import Notify
from broker.ready import wait_until_ready
from broker.security import Security
from broker.settings import loopback, node_settings
from broker.storage import ensure_formatted
from contractnet.access import Access, client_settings, scram
from contractnet.errors import BrokerError
from contractnet.principals import Principals, new_password
from contractnet.refusals import check_access
from contractnet.rights import ROLES, rights

_RETRY_AFTER_S = 24 * 3600
_START_TIMEOUT_S = 60.0
# The JVM writes the cache when it ends; 3 s on two cores.
_STOP_TIMEOUT_S = 120.0
_CALL_TIMEOUT_S = 20.0
_KEPT = 3
# What the training runs through. Another text makes a new cache.
_TRAINING = "topic, transaction, group, access control"


def aot_flags(java: Java, jars: Sequence[Path], notify: Notify) -> list[str]:
    """The JVM flags that use the cache, made now if it is missing; none where it can't be had."""
    if not java.makes_aot_cache:
        return []
    cache = _path(java, jars)
    failed = cache.with_suffix(".failed")
    if not cache.is_file() and not _is_recent(failed):
        notify("Preparing fast starts of the broker (once per virtual environment)")
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            _make(java, jars, cache)
        except (BrokerError, KafkaException, OSError) as error:
            notify(f"Fast starts could not be prepared, starting without: {error}")
            _remember_failure(failed, error)
    if not cache.is_file():
        return []
    with suppress(OSError):
        os.utime(cache)  # used last, see _prune
    # Without the log switch the JVM names every adapter that it could not link, at every start.
    return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"]


def _path(java: Java, jars: Sequence[Path]) -> Path:
    # The JVM accepts a cache only with the same build, flags and class path; name, size and time stand for the jars.
    facts = [java.build, _TRAINING, *FLAGS, *(f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in jars)]
    return cache_dir() / "aot" / (hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24] + ".aot")


def _make(java: Java, jars: Sequence[Path], cache: Path) -> None:
    """Run a throw-away broker through what a market does, and let the JVM record it."""
    with tempfile.TemporaryDirectory(prefix=".training-", dir=cache.parent) as scratch:
        draft = Path(scratch) / "draft.aot"
        node = KafkaNode(Path(scratch) / "broker")
        port = find_free()
        controller = find_free(avoid=port)
        cluster_id = ensure_formatted(node.data_dir, 1)
        voters = [f"1@127.0.0.1:{controller}"]
        # With access control, as `contractnet up` starts it: what it takes is in the cache of all brokers.
        security = Security(new_password())
        settings = node_settings(loopback(1, port, controller, voters, str(node.data_dir)), security)
        node.launch(java, jars, settings, [f"-XX:AOTCacheOutput={draft}"])
        try:
            bootstrap = f"127.0.0.1:{port}"
            wait_until_ready(
                bootstrap,
                _START_TIMEOUT_S,
                cluster_id=cluster_id,
                gone=lambda: not node.is_running(),
                access=security.access,
            )
            principals = Principals(bootstrap, security.access)
            principals.allow(rights())
            principals.set_passwords({ROLES[0]: security.password})
            check_access(bootstrap, _CALL_TIMEOUT_S, scram(ROLES[0], security.password))
            _exercise(bootstrap, security.access)
        finally:
            node.stop(_STOP_TIMEOUT_S)
        # Two processes may do this at once; the last one wins, with an equal file.
        os.replace(draft, cache)
    _prune(cache.parent)


def _prune(folder: Path) -> None:
    """Keep the caches that were used last: every virtual environment has a JVM, and so a cache, of its own."""
    used_last = sorted(folder.glob("*.aot"), key=lambda cache: cache.stat().st_mtime, reverse=True)
    for cache in used_last[_KEPT:]:
        cache.unlink(missing_ok=True)  # a JVM that has it open keeps it until it ends


def _exercise(bootstrap: str, access: Access) -> None:
    """A topic, a transaction and a group, so that their classes are in the cache."""
    client = client_settings(bootstrap, access) | {"log_level": 0}
    # Held in a variable: an AdminClient that is collected takes its pending calls with it.
    admin = AdminClient(client)
    for created in admin.create_topics([NewTopic("training", 4, 1)]).values():
        created.result(_CALL_TIMEOUT_S)
    producer = Producer({**client, "transactional.id": "training"})
    producer.init_transactions(_CALL_TIMEOUT_S)
    producer.begin_transaction()
    for number in range(100):
        producer.produce("training", key=str(number), value=b"x" * 100)
    producer.commit_transaction(_CALL_TIMEOUT_S)
    consumer = Consumer(
        {**client, "group.id": "training", "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    )
    consumer.subscribe(["training"])
    consumer.consume(100, _CALL_TIMEOUT_S)
    consumer.commit()
    consumer.close()


def _is_recent(failed: Path) -> bool:
    return failed.is_file() and time.time() - failed.stat().st_mtime < _RETRY_AFTER_S


def _remember_failure(failed: Path, error: Exception) -> None:
    # Where not even this can be written, the next start tries again, at the same cost.
    try:
        failed.write_text(f"{error}\n")
    except OSError:
        return
