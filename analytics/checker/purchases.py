"""CFPs that buy, and the work they bought, as the independent checker sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction

from analytics.checker.parts import Account, Cfp, Fields, Pool, Terms, need
from analytics.checker.prices import LEASES_PER_POOL_MAX, Lots, in_order, peak

MONEY_MAX, DAY_MS, LEASE_MS_MAX = 10**15, 24 * 3600 * 1000, 7 * 24 * 3600 * 1000


@dataclass(slots=True)
class Work:
    """Work that has not ended."""

    cfp: bytes
    manager: bytes
    account: bytes
    price_ucr: int
    bond_ucr: int
    cost_per_s_ucr: int
    promised_ms: int
    awarded_at_ms: int
    task: str
    delay_ms: int | None = None

    def wanted_ucr(self) -> int:
        """What it is paid when it is done."""
        assert self.delay_ms is not None
        late = Fraction(self.cost_per_s_ucr * (self.delay_ms - self.promised_ms), 1000)
        return max(0, (self.price_ucr - late).__floor__())


@dataclass(slots=True)
class Ending:
    """Work that has ended in this record, and what has followed of what has to follow."""

    work: Work
    pool: str
    done: bool
    paid_ucr: int
    parts: set[str] = field(default_factory=set)

    def add(self, part: str) -> None:
        """Something followed, once."""
        need(part not in self.parts, f"the {part} of work is settled once")
        self.parts.add(part)

    def check(self) -> None:
        """Everything followed."""
        moved = self.paid_ucr if self.done else self.work.bond_ucr
        wanted = {"lease", "escrow", "bond"} | ({"payment"} if moved else set())
        need(self.parts == wanted, "work ends with its lease, its escrow, its bond and a payment")


def escrow_of(award: bytes) -> bytes:
    """Id of the hold that pays for work."""
    return hashlib.sha256(b"contractnet/escrow/1" + award).digest()[:16]


@dataclass(slots=True)
class Purchases:
    """One market's."""

    works: dict[bytes, Work] = field(default_factory=dict)
    endings: dict[bytes, Ending] = field(default_factory=dict)
    opening: list[tuple[bytes, Cfp]] = field(default_factory=list)
    """CFPs of this record that buy."""

    def open(self, cfp: Cfp, e: Fields, source: Fields) -> None:
        """A CFP's terms."""
        need(e["cfp"] == source["command"] and cfp.buys and cfp.terms is None, "terms belong to the opening")
        terms = Terms(e["delay_cost_per_s_ucr"], e["bond_ucr"], e["start_within_ms"], e["grace_ms"])
        need(0 <= terms.cost_per_s_ucr <= MONEY_MAX and 0 < terms.bond_ucr <= MONEY_MAX, "a bond is something")
        need(0 <= terms.within_ms <= DAY_MS and terms.grace_ms >= 0, "delays have limits")
        need(cfp.duration_ms + terms.grace_ms <= LEASE_MS_MAX, "work takes a week at most")
        cfp.terms = terms

    def offer(self, cfps: dict[bytes, Cfp], e: Fields, source: Fields, pools: dict[str, Pool]) -> None:
        """An ask names a pool of its account."""
        cfp = next((cfp for cfp in cfps.values() if e["bid"] in cfp.bids), None)
        need(cfp is not None, "an ask is placed before its pool is named")
        assert cfp is not None
        need(e["bid"] == source["command"] and cfp.terms is not None, "an ask answers a CFP that buys")
        bid, pool = cfp.bids[e["bid"]], pools.get(e["pool"])
        need(pool is not None and pool.owner == bid.account, "a contractor offers units of its own")
        assert pool is not None
        assert cfp.terms is not None
        need(not bid.pool and cfp.units <= pool.units, "of one pool, which has so many")
        need(0 < bid.price_ucr <= cfp.reserve_ucr, "an ask is not above the ceiling")
        need(0 <= bid.delay_ms <= cfp.terms.within_ms, "an ask starts in time")
        bid.pool = e["pool"]

    def begin(self, ident: bytes, cfp: Cfp, e: Fields, source: Fields) -> None:
        """An ask has won."""
        terms, bid = cfp.terms, cfp.bids[e["award"]]
        assert terms is not None
        need((source["cause"] == "DUE") == (not cfp.decide_ms), "the market awards what is bought, or its manager")
        prices = (e["price_ucr"], terms.bond_ucr, terms.cost_per_s_ucr, bid.delay_ms, source["at_ms"])
        self.works[e["award"]] = Work(ident, cfp.manager, bid.account, *prices, bid.task)

    def report(self, e: Fields, source: Fields, pools: dict[str, Pool]) -> None:
        """Work has started, or ended."""
        award, at_ms, progress = e["award"], source["at_ms"], e["progress"]
        need(award in self.works, "work is reported until it ends")
        work = self.works[award]
        name, held = next((n, p.leases[award]) for n, p in pools.items() if award in p.leases)
        need((e["cfp"], e["manager"], e["account"]) == (work.cfp, work.manager, work.account), "of its own parties")
        timed_out = progress == "TIMED_OUT"
        need((source["cause"] == "DUE") == timed_out == (at_ms >= held.lease.end_ms), "in time, or as out of time")
        if progress == "STARTED":
            need(work.delay_ms is None and e["paid_ucr"] == 0, "work starts once, and is not paid for that")
            work.delay_ms = max(work.promised_ms, at_ms - work.awarded_at_ms)
            need(e["delay_ms"] == work.delay_ms, f"the delay is {work.delay_ms}")
            return
        done = progress == "DONE"
        need(done or progress in ("FAILED", "TIMED_OUT"), "work ends in one of three ways")
        need(not done or work.delay_ms is not None, "work starts before it is done")
        wanted_ucr = work.wanted_ucr() if done else 0
        need((e["delay_ms"], e["paid_ucr"]) == (work.delay_ms, wanted_ucr), f"the payment is {wanted_ucr}")
        self.endings[award] = Ending(self.works.pop(award), name, done, wanted_ucr)

    def resolve(self, hold: bytes, captured_ucr: int) -> bool:
        """A hold ends; whether it is one of work that has ended."""
        for award, end in self.endings.items():
            if hold == award:
                need(captured_ucr == (0 if end.done else end.work.bond_ucr), "a bond is lost by failing alone")
                end.add("bond")
                return True
            if hold == escrow_of(award):
                need(captured_ucr == end.paid_ucr, "escrow pays what the work is worth")
                end.add("escrow")
                return True
        return False

    def post(self, e: Fields) -> bool:
        """A payment; whether it is one for work."""
        end = self.endings.get(e["award"])
        if end is None:
            return False
        work, paid = end.work, (e["reason"] == "AWARD")
        need(paid == end.done, "work that is done is paid, and work that failed pays")
        sides = (work.manager, work.account, end.paid_ucr) if paid else (work.account, work.manager, work.bond_ucr)
        need((e["debit"], e["credit"], e["amount_ucr"]) == sides, "escrow and bond go where they belong")
        need((e["cfp"], e["task"], e["pool"]) == (work.cfp, work.task, end.pool), "a payment says what for")
        end.add("payment")
        return True

    def end_lease(self, award: bytes) -> None:
        """A lease ends."""
        need(award not in self.works, "work ends before its lease")
        if award in self.endings:
            self.endings[award].add("lease")

    def end(self, holds: dict[bytes, tuple[bytes, int]]) -> None:
        """The record is over."""
        for ident, cfp in self.opening:
            need(cfp.terms is not None, "a CFP that buys has terms")
            need(holds.get(ident) == (cfp.manager, cfp.reserve_ucr * cfp.slots), "a manager holds its ceiling")
        for ending in self.endings.values():
            ending.check()
        self.opening.clear()
        self.endings.clear()

    def backed(self) -> dict[bytes, tuple[bytes, int]]:
        """The holds of all work."""
        escrows = {escrow_of(award): (work.manager, work.price_ucr) for award, work in self.works.items()}
        return escrows | {award: (work.account, work.bond_ucr) for award, work in self.works.items()}

    def load(self, rows: list[list[object]]) -> None:
        """From canonical state bytes."""
        for award, cfp, manager, account, *rest in rows:
            ids = [bytes.fromhex(str(ident)) for ident in (cfp, manager, account)]
            self.works[bytes.fromhex(str(award))] = Work(*ids, *rest)  # type: ignore[arg-type]  # JSON has no types


def check_purchase(cfp: Cfp, pools: dict[str, Pool], now_ms: int, lots: dict[bytes, Lots]) -> None:
    """Winners, their order and prices, and the losers' reasons."""
    terms = cfp.terms
    assert terms is not None
    able: list[bytes] = []
    for number, bid in cfp.bids.items():
        pool, start_ms = pools[bid.pool], now_ms + bid.delay_ms
        others = [held.lease for award, held in pool.leases.items() if award not in cfp.wins]
        used = peak(others, start_ms, start_ms + cfp.duration_ms + terms.grace_ms)
        fits = used + cfp.units <= pool.units and len(others) < LEASES_PER_POOL_MAX
        reason = "WITHDRAWN" if bid.withdrawn else "OUTBID" if fits else "UNLOCKABLE"
        if reason == "OUTBID":
            able.append(number)
        need(cfp.losses.get(number, reason) == reason, f"ask {number.hex()} lost because {reason}")

    def best(changed: bytes = b"", price_ucr: int = 0) -> list[bytes]:
        def placed(number: bytes) -> tuple[Fraction, Lots, bytes]:
            bid = cfp.bids[number]
            price = price_ucr if number == changed else bid.price_ucr
            total = price + Fraction(terms.cost_per_s_ucr * bid.delay_ms, 1000)
            return total / bid.weight_permille, lots[bid.account], number

        return in_order(map(placed, able))[: cfp.slots]

    need(best() == list(cfp.wins), "the best asks win, in order")
    for number, win in cfp.wins.items():
        price_ucr = win["price_ucr"]
        if cfp.pricing == "FIRST":
            need(price_ucr == cfp.bids[number].price_ucr, "a winner is promised its own ask")
            continue
        most = price_ucr == cfp.reserve_ucr or number not in best(number, price_ucr + 1)
        need(number in best(number, price_ucr) and most, f"{price_ucr} is the critical value of {number.hex()}")
        need(price_ucr <= cfp.reserve_ucr, "a price is not above the ceiling")


def check_manager(e: Fields, accounts: dict[bytes, Account], bank: bytes, pool: Pool | None) -> None:
    """A manager sells units of its own pool, or buys (`pool` is None)."""
    need(e["manager"] in accounts and e["units"] > 0, "an account trades something")
    if pool is None:
        need(e["manager"] != bank, "the bank does not buy")
    else:
        need(pool.owner == e["manager"] and e["units"] <= pool.units, "the owner sells what the pool has")
