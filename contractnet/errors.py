"""Every error that contractnet raises on purpose.

    ContractnetError
    ├── UnreadableValueError            terminal   bytes that are no message of a known schema
    ├── UnsealableError                 terminal   a sealed notice that an inbox key does not open
    ├── CommandError                    the market, or the way to it, did not take a command
    │   ├── RejectedError               terminal   the market answered with a rejection code
    │   │   └── BudgetExceededError     transient  a bid for which a budget leaves no room in this window
    │   ├── OutcomeTimeoutError         transient  no answer yet: send the same sealed command again
    │   └── CommandUnsendableError      terminal   a command without encoding, too large, or without the effect meant
    ├── TokensTimeoutError              transient  no tokens of a pool came in time
    ├── ConnectionClosedError           terminal   the connection was closed, here or by an error that ends it
    ├── GateRefusedError                terminal   a gate does not admit: no current lease for this pass
    ├── MarketNotFoundError             terminal   no market of this name on the broker
    ├── CredentialError                 terminal   a credential file is missing, unreadable, or open to others
    ├── BrokenRuleError                 terminal   a negotiating strategy broke a rule of its protocol
    ├── SettingsError                   terminal   an option or environment variable makes no sense
    ├── DataDirectoryError              terminal   the data directory is of another version, in use, or not there
    ├── LedgerChangedError              terminal   the ledger is not the one that a projection was built from
    ├── ServiceError                    terminal   a process that contractnet runs did not come up, or ended by itself
    ├── QueryError                      terminal   DuckDB refused a query
    ├── TendersError                    terminal   a file of bids is missing, unreadable, or can't be learned from
    ├── CheckpointError                 terminal   a checkpoint is missing, unreadable, or not signed by a trusted key
    ├── ExportError                     terminal   an export cannot be written, or is not what its manifest says
    ├── ReplayError                     terminal   a replay makes no sense, or its file cannot be written
    └── BrokerError                     the Kafka broker or what it needs
        ├── BrokerUnreachableError      transient  nothing answers at the bootstrap address
        ├── AccessRefusedError          terminal   the broker refuses the credentials, or what they may do
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

from typing import TYPE_CHECKING, ClassVar

from contractnet.messages.types import CODE_TEXT, Code, Unreadable

if TYPE_CHECKING:
    from contractnet.envelope import Sealed


class ContractnetError(Exception):
    """The root of the tree. `transient` tells whether the same call may succeed later."""

    transient: ClassVar[bool] = False


class UnreadableValueError(ContractnetError):
    """Bytes that are no message of a known schema; `reason` says why."""

    def __init__(self, reason: Unreadable) -> None:
        super().__init__(f"unreadable value: {reason}")
        self.reason = reason


class UnsealableError(ContractnetError):
    """A sealed notice that an inbox key does not open."""


class CommandError(ContractnetError):
    """A command did not take effect, or nobody knows yet."""


class RejectedError(CommandError):
    """The market rejected a command: `code` says why, `command_id` which."""

    def __init__(self, code: Code, command_id: bytes) -> None:
        super().__init__(f"{code}: {CODE_TEXT[code]} (command {command_id.hex()})")
        self.code = code
        self.command_id = command_id


class BudgetExceededError(RejectedError):
    """A bid is higher than what the account's budget, or its project's, leaves in this window.

    `Agent.budget()` tells what was spent and when the window ends. There is room again when a window ends, when bids
    that hold credits lose, and when the bank tops the budget up.
    """

    transient = True


class OutcomeTimeoutError(CommandError):
    """No outcome arrived in time. The command may still take effect; sending the same one again is safe.

    `command_id` (16 bytes) is the command's id, which is also that of the bid or CFP that it makes. `sealed` is the
    command itself: give it to `Agent.submit_bid` when it is a bid, to `submit` otherwise, and it counts once. It is
    None when the market accepted the command and only the end of the CFP was not seen: wait again.
    """

    transient = True

    def __init__(self, message: str, command_id: bytes, sealed: Sealed | None = None) -> None:
        super().__init__(message)
        self.command_id = command_id
        self.sealed = sealed


class CommandUnsendableError(CommandError):
    """The command was not sent: a field has no encoding, it is too large for the brokers of a market, or it cannot
    have the effect that was meant."""


class TokensTimeoutError(ContractnetError):
    """A wallet got no tokens in time; the message names the pool, what is held and waited for, and what to do."""

    transient = True


class ConnectionClosedError(ContractnetError):
    """The connection to the market was closed."""


class GateRefusedError(ContractnetError):
    """A gate does not admit the holder of this pass; `reason` says why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class MarketNotFoundError(ContractnetError):
    """The broker has no market of this name."""


class CredentialError(ContractnetError):
    """A credential file is missing, unreadable, or readable by others."""


class BrokenRuleError(ContractnetError):
    """A negotiating strategy broke a rule of its protocol; the message names the party and the rule."""


class SettingsError(ContractnetError):
    """An option or an environment variable makes no sense."""


class DataDirectoryError(ContractnetError):
    """The data directory is of another version, in use by another process, or not there."""


class LedgerChangedError(ContractnetError):
    """The ledger topic was recreated or cut, or belongs to another cluster than the tables built from it."""


class ServiceError(ContractnetError):
    """A process that contractnet runs did not come up, or ended when it should not have."""


class QueryError(ContractnetError):
    """DuckDB refused a query, or there is no file to query."""


class TendersError(ContractnetError):
    """A file of bids is missing, unreadable, lacks a column, or can't be learned from."""


class CheckpointError(ContractnetError):
    """A checkpoint is missing, unreadable, or not signed by a key that is trusted."""


class ExportError(ContractnetError):
    """An export cannot be written, is incomplete, or is not what its manifest says."""


class ReplayError(ContractnetError):
    """A moment that the ledger does not reach, or a file that a replay cannot write."""


class BrokerError(ContractnetError):
    """The Kafka broker, or something that it needs, failed."""


class BrokerUnreachableError(BrokerError):
    """Nothing that speaks Kafka answers at the bootstrap address."""

    transient = True


class AccessRefusedError(BrokerError):
    """The broker does not know the credentials of a client, or does not allow it what it asked for."""


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
