"""Every error that contractnet raises on purpose.

    ContractnetError
    └── BrokerError                     the Kafka broker or what it needs
        ├── BrokerUnreachableError      transient  nothing answers at the bootstrap address
        ├── BrokerStartError            transient  the broker ended or stayed silent while it started
        ├── BrokerStopError             terminal   the broker did not end when told to
        ├── BrokerInUseError            terminal   another broker runs in this data directory
        ├── BrokerNotRunningError       terminal   there is no broker to stop, kill or attach to
        ├── BrokerDataError             terminal   the data directory was not written by this version
        ├── BrokerUnsupportedError      terminal   this kind of broker can't do what was asked
        ├── PortTakenError              terminal   the only allowed port belongs to another program
        ├── JavaNotFoundError           terminal   no Java runtime
        ├── JavaTooOldError             terminal   a Java runtime below the least version
        ├── JarsOfflineError            transient  a jar can't be downloaded
        ├── JarHashError                terminal   a jar is not the one of the lock
        ├── JarMissingError             terminal   the air-gapped directory lacks a jar
        └── DockerUnavailableError      terminal   no container engine answers

Transient: the same call may succeed later. Terminal: something has to be changed first.
Messages say what happened, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class ContractnetError(Exception):
    """The root of the tree. `transient` tells whether the same call may succeed later."""

    transient: ClassVar[bool] = False


class BrokerError(ContractnetError):
    """The Kafka broker, or something that it needs, failed."""


class BrokerUnreachableError(BrokerError):
    """Nothing that speaks Kafka answers at the bootstrap address."""

    transient = True


class BrokerStartError(BrokerError):
    """The broker ended, or did not answer in time, while it started."""

    transient = True


class BrokerStopError(BrokerError):
    """The broker did not end although it was told to."""


class BrokerInUseError(BrokerError):
    """Another broker runs in this data directory."""


class BrokerNotRunningError(BrokerError):
    """There is no running broker to stop, kill or attach to."""


class BrokerDataError(BrokerError):
    """The data directory holds data that this version can't use."""


class BrokerUnsupportedError(BrokerError):
    """This kind of broker can't do what was asked of it."""


class PortTakenError(BrokerError):
    """The port that the broker has to listen on belongs to another program."""


class JavaNotFoundError(BrokerError):
    """No Java runtime was found."""


class JavaTooOldError(BrokerError):
    """The Java runtime that was found is older than the broker needs."""


class JarsOfflineError(BrokerError):
    """A jar could not be downloaded."""

    transient = True


class JarHashError(BrokerError):
    """A jar differs from the one that the lock names."""


class JarMissingError(BrokerError):
    """The air-gapped directory lacks a jar that the lock names."""


class DockerUnavailableError(BrokerError):
    """No container engine answers."""
