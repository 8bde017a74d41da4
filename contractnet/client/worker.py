"""An account that has work done, or does it: how far the work is, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from contractnet.client.cfp import Cfp
from contractnet.client.connection import TIMEOUT_S, Connection
from contractnet.client.inbox import Inbox, Work
from contractnet.client.lease import Award
from contractnet.client.rotation import KeyHolder
from contractnet.credentials import Credential
from contractnet.errors import CommandUnsendableError, CredentialError, OutcomeTimeoutError
from contractnet.messages import Awarder, Direction, Pricing, Progress
from contractnet.messages import commands as c

START_WITHIN_S, GRACE_S = 600.0, 60.0
"""How late asks may promise to start, and how much later than promised work may be done, where a buyer does not say."""


DECIDE_S = 60.0
"""How long a manager that awards itself may choose after the deadline, where it does not say."""


class AwardTerms(TypedDict):
    """Who awards a CFP, and at which prices."""

    award: Awarder
    decide_ms: int
    pricing: Pricing


def award_terms(award: Awarder | str, pricing: Pricing | str | None, decide_s: float) -> AwardTerms:
    """Of a call; without `pricing` that of its awarder: SECOND for the market, FIRST for a manager."""
    managed = Awarder(award) is Awarder.MANAGER
    usual = Pricing.FIRST if managed else Pricing.SECOND
    return {
        "award": Awarder(award),
        "decide_ms": round(decide_s * 1000) if managed else 0,
        "pricing": usual if pricing is None else Pricing(pricing),
    }


def guests(invited: Iterable[bytes] | None) -> tuple[bytes, ...]:
    """The accounts that a command invites; none where all may answer."""
    chosen = () if invited is None else tuple(invited)
    if invited is not None and not chosen:
        raise CommandUnsendableError("nobody is invited: leave out `invited` for a CFP that is open to all")
    return chosen


class Worker(KeyHolder):
    """What `Agent` has for work that is bought, but for `ask`."""

    def __init__(
        self, connection: Connection, credential: Credential, *, path: Path | None = None, owns: bool = False
    ) -> None:
        super().__init__(connection, credential, path=path, owns=owns)
        self._inbox = connection.book.inboxes.add(credential)

    def _need_inbox(self) -> Inbox:
        if self._inbox is None:
            raise CredentialError(f"the credential of {self.credential.name!r} has no inbox key: enroll again")
        return self._inbox

    async def buy(
        self,
        kind: str,
        units: int = 1,
        *,
        ceiling_ucr: int,
        bond_ucr: int,
        duration_s: float,
        open_s: float,
        slots: int = 1,
        pricing: Pricing | str | None = None,
        award: Awarder | str = Awarder.AUTO,
        decide_s: float = DECIDE_S,
        delay_cost_per_s_ucr: int = 0,
        start_within_s: float = START_WITHIN_S,
        grace_s: float = GRACE_S,
        invited: Iterable[bytes] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Cfp:
        """Call for `slots` contractors who do `duration_s` seconds of work each on `units` of a `kind` of resource.

        The market holds the ceiling for each slot until the deadline, and takes the asks that cost least, price and
        `delay_cost_per_s_ucr` together. Each winner's price is in escrow until it has done its work (see `work`): then
        it is paid, less what it started later than promised. A winner that fails, or is not done `grace_s` after
        promised start and duration, gets nothing and loses its bond to this agent. With `award` MANAGER this agent
        chooses itself, for `decide_s` seconds after the deadline and at the asks' own prices: see `proposals`, `award`
        and `reject`. `invited` are the ids of the accounts that alone may ask, as with `call_for_proposals`.
        """
        command = c.CallForProposals(
            direction=Direction.BUY,
            pool=kind,
            units=units,
            duration_ms=round(duration_s * 1000),
            slots=slots,
            open_ms=round(open_s * 1000),
            reserve_price_ucr=ceiling_ucr,
            **award_terms(award, pricing, decide_s),
            delay_cost_per_s_ucr=delay_cost_per_s_ucr,
            bond_ucr=bond_ucr,
            start_within_ms=round(start_within_s * 1000),
            grace_ms=round(grace_s * 1000),
            invited=guests(invited),
        )
        return await self._call(command, timeout_s)

    async def _call(self, command: c.CallForProposals, timeout_s: float) -> Cfp:
        sealed = self.prepare(command)
        # Before sending: a short CFP may be announced and over before this task runs again.
        announced = self.connection.book.announcements.on(sealed.command_id)
        try:
            await self.submit(sealed, timeout_s)
            return await asyncio.shield(announced)
        finally:
            self.connection.book.announcements.pop(sealed.command_id, None)

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
