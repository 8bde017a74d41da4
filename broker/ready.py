"""Asking a broker whether it is there."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException, Producer

from contractnet.access import Access, client_settings
from contractnet.errors import BrokerUnreachableError
from contractnet.refusals import Refusals, hint, refused

_ANSWER_TIMEOUT_S = 1.0
_PAUSE_S = 0.01


def wait_until_ready(
    bootstrap: str,
    timeout_s: float,
    *,
    brokers: int = 1,
    cluster_id: str | None = None,
    gone: Callable[[], bool] = lambda: False,
    access: Access | None = None,
) -> None:
    """Return when `brokers` brokers have registered and one answers for the cluster `cluster_id` (None: any).

    `gone` is asked between tries and ends the waiting early. `access` None: that of this process.
    Errors: `BrokerUnreachableError`, `AccessRefusedError`.
    """
    # An idempotent producer, because it asks for a producer id as soon as it is connected: the first such request
    # makes the broker fetch a block of ids, and would cost the first real producer a second.
    # librdkafka's own messages about refused connections are the normal course here.
    refusals = Refusals()
    client = Producer(
        {
            **client_settings(bootstrap, access),
            "enable.idempotence": True,
            "log_level": 0,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "error_cb": refusals,
        }
    )
    deadline = time.monotonic() + timeout_s
    reason = "no answer"
    while time.monotonic() < deadline and not gone():
        try:
            metadata = client.list_topics(timeout=_ANSWER_TIMEOUT_S)
        except KafkaException as error:
            reason = error.args[0].str()
            client.poll(0)
            if refusals.error is not None:
                raise refused(bootstrap, refusals.error, access) from None
        else:
            # Before its registration a KRaft broker answers with an empty list of brokers.
            if len(metadata.brokers) >= brokers and cluster_id in (None, metadata.cluster_id):
                return
            reason = f"{len(metadata.brokers)} of {brokers} brokers of cluster {metadata.cluster_id}"
        time.sleep(_PAUSE_S)
    raise BrokerUnreachableError(
        f"No Kafka broker is ready at {bootstrap} ({reason}). Start one with `contractnet broker start`, "
        f"or give the address of a running one (--bootstrap).{hint(access)}"
    )
