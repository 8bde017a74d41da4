"""Adversaries where work is bought, and where two bargain over a lease: insiders with a right signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contractnet.messages import Code, Direction, Issue, NegotiationProtocol, Pricing, Progress
from contractnet.messages import commands as c
from contractnet.messages.commands import Command
from contractnet.signing import KeyPair
from faults.hostile.absurd import BAD_TEXTS, LONG_MAX, LONG_MIN, PATHS, POISON
from faults.hostile.ground import ACCEPTED, CREDITS, DAY_MS, Ground, Shot, bid
from market import limits

CEILING_UCR, BOND_UCR, PROMISE_MS = 1_000, 100, 10_000
LEASE_MS = 5_000
SHOP, SHOP_UNITS = "shop", 50
NO_AWARD = (Code.UNKNOWN_LEASE, Code.OUT_OF_SEQUENCE)
"""What reports of work are answered where the award is yet to come, or is settled."""
NO_LEASE = Code.UNKNOWN_LEASE


def buying(open_ms: int) -> c.CallForProposals:
    """A call for work of one unit for half a second, at 1,000 at most."""
    usual = c.CallForProposals(Direction.BUY, "work", 1, 500, 1, open_ms, CEILING_UCR, Pricing.SECOND)
    return replace(usual, delay_cost_per_s_ucr=5, bond_ucr=BOND_UCR, start_within_ms=PROMISE_MS, grace_ms=1_000)


class Contractors:
    """Who offers units that it has not, asks for more than there is to get, reports others' work or its own twice."""

    name = "contractors"

    def __init__(self) -> None:
        self._shop: list[Shot] | None = None
        self._before: bytes | None = None
        """The ask of an earlier call, which has won it by now."""

    def volley(self, ground: Ground) -> list[Shot]:
        """A call that an honest contractor answers among all the others; and the work of the one before."""
        shots = [] if self._shop else self._opened(ground)
        called, cfp = ground.honest(buying(DAY_MS), ground.manager)
        placed, _ = ground.honest(self._ask(cfp), ground.agents[0])
        sold, selling = ground.honest(ground.calling("gpu", DAY_MS), ground.manager)
        shots += [called, placed, sold, *self._asks(ground, cfp, selling), *self._terms(ground), *self._reports(ground)]
        shots += [ground.shot(c.CancelCfp(cfp), keys, Code.NOT_OWNER) for keys in (ground.mallory, ground.agents[0])]
        shots += [ground.honest(c.CancelCfp(x), ground.manager)[0] for x in (cfp, selling)]
        shots.append(ground.shot(self._ask(cfp, "bait"), ground.fence, Code.CFP_CLOSED))
        short, wanted = ground.honest(buying(ground.open_ms), ground.manager)
        offered, self._before = ground.honest(self._ask(wanted), ground.agents[0])
        return [*shots, short, offered]

    def _opened(self, ground: Ground) -> list[Shot]:
        owner = ground.accounts[ground.agents[0].public]
        self._shop = [ground.honest(c.CreatePool(SHOP, owner, SHOP_UNITS), ground.bank)[0]]
        return self._shop

    @staticmethod
    def _ask(cfp: bytes, pool: str = SHOP, **change: Any) -> c.PlaceAsk:
        return replace(c.PlaceAsk(cfp, pool, 500, 100, "work", bytes(32)), **change)

    def _asks(self, ground: Ground, cfp: bytes, selling: bytes) -> list[Shot]:
        """Asks that must not stand."""
        rng, fence = ground.rng, ground.fence
        price, delay = (CEILING_UCR + 1, 0, -1, LONG_MAX, LONG_MIN), (PROMISE_MS + 1, -1, LONG_MAX, LONG_MIN)
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"price_ucr": rng.choice(price)}, Code.BAD_AMOUNT),
            ({"start_delay_ms": rng.choice(delay)}, Code.BAD_DURATION),
            ({"task": rng.choice(BAD_TEXTS)}, Code.BAD_NAME),
            ({"pool": rng.choice((*POISON, *PATHS))}, Code.UNKNOWN_POOL),
            ({"pool": rng.choice((SHOP, "gpu"))}, Code.NOT_OWNER),
            ({"cfp": rng.randbytes(16)}, Code.UNKNOWN_CFP),
            ({"cfp": selling}, Code.OUT_OF_SEQUENCE),
        )
        shots = [ground.shot(self._ask(**{"cfp": cfp, "pool": "bait"} | change), fence, code) for change, code in wrong]
        shots.append(ground.shot(self._ask(cfp), ground.manager, Code.OWN_CFP))
        shots.append(ground.shot(self._ask(cfp), ground.bank, Code.NOT_PERMITTED))
        shots.append(ground.shot(bid(cfp, 10), ground.mallory, Code.OUT_OF_SEQUENCE))
        # An accomplice wants more units than a contractor's pool has.
        large = replace(buying(DAY_MS), reserve_price_ucr=10, bond_ucr=10, units=SHOP_UNITS + 1)
        sealed = ground.sealed(large, ground.mallory)
        ask = self._ask(sealed.command_id, price_ucr=10)
        shots += [ground.shot_of(sealed, ACCEPTED), ground.shot(ask, ground.agents[0], Code.UNITS_EXCEED_POOL)]
        shots.append(ground.shot(c.CancelCfp(sealed.command_id), ground.mallory, ACCEPTED))
        return shots

    @staticmethod
    def _terms(ground: Ground) -> list[Shot]:
        """Calls that buy on terms that nobody means, or that their manager cannot pay."""
        rng, mallory = ground.rng, ground.mallory
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"delay_cost_per_s_ucr": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_AMOUNT),
            ({"bond_ucr": rng.choice((0, -1, CEILING_UCR + 1, LONG_MAX, LONG_MIN))}, Code.BAD_AMOUNT),
            ({"start_within_ms": rng.choice((-1, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
            ({"grace_ms": rng.choice((-1, limits.LEASE_MS_MAX, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
            ({"slots": limits.SLOTS_MAX, "reserve_price_ucr": limits.AMOUNT_UCR_MAX}, Code.BAD_AMOUNT),
            ({"reserve_price_ucr": rng.randrange(CREDITS + 1, limits.AMOUNT_UCR_MAX)}, Code.INSUFFICIENT_CREDIT),
            ({"direction": Direction.UNSPECIFIED}, Code.UNKNOWN_POOL),
        )
        return [ground.shot(replace(buying(1_000), **change), mallory, code) for change, code in wrong]

    def _reports(self, ground: Ground) -> list[Shot]:
        """On the work before: others report it; its contractor does, and would be paid twice."""
        if self._before is None:
            return []
        rng, worker, award = ground.rng, ground.agents[0], self._before
        progress = (Progress.STARTED, Progress.DONE, Progress.FAILED)
        others = (ground.mallory, ground.fence, ground.manager)
        strange = (Code.NOT_OWNER, Code.UNKNOWN_LEASE)
        shots = [ground.shot(c.ReportWork(award, p, "mine"), keys, *strange) for p in progress for keys in others]
        shots.append(ground.shot(c.ReportWork(rng.randbytes(16), Progress.DONE, ""), worker, NO_LEASE))
        vague = (c.ReportWork(award, Progress.UNSPECIFIED, ""), c.ReportWork(award, Progress.TIMED_OUT, ""))
        shots += [ground.shot(report, worker, Code.UNKNOWN_VALUE, NO_LEASE) for report in vague]
        bad = c.ReportWork(award, Progress.DONE, rng.choice(BAD_TEXTS))
        shots.append(ground.shot(bad, worker, Code.BAD_NAME, NO_LEASE))
        shots.append(ground.shot(c.ReleaseLease(award), worker, *NO_AWARD))
        for step in (Progress.STARTED, Progress.DONE):
            shots.append(ground.honest(c.ReportWork(award, step, "done"), worker, ACCEPTED, *NO_AWARD)[0])
        return [*shots, *(ground.shot(c.ReportWork(award, p, "again"), worker, *NO_AWARD) for p in progress)]


class Bargainers:
    """Who bargains over others' leases, out of turn, with more than it has, or on terms that make no sense."""

    name = "bargainers"

    def __init__(self) -> None:
        self._honest: bytes | None = None
        """A lease of an honest member, won in the volley before."""
        self._own: bytes | None = None
        """A lease of the insider's, on an accomplice's pool."""

    def volley(self, ground: Ground) -> list[Shot]:
        """The leases of the volley before are bargained over; new ones are won for the next."""
        shots: list[Shot] = []
        if self._honest is not None and self._own is not None:
            shots += self._against(ground, self._honest)
            shots += self._absurd(ground, self._own)
            shots += self._claims(ground, self._own)
            shots += self._within(ground, self._own)
        return [*shots, *self._won(ground)]

    def _won(self, ground: Ground) -> list[Shot]:
        called, cfp = ground.honest(
            replace(ground.calling("gpu", ground.open_ms), duration_ms=LEASE_MS), ground.manager
        )
        placed, self._honest = ground.honest(bid(cfp, 50), ground.agents[1])
        bait = ground.sealed(replace(ground.calling("bait", ground.open_ms), duration_ms=LEASE_MS), ground.fence)
        own = ground.sealed(bid(bait.command_id, 20), ground.mallory)
        self._own = own.command_id
        return [called, placed, *(ground.shot_of(s, ACCEPTED, hostile=False) for s in (bait, own))]

    @staticmethod
    def _opening(ground: Ground, award: bytes, other: KeyPair, **change: Any) -> c.OpenNegotiation:
        counterpart = ground.accounts[other.public]
        monotonic = NegotiationProtocol.MONOTONIC
        issues = (Issue("start", ("now", "later")),)
        return replace(c.OpenNegotiation(award, counterpart, monotonic, issues, 4, 1_000, 1), **change)

    def _against(self, ground: Ground, award: bytes) -> list[Shot]:
        """Two honest members bargain; the insider would like to be either of them."""
        holder, buyer = ground.agents[1:3]
        shots = [ground.shot(self._opening(ground, award, buyer), ground.mallory, Code.NOT_OWNER, NO_LEASE)]
        # Anybody may claim a lease, once an hour; it does not keep the holder from bargaining with somebody else.
        claims = (ACCEPTED, NO_LEASE, Code.LIMIT_REACHED)
        shots.append(ground.shot(self._claim(award), ground.mallory, *claims, hostile=False))
        opened, ident = ground.honest(self._opening(ground, award, buyer), holder, ACCEPTED, NO_LEASE)
        gone = (Code.UNKNOWN_NEGOTIATION, Code.NEGOTIATION_CLOSED)
        joined, _ = ground.honest(c.JoinNegotiation(ident, 100, "task", bytes(32)), buyer, ACCEPTED, *gone)
        strange: list[Command] = [
            c.JoinNegotiation(ident, 100, "", bytes(32)),
            c.MakeOffer(ident, 1, (0,), 10),
            c.AcceptOffer(ident, 1),
            c.LeaveNegotiation(ident),
        ]
        shots.append(opened)
        shots += [ground.shot(command, ground.mallory, Code.NOT_A_PARTY, *gone) for command in strange]
        shots.append(joined)
        shots += [ground.shot(command, ground.fence, Code.NOT_A_PARTY, *gone) for command in strange]
        left, _ = ground.honest(c.LeaveNegotiation(ident), holder, ACCEPTED, *gone)
        late = c.MakeOffer(ident, 1, (0,), 10)
        shots += [left, *(ground.shot(late, keys, *gone) for keys in (holder, buyer, ground.mallory))]
        return shots

    def _absurd(self, ground: Ground, award: bytes) -> list[Shot]:
        """Negotiations with oneself, the bank or nobody; about nothing that has a name; without end."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        twice, many = Issue("x", ("a", "a")), tuple(str(n) for n in range(limits.OPTIONS_MAX + 1))
        issues = (
            (Issue("x", ("a",)),),
            (twice,),
            (Issue("x", many),),
            (Issue("x", ("a", "b")), Issue("x", ("a", "b"))),
            tuple(Issue(str(n), ("a", "b")) for n in range(limits.ISSUES_MAX + 1)),
        )
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"counterpart": ground.accounts[mallory.public]}, Code.BAD_COUNTERPART),
            ({"counterpart": rng.randbytes(16)}, Code.UNKNOWN_ACCOUNT),
            ({"protocol": NegotiationProtocol.UNSPECIFIED}, Code.UNKNOWN_VALUE),
            ({"issues": rng.choice(issues)}, Code.BAD_ISSUES),
            ({"issues": (Issue(rng.choice(BAD_TEXTS[:-4]), ("a", "b")),)}, Code.BAD_NAME),
            ({"rounds_max": rng.choice((0, -1, limits.ROUNDS_MAX + 1, 2**31 - 1))}, Code.BAD_ROUNDS),
            ({"still_rounds_max": rng.choice((-1, 5, 2**31 - 1))}, Code.BAD_ROUNDS),
            ({"round_ms": rng.choice((0, -1, limits.ROUND_MS_MIN - 1, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
        )
        shots = [
            ground.shot(self._opening(ground, award, fence, **change), mallory, code, NO_LEASE)
            for change, code in wrong
        ]
        nowhere = self._opening(ground, rng.randbytes(16), fence)
        return [*shots, ground.shot(nowhere, mallory, NO_LEASE)]

    @staticmethod
    def _claim(award: bytes, **change: Any) -> c.ClaimLease:
        return replace(c.ClaimLease(award, NegotiationProtocol.MONOTONIC, (), 4, 1_000, 1, 10, "", bytes(32)), **change)

    def _claims(self, ground: Ground, award: bytes) -> list[Shot]:
        """Claims of an accomplice on terms that make no sense, of who has the lease, and of the bank. How long deals
        are open to others is the operator's word."""
        rng, fence = ground.rng, ground.fence
        wrong: tuple[tuple[dict[str, Any], Code], ...] = (
            ({"protocol": NegotiationProtocol.UNSPECIFIED}, Code.UNKNOWN_VALUE),
            ({"issues": (Issue("x", ("a",)),)}, Code.BAD_ISSUES),
            ({"rounds_max": rng.choice((0, -1, limits.ROUNDS_MAX + 1, 2**31 - 1))}, Code.BAD_ROUNDS),
            ({"round_ms": rng.choice((0, -1, limits.ROUND_MS_MIN - 1, LONG_MAX, LONG_MIN))}, Code.BAD_DURATION),
            ({"cap_ucr": rng.choice((0, -1, LONG_MAX, LONG_MIN))}, Code.BAD_AMOUNT),
            ({"cap_ucr": rng.randrange(CREDITS * 10, limits.AMOUNT_UCR_MAX)}, Code.INSUFFICIENT_CREDIT),
            ({"task": rng.choice(BAD_TEXTS)}, Code.BAD_NAME),
        )
        shots = [ground.shot(self._claim(award, **change), fence, code, NO_LEASE) for change, code in wrong]
        shots.append(ground.shot(self._claim(rng.randbytes(16)), fence, NO_LEASE))
        shots.append(ground.shot(self._claim(award), ground.mallory, Code.BAD_COUNTERPART, NO_LEASE))
        shots.append(ground.shot(self._claim(award), ground.bank, Code.NOT_PERMITTED, NO_LEASE))
        word = c.SetResaleCall(rng.choice((0, 1_000, 60_000, LONG_MAX, LONG_MIN)))
        return [*shots, *(ground.shot(word, keys, Code.NOT_PERMITTED) for keys in (ground.mallory, ground.bank))]

    def _within(self, ground: Ground, award: bytes) -> list[Shot]:
        """The insider's own negotiation with its accomplice: legal as such, and every step has its turn."""
        rng, mallory, fence = ground.rng, ground.mallory, ground.fence
        opening = ground.sealed(self._opening(ground, award, fence), mallory)
        ident = opening.command_id
        gone = (Code.UNKNOWN_NEGOTIATION, Code.NEGOTIATION_CLOSED)

        def offer(number: int, price_ucr: int, options: tuple[int, ...] = (0,)) -> Command:
            return c.MakeOffer(ident, number, options, price_ucr)

        def join(cap_ucr: int, task: str = "") -> Command:
            return c.JoinNegotiation(ident, cap_ucr, task, bytes(32))

        steps: list[tuple[Command, KeyPair, Code | str]] = [
            (self._opening(ground, award, fence), mallory, Code.LEASE_IN_NEGOTIATION),
            (offer(1, 10), mallory, Code.OUT_OF_TURN),
            (join(100), mallory, Code.OUT_OF_TURN),
            (join(rng.choice((0, -1, LONG_MAX, LONG_MIN))), fence, Code.BAD_AMOUNT),
            (join(rng.randrange(CREDITS * 10, limits.AMOUNT_UCR_MAX)), fence, Code.INSUFFICIENT_CREDIT),
            (join(100, rng.choice(BAD_TEXTS)), fence, Code.BAD_NAME),
            (join(100), fence, ACCEPTED),
            (join(100), fence, Code.OUT_OF_TURN),
            (offer(rng.choice((2, 3, 2**31 - 1)), 10), fence, Code.OUT_OF_TURN),
            (offer(rng.choice((0, -1, -(2**31))), 10), fence, Code.ROUND_OVER),
            (offer(1, 10, rng.choice(((), (2,), (-1,), (0, 0), (2**31 - 1,)))), fence, Code.BAD_OFFER),
            (offer(1, rng.choice((0, -1, LONG_MAX, LONG_MIN))), fence, Code.BAD_AMOUNT),
            (offer(1, 101), fence, Code.ABOVE_CAP),
            (c.AcceptOffer(ident, 1), mallory, Code.WRONG_PROTOCOL),
            (offer(1, 50), fence, ACCEPTED),
            (offer(1, 60), fence, Code.OUT_OF_TURN),
            (offer(1, 90), mallory, ACCEPTED),
            (offer(1, 80), mallory, Code.ROUND_OVER),
            (offer(2, 40), fence, Code.NOT_MONOTONIC),
            (offer(2, 95), mallory, Code.NOT_MONOTONIC),
            (c.LeaveNegotiation(ident), rng.choice((mallory, fence)), ACCEPTED),
            (offer(2, 60), fence, Code.NEGOTIATION_CLOSED),
            (c.LeaveNegotiation(ident), mallory, Code.NEGOTIATION_CLOSED),
        ]
        late = (NO_LEASE, *gone, Code.ROUND_OVER)
        return [
            ground.shot_of(opening, ACCEPTED, NO_LEASE),
            *(ground.shot(command, keys, code, *late) for command, keys, code in steps),
        ]
