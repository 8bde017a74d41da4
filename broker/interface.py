"""What every broker can do, whoever runs it."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self


class Broker(abc.ABC):
    """A Kafka broker with a life: start, stop, kill, restart.

    As a context manager it starts on entry and stops on exit.
    All methods raise leaves of `contractnet.errors.BrokerError`.
    """

    @property
    @abc.abstractmethod
    def bootstrap(self) -> str:
        """The address that clients are given, as `host:port[,host:port]`. Known once `start` has returned."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start, and return when the broker answers a metadata request and has registered itself."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End in good order, keeping the data. Stopping what does not run is no error."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End at once (SIGKILL), as a power cut would. Acknowledged data survives."""

    @abc.abstractmethod
    def restart(self) -> None:
        """Stop if running, then start again with the same data on the same address."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
