"""Agents that call a language model: what a provider lets all of them use together is a token pool."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from contractnet.client import Agent
from contractnet.errors import ConnectionClosedError, RejectedError, TokensTimeoutError
from services.demo.calls import Call
from services.demo.demand import CHAT
from services.demo.tally import Tally

ANSWER_GUESS = 200
"""Tokens: an agent can count its prompt, and guesses the answer."""
CALL_S = 0.05
PATIENCE_S = 10.0
THROTTLED = 0.03
"""How often the provider answers 429 all the same; the call is repeated."""
WORTH_UCR = 2_000
"""Of 1,000 tokens; more for a caller that has waited."""


class Caller:
    """One agent's calls, each at its time, whatever became of the others."""

    def __init__(
        self, agent: Agent, calls: Sequence[Call], starts_at_s: float, tally: Tally, rng: random.Random
    ) -> None:
        self._calls = calls
        self._starts_at_s = starts_at_s
        self._tally = tally
        self._rng = rng
        self._wallet = agent.wallet(
            CHAT,
            lambda need: WORTH_UCR + WORTH_UCR * need.waited_ms // 1000,
            task="chat",
            margin=0.0,  # tokens are scarce: what is ordered for a call that does not come is lost to all
            timeout_s=PATIENCE_S,
            report_s=1.0,
        )

    async def run(self, ending: asyncio.Event) -> None:
        """All calls until the end."""
        async with asyncio.TaskGroup() as group:
            for call in self._calls:
                wait_s = self._starts_at_s + call.at_s - time.time()
                try:
                    async with asyncio.timeout(max(0.0, wait_s)):
                        await ending.wait()
                    return
                except TimeoutError:
                    group.create_task(self._call(call))

    async def _call(self, call: Call) -> None:
        try:
            async with self._wallet.tokens(call.prompt + ANSWER_GUESS, task=call.service) as tokens:
                await asyncio.sleep(CALL_S)
                if self._rng.random() < THROTTLED:
                    tokens.throttled()
                    self._tally.calls_throttled += 1
                    await asyncio.sleep(CALL_S)
                tokens.used(call.tokens)
        except (TokensTimeoutError, ConnectionClosedError):
            self._tally.calls_late += 1
        except RejectedError as error:
            self._tally.refuse(error)
        else:
            self._tally.calls += 1
            self._tally.tokens_used += call.tokens
