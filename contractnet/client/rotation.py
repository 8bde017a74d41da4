"""Replacing the key of a credential, so that a crash at any moment leaves a file that works."""

from __future__ import annotations

import os
from dataclasses import replace

from contractnet.client.connection import TIMEOUT_S
from contractnet.client.member import Member, sequence_of
from contractnet.credentials import Credential, PendingRotation, save
from contractnet.envelope import SALT_BYTES, seal
from contractnet.errors import RejectedError
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.signing import KeyPair


class Rotating(Member):
    """A member whose key can be replaced. Base of Agent, Bank and Operator."""

    rotated_by: bytes | None = None
    """Id of the command by which this object replaced its key last; that may be at `connect`, after a crash."""

    async def _begin(self) -> None:
        await super()._begin()
        if self.credential.pending is not None:
            await self._finish_rotation(TIMEOUT_S)

    async def _rotate(self, expires_at_ms: int | None, timeout_s: float) -> None:
        """The new seed is on disk before the market hears of it."""
        if self.credential.pending is None:
            fresh = KeyPair.generate()
            sealed = self.prepare(c.RotateKey(fresh.public, expires_at_ms))
            salt = dict(sealed.headers)["salt"]
            pending = PendingRotation(fresh.seed, salt, sequence_of(sealed), expires_at_ms)
            self._keep(replace(self.credential, pending=pending))
        await self._finish_rotation(timeout_s)

    async def _finish_rotation(self, timeout_s: float) -> None:
        """Send the pending rotation (again): the market answers what it answered at first.

        Under rules version 1 it answers REVOKED_KEY instead. So it does where the key has expired, or was revoked by
        somebody else: the new key tells which.
        """
        pending = self.credential.pending
        assert pending is not None
        fresh = KeyPair.from_seed(pending.seed)
        sealed = seal(
            c.RotateKey(fresh.public, pending.expires_at_ms),
            market=self.connection.market,
            genesis=self._genesis(),
            keys=self.credential.keys,
            sequence=pending.sequence,
            salt=pending.salt,
        )
        try:
            await self.submit(sealed, timeout_s)
        except RejectedError as error:
            if error.code is not Code.REVOKED_KEY or not await self._is_known(fresh, timeout_s):
                self._keep(replace(self.credential, pending=None))
                raise
        self._keep(self.credential.promoted())
        self.rotated_by = sealed.command_id

    async def _is_known(self, keys: KeyPair, timeout_s: float) -> bool:
        """Whether the market has registered a key, by its answer to a command without effect."""
        sealed = seal(
            c.ReleaseLease(bytes(16)),
            market=self.connection.market,
            genesis=self._genesis(),
            keys=keys,
            sequence=self.connection.next_sequence(keys.public),
            salt=os.urandom(SALT_BYTES),
        )
        try:
            await self.submit(sealed, timeout_s)
        except RejectedError as error:
            return error.code is not Code.UNKNOWN_KEY
        return True

    def _keep(self, credential: Credential) -> None:
        if self._path is not None:
            save(credential, self._path)
        self.credential = credential


class KeyHolder(Rotating):
    """A member with an account: agents and the bank."""

    async def rotate_key(self, *, expires_at_ms: int | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Replace the signing key, in the market and in the credential file.

        From market time `expires_at_ms` on (milliseconds since the epoch; None: never) the new key signs nothing any
        more: rotate again before that. The new seed is on disk before the market hears of it; after a crash or a
        timeout, `connect` (or calling this again) finishes the rotation. Nothing else may be signed with the old key
        meanwhile.
        """
        await self._rotate(expires_at_ms, timeout_s)
