"""Tells the market in batches what was used of grants, so that it is attributed, and what a provider throttled."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from contractnet.client.holdings import Holdings
from contractnet.client.supply import Supply
from contractnet.errors import OutcomeTimeoutError, RejectedError

if TYPE_CHECKING:
    from contractnet.envelope import Sealed

log = logging.getLogger(__name__)

HURRY_S = 0.1
"""How long a report of throttling waits for others."""


class Reporter:
    """Reports what `holdings` has noted every `every_s` seconds, sooner after throttling."""

    def __init__(self, supply: Supply, holdings: Holdings, every_s: float) -> None:
        self.refused = 0
        """Reports that the market did not take: they came more than a minute after the grant's end."""
        self._supply = supply
        self._holdings = holdings
        self._every_s = every_s
        self._unanswered: list[Sealed] = []
        self._hurry = asyncio.Event()
        self._stopping = False

    def stop(self) -> None:
        """Let `run` end with a last report."""
        self._stopping = True
        self._hurry.set()

    def hurry(self) -> None:
        """Report soon: the market lowers a pool's rate by what it hears."""
        self._hurry.set()

    async def run(self) -> None:
        """Report until stopped; then once more."""
        while not self._stopping:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._hurry.wait()
                await asyncio.sleep(0 if self._stopping else HURRY_S)
            except TimeoutError:
                pass
            self._hurry.clear()
            await self.flush()
        # What was used while the last report was under way.
        await self.flush()

    async def flush(self) -> None:
        """Report everything now."""
        unanswered, self._unanswered = self._unanswered, []
        again = [self._again(sealed) for sealed in unanswered]
        uses = self._holdings.take_uses().items()
        news = [self._report(grant, use.tokens, use.calls, use.throttled, task) for (grant, task), use in uses]
        await asyncio.gather(*again, *news)

    async def _again(self, sealed: Sealed) -> None:
        try:
            await self._supply.report_again(sealed)
        except OutcomeTimeoutError:
            self._unanswered.append(sealed)
        except RejectedError as error:
            self._not_taken(error)

    async def _report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> None:
        try:
            sealed = await self._supply.report(grant, tokens, calls, throttled, task)
        except RejectedError as error:
            self._not_taken(error)
            return
        if sealed is not None:
            self._unanswered.append(sealed)

    def _not_taken(self, error: RejectedError) -> None:
        self.refused += 1
        log.warning("a report of usage was not taken: %s", error)
