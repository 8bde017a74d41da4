"""The same agents with the same demand on the same provider, with tokens of a pool and without: 429s and waits.

A server on this machine enforces a limit (benchmarks/provider.py). Sixteen agents, each a budget root, and two System
agents send what the Azure traces say, in scaled time, through the same `TokenTransport` with the same retries and
backoff. Without the market its tokens cost nothing and are always there; with it they come from a pool of a real
market, of `POOL_SHARE` of the provider's limit. Agents know a prompt's tokens and guess the answer's.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.provider import Provider, providing
from benchmarks.stage import stage
from contractnet import Agent, Bank, Connection, Operator, Spending, Wallet, credits, operator_credential
from contractnet.client.holdings import Part
from contractnet.client.http import TokenSource, TokenTransport
from contractnet.errors import TokensTimeoutError
from contractnet.strategies import Need
from faults.world import World
from services.demo.calls import Call, azure, synthetic, window

TRACES = "AZURE_TRACES"
POOL = "provider/model"
MARKET, ALONE = "market", "backoff alone"
ORDINARY, SYSTEM, SYSTEM_SHARE = 16, 2, 0.05
INTERVAL_S, GRANT_S, DRAW_AFTER_S = 1.0, 4.0, 0.1
POOL_SHARE, BURST_S, RESERVE_PERMILLE = 1.0, 8.0, 150
RETRIES, GIVE_UP_S = 8, 20.0


@dataclass(frozen=True, slots=True)
class Scale:
    """`speed` seconds of the trace pass in one, from `begin_s` on; the limit is `limit_share` of the mean demand."""

    seconds: float
    speed: float
    begin_s: float
    limit_share: float


@dataclass(slots=True)
class Run:
    """What came of it. Waits are seconds from a request's arrival to its answer, less the server's own time."""

    refused: int = 0
    answered: int = 0
    goodput: float = 0.0
    expired: float = 0.0
    """Tokens that were granted and not used in time, for each that was used."""
    waits: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    failed: Counter[bool] = field(default_factory=Counter)

    @property
    def per_1000(self) -> float:
        """429s for 1,000 requests that agents wanted answered."""
        wanted = sum(map(len, self.waits.values())) + self.failed.total()
        return 1000 * self.refused / max(1, wanted)


class Free:
    """Tokens without a market: always there."""

    @asynccontextmanager
    async def tokens(self, estimate: int, *, task: str = "") -> AsyncIterator[Spending]:
        """As `Wallet.tokens`."""
        yield Spending(POOL, task, [Part(bytes(16), estimate)])


def demand() -> tuple[list[Call], str]:
    """The traces of AZURE_TRACES, or what stands in for them, and which it is."""
    folder = os.environ.get(TRACES)
    if folder:
        return azure(Path(folder)), "Azure"
    print(f"{TRACES} names no folder with the two Azure traces: the demand is synthetic (services/demo/calls.py)")
    return synthetic(3_600), "synthetic"


def worth(base_ucr: int) -> Callable[[Need], int]:
    """What 1,000 tokens are worth: more for who has waited."""

    def price(need: Need) -> int:
        return base_ucr + base_ucr * need.waited_ms // 1_000

    return price


class Crowd:
    """The agents' programs: each request at its time, whatever became of the others."""

    def __init__(self, provider: Provider, calls: list[Call], scale: Scale, sources: list[TokenSource]) -> None:
        self.run = Run()
        self._provider = provider
        self._calls = calls
        self._scale = scale
        dice = random.Random("tokens/backoff")
        self._clients = [self._client(source, dice) for source in sources]

    def _client(self, source: TokenSource, dice: random.Random) -> httpx.AsyncClient:
        inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None))
        transport = TokenTransport(inner, source, estimate, retries=RETRIES, dice=dice)
        return httpx.AsyncClient(transport=transport, base_url=self._provider.url, timeout=60)

    async def play(self) -> Run:
        """All of the demand; what is not answered a while after its end has failed."""
        dice = random.Random("tokens/agents")
        began_s, tasks = time.monotonic(), []
        for call in self._calls:
            await asyncio.sleep(began_s + call.at_s / self._scale.speed - time.monotonic())
            system = dice.random() < SYSTEM_SHARE
            agent = ORDINARY + dice.randrange(SYSTEM) if system else dice.randrange(ORDINARY)
            tasks.append(asyncio.create_task(self._one(agent, call)))
        await asyncio.gather(*tasks)
        took_s = time.monotonic() - began_s
        for client in self._clients:
            await client.aclose()
        self.run.refused, self.run.answered = self._provider.refused, self._provider.answered
        self.run.goodput = self._provider.tokens / (self._provider.bucket.per_s * took_s)
        return self.run

    async def _one(self, agent: int, call: Call) -> None:
        system, began_s = agent >= ORDINARY, time.monotonic()
        body = {"prompt_tokens": call.prompt, "completion_tokens": call.completion}
        try:
            async with asyncio.timeout(GIVE_UP_S):
                answer = await self._clients[agent].post("/v1/chat/completions", json=body)
        except (TimeoutError, TokensTimeoutError, httpx.TransportError):
            self.run.failed[system] += 1
            return
        if answer.status_code != httpx.codes.OK:
            self.run.failed[system] += 1
            return
        self.run.waits[system].append(time.monotonic() - began_s - self._provider.latency_s)


def estimate(request: httpx.Request) -> int:
    """The prompt, which an agent can count, and the mean of answers, which is a guess."""
    return int(json.loads(request.content)["prompt_tokens"]) + 200


def limit_of(calls: list[Call], scale: Scale) -> tuple[int, float]:
    """Tokens per minute of the provider, and how long its minute lasts: as much shorter as time is faster."""
    per_s = sum(call.tokens for call in calls) / (scale.seconds * scale.speed)
    return round(per_s * 60 * scale.limit_share), 60 / scale.speed


async def without(calls: list[Call], scale: Scale) -> Run:
    """Retries and backoff alone."""
    async with providing(new_provider(calls, scale)) as provider:
        return await Crowd(provider, calls, scale, [Free() for _ in range(ORDINARY + SYSTEM)]).play()


async def with_market(world: World, calls: list[Call], scale: Scale) -> Run:
    """Tokens first."""
    async with AsyncExitStack() as undo:
        provider = await undo.enter_async_context(providing(new_provider(calls, scale)))
        agents = await enrolled(world, provider, undo)
        dice = random.Random("tokens/worth")
        wallets: list[Wallet] = []
        for number, agent in enumerate(agents):
            price = worth(dice.randrange(1_000, 10_000))
            system = number >= ORDINARY
            terms = {"timeout_s": GIVE_UP_S, "draw_after_s": DRAW_AFTER_S}
            wallets.append(agent.wallet(POOL, price, task="bench", system=system, **terms))
        run = await Crowd(provider, calls, scale, list(wallets)).play()
        run.expired = sum(wallet.expired for wallet in wallets) / max(1, provider.tokens)
        for agent in agents:
            await agent.close()
    return run


def new_provider(calls: list[Call], scale: Scale) -> Provider:
    """Half full, so that nobody lives on what was saved before."""
    limit, minute_s = limit_of(calls, scale)
    provider = Provider(limit, minute_s=minute_s)
    provider.bucket.level /= 2
    return provider


async def enrolled(world: World, provider: Provider, undo: AsyncExitStack) -> list[Agent]:
    """A market with the pool, and its agents, the System ones last."""
    name, keys = f"tokens-{uuid.uuid4().hex[:8]}", world.operator
    operator = await undo.enter_async_context(
        Operator.connect(operator_credential(name, keys=keys), world.broker.bootstrap)
    )
    banker = await operator.open_market()
    opening = Connection.open(world.broker.bootstrap, market=name, genesis=banker.genesis)
    connection = await undo.enter_async_context(opening)
    bank = Bank(connection, banker)
    owner = await bank.enroll("owner", "infra")
    per_s = provider.bucket.per_s * POOL_SHARE
    await bank.create_token_pool(
        POOL,
        owner,
        tokens_per_minute=round(per_s * 60),
        burst_tokens=round(per_s * BURST_S),
        reserve_permille=RESERVE_PERMILLE,
        interval_s=INTERVAL_S,
        grant_s=GRANT_S,
    )
    agents = []
    for number in range(ORDINARY + SYSTEM):
        credential = await bank.enroll(f"agent-{number}", f"project-{number}")
        await bank.issue(credential, credits(1_000_000))
        if number >= ORDINARY:
            await operator.set_priority(credential)
        agents.append(connection.agent(credential))
    return agents


def compare(scales: list[Scale], runs: int) -> tuple[dict[tuple[float, str], list[Run]], str]:
    """Both, in turn, by limit and name; and what the demand was."""
    calls, source = demand()
    found: dict[tuple[float, str], list[Run]] = {}
    with stage() as world:
        world.start_worker(0)
        for _ in range(runs):
            for scale in scales:
                part = window(calls, scale.begin_s, scale.seconds * scale.speed)
                found.setdefault((scale.limit_share, MARKET), []).append(asyncio.run(with_market(world, part, scale)))
                found.setdefault((scale.limit_share, ALONE), []).append(asyncio.run(without(part, scale)))
    return found, source


def row(source: str, share: float, name: str, runs: list[Run], alone: list[Run]) -> dict[str, object]:
    """Medians over runs of rates, all runs together of waits."""
    per_1000 = statistics.median(run.per_1000 for run in runs)
    base = statistics.median(run.per_1000 for run in alone)
    shown: dict[str, object] = {
        "demand": source,
        "limit to demand": share,
        "what": name,
        "429s/1,000": round(per_1000, 1),
        "fewer": "1x" if name == ALONE else f"{base / per_1000:.0f}x" if per_1000 else "none",
        "goodput": round(statistics.median(run.goodput for run in runs), 3),
    }
    if name == MARKET:
        shown["goodput"] = f"{shown['goodput']} (expired {statistics.median(run.expired for run in runs):.2f})"
    for who, system in (("System", True), ("others", False)):
        waits = sorted(wait for run in runs for wait in run.waits[system])
        p50, p99, most = (waits[int(len(waits) * share)] if waits else 0.0 for share in (0.5, 0.99, 1 - 1e-9))
        shown |= {
            f"{who} p50/p99/max s": f"{p50:.2f}/{p99:.2f}/{most:.2f}",
            f"{who} n": len(waits),
            f"{who} failed": sum(run.failed[system] for run in runs),
        }
    return shown | {"runs": len(runs)}
