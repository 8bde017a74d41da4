"""What the load does beside calls that sell: work is bought and done, leases are bargained over, tokens are ordered,
drawn and reported. Nobody waits for an answer: what comes too early or too late is refused, and is load as well."""

from __future__ import annotations

import heapq
import random
from itertools import count

from contractnet.envelope import Sealed
from contractnet.messages import Command, Direction, NegotiationProtocol, Pricing, Progress
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from faults.world import Market

CONTRACTORS = 3
"""The last agents, who own a pool each."""
TOKENS = "llm"
SHARE = 0.25
"""Of the load's steps, how many begin something of this."""
OPEN_MS, WORK_MS, LEASE_MS, ROUND_MS = 200, 200, 3_000, 500
STEP_S = 0.15
"""Between what belongs together: longer than an answer takes on a market that is not attacked."""


def furnish(market: Market) -> None:
    """What the mix needs: contractors' pools, a token pool, and a System agent, who is the first of the agents."""
    for keys in market.agents[-CONTRACTORS:]:
        market.send(c.CreatePool(pool_of(market, keys), market.accounts[keys.public], 4), market.bank)
    owner = market.accounts[market.manager.public]
    market.send(c.CreateTokenPool(TOKENS, owner, 600_000, 20_000, 200, 1_000, 10, 5_000), market.bank)
    market.send(c.SetPriority(market.accounts[market.agents[0].public], True), market.operator)


def pool_of(market: Market, keys: KeyPair) -> str:
    """A contractor's pool."""
    return f"cloud-{market.agents.index(keys)}"


class Mix:
    """One market's. Steps that are due later are signed at once, so that their ids are known, and wait in a heap;
    times are monotonic seconds."""

    def __init__(self, market: Market, rng: random.Random) -> None:
        self._market = market
        self._rng = rng
        self._later: list[tuple[float, int, Sealed]] = []
        self._numbers = count()

    def begin(self, now_s: float) -> int:
        """Begin something or nothing; how many commands were sent."""
        if self._rng.random() > SHARE:
            return 0
        return self._rng.choice((self._buy, self._bargain, self._order))(now_s)

    def go_on(self, now_s: float) -> int:
        """Send what is due; how many commands that were."""
        sent = 0
        while self._later and self._later[0][0] <= now_s:
            *_, sealed = heapq.heappop(self._later)
            self._market.send_sealed(sealed)
            sent += 1
        return sent

    def _plan(self, at_s: float, *steps: tuple[Command, KeyPair]) -> bytes:
        """Steps one after the other, the first one at a time; the id of the first."""
        sealed = [self._market.seal(command, keys) for command, keys in steps]
        for number, step in enumerate(sealed):
            heapq.heappush(self._later, (at_s + number * STEP_S, next(self._numbers), step))
        return sealed[0].command_id

    def _buy(self, now_s: float) -> int:
        """Contractors compete; each tells of its work, the winner of some."""
        market, rng = self._market, self._rng
        call = c.CallForProposals(
            Direction.BUY, "gpu", 1, WORK_MS, 1, OPEN_MS, 1_000, Pricing.SECOND,
            delay_cost_per_s_ucr=100, bond_ucr=50, start_within_ms=200, grace_ms=400,
        )  # fmt: skip
        cfp = market.send(call, rng.choice(market.agents[:-CONTRACTORS]))
        contractors = market.agents[-CONTRACTORS:]
        for keys in contractors:
            ask = c.PlaceAsk(cfp, pool_of(market, keys), rng.randrange(100, 1_000), 0, "task", bytes(32))
            award = market.send(ask, keys)
            end = rng.choice((Progress.DONE, Progress.DONE, Progress.FAILED))
            steps = [(c.ReportWork(award, Progress.STARTED, ""), keys), (c.ReportWork(award, end, "result"), keys)]
            self._plan(now_s + OPEN_MS / 1000 + STEP_S, *steps[: rng.choice((2, 2, 2, 1))])
        return 1 + len(contractors)

    def _bargain(self, now_s: float) -> int:
        """A lease that only one bids for; its holder and another agent come to a deal, or not."""
        market, rng = self._market, self._rng
        holder, buyer = rng.sample(market.agents, 2)
        cfp = market.call(open_ms=OPEN_MS, duration_ms=LEASE_MS)
        award = market.bid(cfp, holder, rng.randrange(10, 100))
        buyers = market.accounts[buyer.public]
        asked = c.OpenNegotiation(award, buyers, NegotiationProtocol.MONOTONIC, (), 4, ROUND_MS, 1)
        at_s = now_s + OPEN_MS / 1000 + STEP_S
        talk = self._plan(at_s, (asked, holder))
        prices = ((60, 20), (45, rng.choice((45, 45, 41))))
        steps: list[tuple[Command, KeyPair]] = [(c.JoinNegotiation(talk, 100, "task", bytes(32)), buyer)]
        for number, (high, low) in enumerate(prices, start=1):
            steps += [(c.MakeOffer(talk, number, (), high), holder), (c.MakeOffer(talk, number, (), low), buyer)]
        self._plan(at_s + STEP_S, *steps)
        return 2

    def _order(self, now_s: float) -> int:
        """Orders that a clearing or two serve, and a draw that is reported."""
        market, rng = self._market, self._rng
        for keys in rng.sample(market.agents[1:], 2):
            order = c.PlaceStandingOrder(TOKENS, rng.randrange(100, 5_000), rng.randrange(10, 10_000), "task", 1_000)
            market.send(order, keys)
        grant = market.send(c.DrawTokens(TOKENS, rng.randrange(1, 2_000), "incident"), market.agents[0])
        self._plan(now_s + STEP_S, (c.ReportUsage(grant, rng.randrange(1, 1_000), 1, 0, "incident"), market.agents[0]))
        return 3
