"""An account that has work done, or does it: how far the work is, and how it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

from contractnet.client.connection import TIMEOUT_S, Connection
from contractnet.client.inbox import Inbox, Work
from contractnet.client.lease import Award
from contractnet.client.rotation import KeyHolder
from contractnet.credentials import Credential
from contractnet.errors import CredentialError, OutcomeTimeoutError
from contractnet.messages import Progress
from contractnet.messages import commands as c


class Worker(KeyHolder):
    """What `Agent` has for work that is bought: `ask` and `buy` begin it."""

    def __init__(
        self, connection: Connection, credential: Credential, *, path: Path | None = None, owns: bool = False
    ) -> None:
        super().__init__(connection, credential, path=path, owns=owns)
        self._inbox = connection.book.inboxes.add(credential)

    def _need_inbox(self) -> Inbox:
        if self._inbox is None:
            raise CredentialError(f"the credential of {self.credential.name!r} has no inbox key: enroll again")
        return self._inbox

    async def started(self, award: Award | bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Tell that the work of an ask that won has started; the market's time of this message ends the delay."""
        await self._report(award, Progress.STARTED, "", timeout_s)

    async def done(self, award: Award | bytes, result: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Tell that work which has started is done, with its result or where it is (at most 256 bytes): it is paid."""
        await self._report(award, Progress.DONE, result, timeout_s)

    async def failed(self, award: Award | bytes, why: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Tell that the work will not be done (`why` has at most 256 bytes). It frees the units, and costs the bond."""
        await self._report(award, Progress.FAILED, why, timeout_s)

    async def work(self, award: Award | bytes, timeout_s: float | None = None) -> Work:
        """How bought work has ended, for its manager and its contractor: DONE, FAILED or TIMED_OUT, and what was paid.

        Raises OutcomeTimeoutError when it has not ended within `timeout_s` seconds (None: wait), and CredentialError
        for a credential without an inbox key.
        """
        ident, inbox = award if isinstance(award, bytes) else award.id, self._need_inbox()
        try:
            async with asyncio.timeout(timeout_s):
                return await inbox.work_ended(ident)
        except TimeoutError as error:
            message = f"work {ident.hex()} has not ended within {timeout_s:g} s ({self.connection.silence()})"
            raise OutcomeTimeoutError(message, ident) from error

    async def _report(self, award: Award | bytes, progress: Progress, text: str, timeout_s: float) -> None:
        await self._send(c.ReportWork(award if isinstance(award, bytes) else award.id, progress, text), timeout_s)
