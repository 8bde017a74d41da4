"""How an agent uses a lease: it shows the pass at the gate, works, and parts with what is left of the time."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from contractnet.client import Agent, Award
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Code
from services.demo.backlog import Job
from services.demo.plan import Plan
from services.demo.tally import Tally

# An agent that shows an old pass waits this long first: a gate hears of a lease's end some 10 to 50 ms late.
STALE_AFTER_S = 0.5
STALE_SHARE = 0.1
RELEASE_SHARE = 0.5
_GATE_S = 60.0
_GATE_LOOK_S = 0.1
_SHORTEST_LEFT_S = 0.15

SellOn = Callable[[Award, float], Awaitable[bool]]
"""Try to sell what is left of a lease, so many seconds; whether somebody has bought it."""


@dataclass(slots=True)
class _Use:
    """A lease in use, for so many seconds unless it is `lost`."""

    job: Job
    seconds: float
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    begun_s: float = field(default_factory=time.monotonic)

    def done(self) -> float:
        """The share of the work that is done."""
        return min(1.0, (time.monotonic() - self.begun_s) / max(self.seconds, 1e-6))


class Tenant:
    """Uses the leases of one agent."""

    def __init__(self, agent: Agent, plan: Plan, tally: Tally, rng: random.Random, sell_on: SellOn) -> None:
        self._agent = agent
        self._gates = plan.gates
        self._tally = tally
        self._rng = rng
        self._sell_on = sell_on
        self._uses: dict[bytes, _Use] = {}
        self._bargained: set[bytes] = set()

    def use_of(self, award: bytes) -> tuple[Job | None, float]:
        """The job that uses a lease, and the share of its work in it that is left; None and 0 where none does."""
        use = self._uses.get(award)
        return (None, 0.0) if use is None else (use.job, 1.0 - use.done())

    @contextmanager
    def bargaining(self, award: bytes) -> Iterator[None]:
        """Inside, a lease is not parted with otherwise: somebody who claims it is bargained with."""
        self._bargained.add(award)
        try:
            yield
        finally:
            self._bargained.discard(award)

    def lost(self, award: bytes) -> None:
        """A lease in use is another's from now on."""
        if award in self._uses:
            self._uses[award].lost.set()

    async def use(self, job: Job, award: Award) -> float:
        """Work for as long as the job or the lease takes. Early leavers sell or give back the rest, whoever has sold
        the lease meanwhile leaves, and some try their old pass once more. What was done, in seconds of one l4."""
        answer = await show_pass(self._gates[award.pool], award)
        if not answer["admitted"]:
            self._tally.not_admitted[str(answer["reason"])] += 1
            return 0.0
        left_s = self._left_s(award)
        done_gpu_s = job.fits_gpu_s(award.units, (award.ends_at_ms - award.starts_at_ms) / 1000, award.pool)
        sold, share = await self._work(job, award, min(job.needs_s(award.units, award.pool), left_s))
        done_gpu_s *= share
        job.work(done_gpu_s)
        self._tally.work_gpu_s += done_gpu_s
        gone = sold or await self._part_with(award)
        if self._rng.random() < STALE_SHARE:
            await asyncio.sleep((0.0 if gone else max(0.0, self._left_s(award))) + STALE_AFTER_S)
            self._tally.stale_shown += 1
            self._tally.stale_admitted += bool((await show_pass(self._gates[award.pool], award))["admitted"])
        return done_gpu_s

    async def _work(self, job: Job, award: Award, seconds: float) -> tuple[bool, float]:
        """Work for so long, unless the lease is sold meanwhile; whether it was, and the share that is done."""
        use = self._uses[award.id] = _Use(job, seconds)
        try:
            async with asyncio.timeout(seconds):
                await use.lost.wait()
            return True, use.done()
        except TimeoutError:
            return False, 1.0
        finally:
            del self._uses[award.id]

    def _left_s(self, award: Award) -> float:
        return max(0.0, award.ends_at_ms - self._agent.connection.now_ms()) / 1000

    async def _part_with(self, award: Award) -> bool:
        """Whether the lease is over before its time."""
        left_s = self._left_s(award)
        if award.id in self._bargained:
            return False
        if await self._sell_on(award, left_s):
            return True
        if self._left_s(award) < _SHORTEST_LEFT_S or self._rng.random() > RELEASE_SHARE:
            return False
        try:
            await self._agent.release(award)
        except RejectedError as error:
            # UNKNOWN_LEASE: it expired while the command was on its way.
            if error.code is not Code.UNKNOWN_LEASE:
                self._tally.rejections[error.code] += 1
        except OutcomeTimeoutError:
            # The lease ends by itself.
            self._tally.rejections["no answer to a release in time"] += 1
        return True


async def show_pass(port: int, award: Award) -> dict[str, object]:
    """What the pool's gate answers to the award's pass."""
    reader, writer = await _connect(port)
    try:
        pass_ = {"award": award.id.hex(), "token": str(award.token), "secret": award.secret.hex()}
        writer.write(json.dumps(pass_).encode() + b"\n")
        answer: dict[str, object] = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a gate, which on a busy machine may open after the first awards."""
    give_up_at = time.monotonic() + _GATE_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(_GATE_LOOK_S)
