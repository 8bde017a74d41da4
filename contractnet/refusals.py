"""Noticing that the broker refuses a client, instead of waiting for an answer that will not come.

librdkafka takes wrong credentials for a broker that may be better later: it tries again until the caller's time is
over. The reason reaches its error callback only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

from contractnet.access import Access, client_settings, own_access
from contractnet.errors import AccessRefusedError, BrokerUnreachableError

_UNKNOWN = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
    }
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
# A user that was made a moment ago may be refused at first; librdkafka tries again within this time.
_TRY_S = 1.0
_TOPIC_S = 30.0


class Client(Protocol):
    """The part of confluent-kafka's clients that is needed here."""

    def list_topics(self, topic: str = ..., timeout: float = ...) -> ClusterMetadata: ...
    def poll(self, timeout: float = ...) -> Any: ...


def is_refusal(error: KafkaError) -> bool:
    """Whether the broker does not know the client, or does not allow it what it asked for: waiting is in vain."""
    return error.code() in _UNKNOWN or error.code() in _FORBIDDEN


def refused(bootstrap: str, error: KafkaError, access: Access | None = None) -> AccessRefusedError:
    """The error for a refusal, which says what to do."""
    user = (own_access() if access is None else access).user
    who = "a client without credentials" if user is None else f"user {user!r}"
    if error.code() in _FORBIDDEN:
        return AccessRefusedError(
            f"The broker at {bootstrap} does not allow {who} what it asked for ({error.name()}). Use the credential of "
            f"the role that may (CONTRACTNET_ACCESS names the file; <data>/access has those of `contractnet up`)."
        )
    return AccessRefusedError(
        f"The broker at {bootstrap} does not accept the credentials of {who} ({error.name()}). An agent's are in its "
        f"credential file (`contractnet access grant FILE` renews them), a role's in the file that CONTRACTNET_ACCESS "
        f"names; `contractnet up` writes those into <data>/access. Where your market is down, another one's broker may "
        f"have its address: see `contractnet status`."
    )


def hint(access: Access | None = None) -> str:
    """What else may be wrong where a client without credentials got no answer: the broker just hangs up on it."""
    if (own_access() if access is None else access).user is not None:
        return ""
    return " A broker with access control answers nobody without credentials: CONTRACTNET_ACCESS names their file."


class Refusals:
    """An `error_cb` of librdkafka that remembers a refusal, and passes everything on to `then`."""

    def __init__(self, then: Callable[[KafkaError], None] | None = None) -> None:
        self.error: KafkaError | None = None
        self._then = then

    def __call__(self, error: KafkaError) -> None:
        if is_refusal(error):
            self.error = error
        if self._then is not None:
            self._then(error)


def list_topics(
    client: Client, refusals: Refusals, bootstrap: str, timeout_s: float, access: Access | None = None
) -> ClusterMetadata:
    """The cluster's topics, as far as the client may see them. `refusals` is its `error_cb`.

    Raises AccessRefusedError as soon as the broker says so, KafkaException when it says nothing in time.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            return client.list_topics(timeout=max(0.01, min(_TRY_S, give_up_at - time.monotonic())))
        except KafkaException:
            client.poll(0)
            if refusals.error is not None:
                raise refused(bootstrap, refusals.error, access) from None
            if time.monotonic() >= give_up_at:
                raise


def topic_metadata(client: Client, topic: str, bootstrap: str, access: Access | None = None) -> TopicMetadata:
    """What the broker, which has answered before, says of one topic. Raises AccessRefusedError, KafkaException."""
    found: TopicMetadata = client.list_topics(topic, timeout=_TOPIC_S).topics[topic]
    if found.error is not None and is_refusal(found.error):
        raise refused(bootstrap, found.error, access)
    return found


def check_access(bootstrap: str, timeout_s: float = 10.0, access: Access | None = None) -> None:
    """Return once the broker has let this process in. Raises AccessRefusedError, BrokerUnreachableError."""
    refusals = Refusals()
    client = Producer({**client_settings(bootstrap, access), "log_level": 0, "error_cb": refusals})
    try:
        list_topics(client, refusals, bootstrap, timeout_s, access)
    except KafkaException as error:
        raise BrokerUnreachableError(
            f"No Kafka broker answers at {bootstrap} ({error.args[0].str()}). Start one with `contractnet up`, or give "
            f"the address of a running one (--bootstrap).{hint(access)}"
        ) from error
