"""A broker or cluster that somebody else runs."""

from __future__ import annotations

from broker.interface import Broker
from broker.ready import wait_until_ready
from contractnet.errors import BrokerUnsupportedError

_TIMEOUT_S = 10.0


class ExternalBroker(Broker):
    """An existing cluster at `bootstrap` (`host:port[,host:port]`): we only check that it answers."""

    def __init__(self, bootstrap: str, timeout_s: float = _TIMEOUT_S) -> None:
        self._bootstrap = bootstrap
        self._timeout_s = timeout_s

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    def start(self) -> None:
        """Check that the cluster answers. Errors: `BrokerUnreachableError`."""
        wait_until_ready(self._bootstrap, self._timeout_s)

    def stop(self) -> None:
        """Do nothing: the cluster is not ours, and whoever is done with it just leaves."""

    def kill(self) -> None:
        """Refused with `BrokerUnsupportedError`."""
        raise self._not_ours("kill")

    def restart(self) -> None:
        """Refused with `BrokerUnsupportedError`."""
        raise self._not_ours("restart")

    def _not_ours(self, action: str) -> BrokerUnsupportedError:
        return BrokerUnsupportedError(
            f"contractnet did not start the broker at {self._bootstrap} and can't {action} it. Use the tools of "
            f"whoever runs it."
        )
