"""What everybody with a key in a market can do: seal commands and submit them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contractnet import settings
from contractnet.client.connection import LOOK_BACK_S, TIMEOUT_S, Connection
from contractnet.client.opening import Opening
from contractnet.credentials import Credential, Role, access_for, fingerprint, load
from contractnet.envelope import SALT_BYTES, Sealed, seal
from contractnet.errors import CommandUnsendableError, CredentialError
from contractnet.messages import Command
from contractnet.money import INT64_MAX


class Member:
    """A connection and a credential. Base of Agent, Bank and Operator."""

    role: Role

    def __init__(
        self, connection: Connection, credential: Credential, *, path: Path | None = None, owns: bool = False
    ) -> None:
        if credential.role is not self.role:
            raise CredentialError(f"the credential's role is {credential.role}, needed is {self.role}")
        if credential.market != connection.market:
            raise CredentialError(
                f"the credential is for market {credential.market!r}, the connection for {connection.market!r}"
            )
        self.connection = connection
        self.credential = credential
        self._path = path
        self._owns = owns

    @classmethod
    def connect(
        cls,
        credential: str | Path | Credential,
        bootstrap: str | None = None,
        *,
        look_back_s: float = LOOK_BACK_S,
        timeout_s: float = TIMEOUT_S,
    ) -> Opening[Self]:
        """Connect with a credential (or its file), over a connection of one's own, which closes with this object.

        Raises CredentialError, BrokerUnreachableError, AccessRefusedError, MarketNotFoundError, SettingsError.
        """

        async def begin() -> Self:
            path = None if isinstance(credential, Credential) else Path(credential)
            loaded = credential if isinstance(credential, Credential) else load(credential)
            address = settings.bootstrap(bootstrap, hint=loaded.bootstrap, credential=path)
            connection = await Connection.open(
                address,
                market=loaded.market,
                genesis=loaded.genesis,
                access=access_for(loaded, path),
                look_back_s=look_back_s,
                timeout_s=timeout_s,
                members=[loaded],
            )
            async with AsyncExitStack() as undo:
                undo.push_async_callback(connection.close)  # also a cancellation must not leave threads behind
                member = cls(connection, loaded, path=path, owns=True)
                await member._begin()
                undo.pop_all()
            return member

        return Opening(begin)

    def __repr__(self) -> str:
        who = self.credential
        account = "" if who.account is None else f", account={who.account.hex()}"
        return f"{type(self).__name__}(name={who.name!r}, market={who.market!r}{account})"

    def prepare(self, command: Command) -> Sealed:
        """Seal a command without sending it, so that it can be stored first and submitted again after a crash.

        Commands of one key are best submitted in the order in which they were prepared: the market remembers the 128
        newest sequences of a key, and answers an older, unknown one with STALE_SEQUENCE.
        """
        return self._seal(lambda _: command)

    async def submit(self, sealed: Sealed, timeout_s: float = TIMEOUT_S) -> None:
        """Send a sealed command and wait until the market has accepted it. Safe to repeat with the same one.

        Raises RejectedError with the market's code, and OutcomeTimeoutError when no answer came in time.
        """
        await self.connection.submit(sealed, timeout_s)

    async def close(self) -> None:
        """End what belongs to this object; the connection too, unless it is shared."""
        if self._owns:
            await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _begin(self) -> None:
        """Check that the broker's market is the credential's, where its genesis was read."""
        operator = self.connection.operator_key
        if operator is not None and fingerprint(operator) != self.credential.operator:
            raise CredentialError(
                f"market {self.connection.market!r} was opened by another operator than the credential trusts"
            )

    async def _send(self, command: Command, timeout_s: float) -> bytes:
        """Seal and submit; the command's id."""
        sealed = self.prepare(command)
        await self.submit(sealed, timeout_s)
        return sealed.command_id

    def _seal(self, make: Callable[[bytes], Command]) -> Sealed:
        """Seal the command that `make` builds from its own id, which key, sequence and salt determine beforehand."""
        from contractnet.messages.submission import command_id

        keys = self.credential.keys
        sequence, salt = self.connection.next_sequence(keys.public), os.urandom(SALT_BYTES)
        command = make(command_id(keys.public, sequence, salt))
        _check_numbers(command)
        market, genesis = self.connection.market, self._genesis()
        try:
            return seal(command, market=market, genesis=genesis, keys=keys, sequence=sequence, salt=salt)
        except (OverflowError, TypeError, ValueError) as error:
            raise CommandUnsendableError(f"{type(command).__name__} cannot be encoded: {error}") from error

    def _genesis(self) -> bytes:
        return self.connection.genesis


def _check_numbers(record: Any) -> None:
    """Refuse what the encoder would cut (1.5 micro-credits would be sent as 1), and what 64 bits cannot hold."""
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            _check_numbers(value)
        elif field.type == "int":
            what = f"{type(record).__name__}.{field.name} takes a whole number"
            if type(value) is not int:
                raise CommandUnsendableError(f"{what}, not {type(value).__name__} {value!r}")
            if not -INT64_MAX - 1 <= value <= INT64_MAX:
                raise CommandUnsendableError(f"{what} from {-INT64_MAX - 1} to {INT64_MAX} (64 bits)")


def sequence_of(sealed: Sealed) -> int:
    """The sequence in a sealed command's headers."""
    return int(struct.unpack(">q", dict(sealed.headers)["seq"])[0])
