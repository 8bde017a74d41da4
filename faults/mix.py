"""What the load does beside calls that sell at their deadline: managers choose, some alone are invited, bids are
grouped, work is bought and done, leases are bargained over and claimed, tokens are ordered, drawn and reported, and
the bank sets weights. Nobody waits for an answer: what comes too early or too late is refused, and is load as well."""

from __future__ import annotations

import heapq
import random
from itertools import count

from contractnet.envelope import Sealed
from contractnet.messages import Awarder, Command, Direction, Issue, NegotiationProtocol, Pricing, Progress
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from faults.world import Market

CONTRACTORS = 3
"""The last agents, who own a pool each."""
TOKENS = "llm"
SHARE = 0.25
"""Of the load's steps, how many begin something of this."""
OPEN_MS, WORK_MS, LEASE_MS, ROUND_MS, RESALE_MS = 200, 200, 3_000, 500, 200
HOURLY_PERMILLE, FLOOR_UCR, FEE_UCR = 1_000_000, 3_600_000_000, 1
"""Of the deposit for a call, for a unit and hour at least, and for each offer."""
THROTTLED = 0.1
"""Of the reports, how many tell of a 429, after a market's first one, which does."""
ISSUES = (Issue("handover", ("now", "clean")), Issue("support", ("none", "call", "full")))
STEP_S = 0.15
"""Between what belongs together: longer than an answer takes on a market that is not attacked."""


def furnish(market: Market, *, called: bool) -> None:
    """What the mix needs: contractors' pools, a token pool, a System agent, who is the first of the agents, and the
    operator's guards; with `called` leases that are bargained for are called for."""
    for keys in market.agents[-CONTRACTORS:]:
        market.send(c.CreatePool(pool_of(market, keys), market.accounts[keys.public], 4), market.bank)
    owner = market.accounts[market.manager.public]
    market.send(c.CreateTokenPool(TOKENS, owner, 600_000, 20_000, 200, 1_000, 10, 5_000), market.bank)
    market.send(c.IssueCredits(owner, 10**9, "deposits"), market.bank)
    market.send(c.SetPriority(market.accounts[market.agents[0].public], True), market.operator)
    market.send(c.SetPolicy(10**15, 60_000, FEE_UCR), market.operator)
    market.send(c.SetDeposit(HOURLY_PERMILLE, FLOOR_UCR), market.operator)
    market.send(c.SetResaleCall(RESALE_MS if called else 0), market.operator)


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
        self._throttled = False

    def begin(self, now_s: float) -> int:
        """Begin something or nothing; how many commands were sent."""
        if self._rng.random() > SHARE:
            return 0
        moves = (
            self._buy, self._hire, self._bargain, self._order, self._claim, self._alternate, self._choose,
            self._gather, self._weigh,
        )  # fmt: skip
        return self._rng.choice(moves)(now_s)

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
        cfp = market.send(_work(), rng.choice(market.agents[:-CONTRACTORS]))
        contractors = market.agents[-CONTRACTORS:]
        for keys in contractors:
            ask = c.PlaceAsk(cfp, pool_of(market, keys), rng.randrange(100, 1_000), 0, "task", bytes(32))
            award = market.send(ask, keys)
            end = rng.choice((Progress.DONE, Progress.DONE, Progress.FAILED))
            steps = [(c.ReportWork(award, Progress.STARTED, ""), keys), (c.ReportWork(award, end, "result"), keys)]
            self._plan(now_s + OPEN_MS / 1000 + STEP_S, *steps[: rng.choice((2, 2, 2, 1))])
        return 1 + len(contractors)

    def _hire(self, now_s: float) -> int:
        """Contractors compete; the buyer chooses one of them, or none that it can have, and that one does the work."""
        market, rng = self._market, self._rng
        buyer, contractors = rng.choice(market.agents[:-CONTRACTORS]), market.agents[-CONTRACTORS:]
        cfp = market.send(_work(Awarder.MANAGER, decide_ms=2_000), buyer)
        asks = [
            market.send(c.PlaceAsk(cfp, pool_of(market, keys), rng.randrange(100, 1_000), 0, "task", bytes(32)), keys)
            for keys in contractors
        ]
        chosen = rng.randrange(CONTRACTORS)
        at_s, worker = now_s + OPEN_MS / 1000 + STEP_S, contractors[chosen]
        first = rng.choice((c.AwardBid(asks[chosen]), c.AwardBid(asks[chosen]), c.RejectBid(asks[chosen])))
        self._plan(at_s, (first, buyer), (c.AwardBid(asks[chosen]), buyer))
        done = (c.ReportWork(asks[chosen], end, "result") for end in (Progress.STARTED, Progress.DONE))
        self._plan(at_s + 2 * STEP_S, *((report, worker) for report in done))
        return 1 + len(asks)

    def _weigh(self, _now_s: float) -> int:
        """The bank sets the weight of an account, which all of its budget root count by."""
        market, rng = self._market, self._rng
        account = market.accounts[rng.choice(market.agents).public]
        market.send(c.SetWeight(account, rng.choice((500, 800, 1_000, 1_000))), market.bank)
        return 1

    def _bargain(self, now_s: float) -> int:
        """A lease that only one bids for; its holder and another agent come to a deal, or not: over the price, or over
        issues with options as well."""
        holder, buyer, award, at_s = self._lease(now_s)
        issues = self._rng.choice(((), ISSUES))
        asked = self._asks(award, buyer, NegotiationProtocol.MONOTONIC, issues)
        talk = self._plan(at_s, (asked, holder))
        options = tuple(self._rng.randrange(len(issue.options)) for issue in issues)
        rounds = self._rounds(talk, holder, buyer, options)
        self._plan(at_s + STEP_S, (c.JoinNegotiation(talk, 100, "task", bytes(32)), buyer), *rounds)
        return 2

    def _claim(self, now_s: float) -> int:
        """A lease that somebody else claims; its holder joins, or leaves."""
        holder, buyer, award, at_s = self._lease(now_s)
        wish = c.ClaimLease(award, NegotiationProtocol.MONOTONIC, (), 4, ROUND_MS, 1, 100, "task", bytes(32))
        talk = self._plan(at_s, (wish, buyer))
        if self._rng.random() < 0.2:
            self._plan(at_s + STEP_S, (c.LeaveNegotiation(talk), holder))
        else:
            self._plan(
                at_s + STEP_S, (c.JoinNegotiation(talk, 0, "", bytes(32)), holder), *self._rounds(talk, holder, buyer)
            )
        return 2

    def _alternate(self, now_s: float) -> int:
        """A lease whose holder and another agent make offers in turn; one of them is taken, or none is."""
        holder, buyer, award, at_s = self._lease(now_s)
        talk = self._plan(at_s, (self._asks(award, buyer, NegotiationProtocol.ALTERNATING), holder))
        steps: list[tuple[Command, KeyPair]] = [
            (c.JoinNegotiation(talk, 100, "task", bytes(32)), buyer),
            (c.MakeOffer(talk, 1, (), 80), holder),
            (c.MakeOffer(talk, 2, (), 40), buyer),
        ]
        end = self._rng.choice((c.AcceptOffer(talk, 2), c.AcceptOffer(talk, 2), c.LeaveNegotiation(talk)))
        self._plan(at_s + STEP_S, *steps, (end, holder))
        return 2

    def _choose(self, now_s: float) -> int:
        """A call whose manager chooses, to which some alone are invited, and one bids who is not."""
        market, rng = self._market, self._rng
        bidders = rng.sample(market.agents, 3)
        invited = tuple(market.accounts[keys.public] for keys in bidders[:2])
        call = c.CallForProposals(
            Direction.SELL, "gpu", 1, WORK_MS, 1, OPEN_MS, 10, Pricing.FIRST, Awarder.MANAGER, 2_000, invited
        )
        cfp = market.send(call, market.manager)
        bids = [market.bid(cfp, keys, rng.randrange(10, 1_000)) for keys in bidders]
        chosen = rng.choice((c.AwardBid(bids[0]), c.AwardBid(bids[1]), c.RejectBid(bids[0]), c.AwardBid(bids[2])))
        # Where neither wins, the deposit pays them.
        then = rng.choice((c.AwardBid(bids[1]), c.AwardBid(bids[1]), c.RejectBid(bids[1])))
        self._plan(now_s + OPEN_MS / 1000 + STEP_S, (chosen, market.manager), (then, market.manager))
        return 1 + len(bidders)

    def _gather(self, _now_s: float) -> int:
        """Two calls, of which an agent wants to win one; another withdraws, and a third refuses."""
        market, rng = self._market, self._rng
        wanting, leaving, refusing = rng.sample(market.agents, 3)
        group = rng.randbytes(16)
        for _ in range(2):
            cfp = market.call(open_ms=OPEN_MS, duration_ms=WORK_MS)
            price_ucr = rng.randrange(10, 1_000)
            market.send(c.PlaceBid(cfp, price_ucr, 0, "task", bytes(32), None, group, 1), wanting)
            market.send(c.WithdrawBid(market.bid(cfp, leaving, price_ucr)), leaving)
            market.send(c.RefuseCfp(cfp, "busy"), refusing)
        return 10

    def _lease(self, now_s: float) -> tuple[KeyPair, KeyPair, bytes, float]:
        """A lease that only one bids for: its holder, another agent, the award, and when it is there."""
        market, rng = self._market, self._rng
        holder, buyer = rng.sample(market.agents, 2)
        cfp = market.call(open_ms=OPEN_MS, duration_ms=LEASE_MS)
        return holder, buyer, market.bid(cfp, holder, rng.randrange(10, 100)), now_s + OPEN_MS / 1000 + STEP_S

    def _asks(
        self, award: bytes, buyer: KeyPair, protocol: NegotiationProtocol, issues: tuple[Issue, ...] = ()
    ) -> c.OpenNegotiation:
        still = 1 if protocol is NegotiationProtocol.MONOTONIC else 0
        return c.OpenNegotiation(award, self._market.accounts[buyer.public], protocol, issues, 4, ROUND_MS, still)

    def _rounds(
        self, talk: bytes, holder: KeyPair, buyer: KeyPair, options: tuple[int, ...] = ()
    ) -> list[tuple[Command, KeyPair]]:
        """Two rounds of monotonic concession, which meet or do not. With issues the holder comes over to the buyer's
        options in the second one."""
        first = tuple(1 - bool(option) for option in options)
        steps: list[tuple[Command, KeyPair]] = []
        for number, (high, low) in enumerate(((60, 20), (45, self._rng.choice((45, 45, 41)))), start=1):
            mine = first if number == 1 else options
            steps += [(c.MakeOffer(talk, number, mine, high), holder), (c.MakeOffer(talk, number, options, low), buyer)]
        return steps

    def _order(self, now_s: float) -> int:
        """Orders that a clearing or two serve, large ones of two or small ones of all, and a draw that is reported."""
        market, rng = self._market, self._rng
        many, tokens_max = rng.choice(((2, 5_000), (len(market.agents) - 1, 300)))
        for keys in rng.sample(market.agents[1:], many):
            order = c.PlaceStandingOrder(
                TOKENS, rng.randrange(100, tokens_max), rng.randrange(10, 10_000), "task", 1_000
            )
            market.send(order, keys)
        grant = market.send(c.DrawTokens(TOKENS, rng.randrange(1, 2_000), "incident"), market.agents[0])
        throttled = not self._throttled or rng.random() < THROTTLED
        self._throttled = True
        report = c.ReportUsage(grant, rng.randrange(1, 1_000), 1, int(throttled), "incident")
        self._plan(now_s + STEP_S, (report, market.agents[0]))
        return 1 + many


def _work(award: Awarder = Awarder.AUTO, decide_ms: int = 0) -> c.CallForProposals:
    """A call that buys, by the market's choice or the manager's."""
    pricing = Pricing.SECOND if award is Awarder.AUTO else Pricing.FIRST
    return c.CallForProposals(
        Direction.BUY, "gpu", 1, WORK_MS, 1, OPEN_MS, 1_000, pricing, award, decide_ms,
        delay_cost_per_s_ucr=100, bond_ucr=50, start_within_ms=200, grace_ms=400,
    )  # fmt: skip
