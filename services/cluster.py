"""What has to be so on a cluster before referees are started there: nobody else's run, and the market is not another's.

Every referee of a cluster is in one consumer group and judges all of its markets. Two `up`s on one cluster would put
workers of the same name into that group, each with keys that the other does not trust.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from contractnet.access import client_settings
from contractnet.cli.directory import DataDirectory
from contractnet.client import Connection
from contractnet.errors import BrokerUnreachableError, CredentialError, ServiceError
from contractnet.topics import NOTICES
from services.opening import trusted_operator

# Kafka forgets a killed worker after its session timeout of 10 s (streams/settings.py).
LEAVE_S = 15.0
_ADMIN_S = 10.0
_PAUSE_S = 0.5
_COORDINATOR_COMES = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


def check_operator(directory: DataDirectory, bootstrap: str, market: str) -> None:
    """Raise CredentialError where the market is open and its operator's key is not the one of the directory."""
    admin = AdminClient(client_settings(bootstrap) | {"log_level": 0})
    try:
        if NOTICES.name not in admin.list_topics(timeout=_ADMIN_S).topics:
            return
    except KafkaException as error:
        raise BrokerUnreachableError(f"The broker at {bootstrap} told no topics: {error.args[0].str()}.") from error
    theirs = asyncio.run(_operator_of(bootstrap, market))
    if theirs is not None and theirs != trusted_operator(directory):
        raise CredentialError(
            f"Market {market!r} at {bootstrap} was opened from another data directory than {directory.path}, which has "
            f"not its operator's key. Use that directory (--data)."
        )


def wait_for_absence(group: str, bootstrap: str, tell: Callable[[str], None], patience_s: float = LEAVE_S) -> None:
    """Return once no referee works at `bootstrap`. Raises ServiceError where one still does after `patience_s`."""
    admin = AdminClient(client_settings(bootstrap) | {"log_level": 0})
    give_up_at = time.monotonic() + patience_s
    told = False
    while (members := _members(admin, group, bootstrap)) > 0:
        if not told:
            tell(f"referees work at {bootstrap} already; waiting {patience_s:.0f} s, in case they are just ending")
            told = True
        if time.monotonic() > give_up_at:
            raise ServiceError(
                f"Another `contractnet up` serves {bootstrap} ({members} referees in the consumer group {group!r}), "
                f"and one group of referees serves all markets of a cluster, so another --market does not help. Use "
                f"the data directory of that `up` (--data), or end it first."
            )
        time.sleep(_PAUSE_S)


def _members(admin: AdminClient, group: str, bootstrap: str) -> int:
    give_up_at = time.monotonic() + _ADMIN_S
    while True:
        try:
            described = admin.describe_consumer_groups([group], request_timeout=_ADMIN_S)[group].result(_ADMIN_S)
        except KafkaException as error:
            # A coordinator that has just started, or is being elected, says so for a moment.
            if error.args[0].code() in _COORDINATOR_COMES and time.monotonic() < give_up_at:
                time.sleep(_PAUSE_S)
                continue
            raise BrokerUnreachableError(f"The broker at {bootstrap} told no groups: {error.args[0].str()}.") from error
        return len(described.members)


async def _operator_of(bootstrap: str, market: str) -> bytes | None:
    async with Connection.open(bootstrap, market=market) as connection:
        return connection.operator_key
