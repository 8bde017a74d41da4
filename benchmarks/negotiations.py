"""Wall time of bargaining through a real market: two agents of the SDK, a broker, and the referee."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from benchmarks.stage import stage
from contractnet import (
    Agent,
    Award,
    Bank,
    Negotiation,
    NegotiationProtocol,
    Offer,
    Operator,
    credits,
    operator_credential,
)
from contractnet.client.bargaining import Strategy
from contractnet.messages.notices import RoundBegan
from contractnet.strategies.bargaining import Domain, OutcomeAlternator, Zeuthen
from faults.world import World

SEED = 1
OFFERS = [Offer((), credits(price) // 10) for price in range(1, 101)]
"""0.1 to 10 credits."""
PLAYS: dict[str, tuple[NegotiationProtocol, Strategy]] = {
    "MONOTONIC, Zeuthen": (NegotiationProtocol.MONOTONIC, Zeuthen),
    "ALTERNATING, discount 0.9": (NegotiationProtocol.ALTERNATING, partial(OutcomeAlternator, discounts=(0.9, 0.9))),
}


@dataclass(slots=True)
class Timed:
    """Milliseconds: of each round of a play, from its beginning to that of the next one or the end, as the holder is
    told; and of each negotiation, from the call that opens it to its deal, joining included."""

    rounds_ms: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    negotiations_ms: list[float] = field(default_factory=list)


def domain(rng: random.Random) -> Domain:
    """The price of a lease that is worth 1 to 4 credits to its holder and 6 to 10 to the buyer."""
    least, most = credits(rng.randint(10, 40)) // 10, credits(rng.randint(60, 100)) // 10
    return Domain([offer.price_ucr - least for offer in OFFERS], [most - offer.price_ucr for offer in OFFERS])


def measure(negotiations: int) -> dict[str, Timed]:
    """So many negotiations of each play, in turn and over the same domains, after one of each that does not count."""
    with stage() as world:
        world.start_worker(0)
        return asyncio.run(_measure(world, negotiations))


async def _measure(world: World, negotiations: int) -> dict[str, Timed]:
    found = {name: Timed() for name in PLAYS}
    rng = random.Random(SEED)
    async with _agents(world) as (manager, *parties):
        cfp = await manager.call_for_proposals("gpu", duration_s=3_600, open_s=3)
        lease = await (await parties[0].bid(cfp, 1)).outcome()
        assert lease is not None
        for number in range(negotiations + 1):
            over = domain(rng)
            for name in PLAYS:
                timed = found[name] if number else Timed()
                lease = await _bargain(parties[0], parties[1], lease, name, over, timed)
                parties.reverse()  # who has bought it sells it next
    return found


async def _bargain(holder: Agent, buyer: Agent, lease: Award, name: str, over: Domain, timed: Timed) -> Award:
    """One negotiation; what the buyer has then."""
    protocol, strategy = PLAYS[name]
    account = buyer.credential.account
    assert account is not None
    began_s = time.perf_counter()
    opened, asked = await asyncio.gather(
        holder.open_negotiation(lease, account, protocol=protocol, round_s=60), anext(buyer.negotiations())
    )
    watching = asyncio.create_task(_watch(opened))
    await asked.join(OFFERS[-1].price_ucr)
    _, deal = await asyncio.gather(
        holder.negotiate(opened, strategy, over, OFFERS), buyer.negotiate(asked, strategy, over, OFFERS)
    )
    timed.negotiations_ms.append((time.perf_counter() - began_s) * 1e3)
    assert deal is not None
    assert deal.award is not None
    at_s = await watching
    timed.rounds.append(len(at_s) - 1)
    timed.rounds_ms += [(after - before) * 1e3 for before, after in itertools.pairwise(at_s)]
    return deal.award


async def _watch(negotiation: Negotiation) -> list[float]:
    """When each round began and the negotiation ended, in seconds. Alternating offers end in the round after the one
    whose offer is taken: that is one more."""
    at_s: list[float] = []
    began = await negotiation.round()
    while isinstance(began, RoundBegan):
        at_s.append(time.perf_counter())
        began = await negotiation.round(began.round)
    return [*at_s, time.perf_counter()]


@asynccontextmanager
async def _agents(world: World) -> AsyncIterator[tuple[Agent, Agent, Agent]]:
    """A market's manager with a pool, and two agents with credits; each with a connection of its own."""
    name = f"bargaining-{uuid.uuid4().hex[:8]}"
    bootstrap = world.broker.bootstrap
    async with Operator.connect(operator_credential(name, keys=world.operator), bootstrap) as operator:
        banker = await operator.open_market()
    async with Bank.connect(banker, bootstrap) as bank:
        people = [await bank.enroll(who, who) for who in ("manager", "one", "other")]
        await bank.create_pool("gpu", people[0], 1)
        for person in people[1:]:
            await bank.issue(person, credits(1_000))
    async with (
        Agent.connect(people[0], bootstrap) as manager,
        Agent.connect(people[1], bootstrap) as one,
        Agent.connect(people[2], bootstrap) as other,
    ):
        yield manager, one, other


def rows(found: dict[str, Timed]) -> list[dict[str, object]]:
    """Medians, with how many they are of."""
    return [
        {
            "through a market": name,
            "rounds p50": round(statistics.median(timed.rounds)),
            "max": max(timed.rounds),
            "ms/round p50": round(statistics.median(timed.rounds_ms), 1),
            "n rounds": len(timed.rounds_ms),
            "ms/negotiation p50": round(statistics.median(timed.negotiations_ms)),
            "n": len(timed.negotiations_ms),
        }
        for name, timed in found.items()
    ]
