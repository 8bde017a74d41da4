"""The market's books, kept from the ledger's events alone and sharing no code with market/: what must hold, holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from contractnet.messages import Cause, CfpOutcome, Code, Direction, Entry, Pricing, ReleaseReason
from contractnet.messages import events as e
from tests.simulation.books_budgets import BudgetBooks
from tests.simulation.books_decay import AVERAGE_RULES
from tests.simulation.books_deposits import DepositBooks, deposit_of
from tests.simulation.books_groups import GroupBooks
from tests.simulation.books_negotiations import NegotiationBooks
from tests.simulation.books_purchases import PurchaseBooks
from tests.simulation.books_ranking import RankingBooks
from tests.simulation.books_tokens import TokenBooks


@dataclass(slots=True)
class Auction:
    """One CFP: what was called for, its bids, and what came of them."""

    opened: e.CfpOpened
    bids: dict[bytes, e.BidPlaced] = field(default_factory=dict)
    withdrawn: set[bytes] = field(default_factory=set)
    awards: dict[int, e.AwardMade] = field(default_factory=dict)
    rejected: dict[bytes, ReleaseReason] = field(default_factory=dict)
    decide_ms: int = 0
    """How long its manager may choose; 0: the market awards."""
    until_ms: int = 0
    refused: set[bytes] = field(default_factory=set)
    invited: set[bytes] = field(default_factory=set)
    opened_at_ms: int = 0
    deposit_rate: Fraction = Fraction(0)
    """Of its manager's deposit: micro-credits for each slot and millisecond."""
    placed_at_ms: dict[bytes, int] = field(default_factory=dict)
    declined_at_ms: dict[bytes, int] = field(default_factory=dict)

    @property
    def bound_ms(self) -> int:
        """How long a bid may bind its bidder."""
        return self.opened.closes_at_ms - self.opened_at_ms + self.decide_ms

    @property
    def deposit_ucr(self) -> int:
        """What its manager deposits."""
        return (self.deposit_rate * self.opened.slots * self.bound_ms).__ceil__()

    def choosable(self) -> list[bytes]:
        """Bids that may still win."""
        won = {award.award for award in self.awards.values()}
        over = won | self.withdrawn | set(self.rejected)
        least_ucr = 0 if self.opened.direction is Direction.BUY else self.opened.reserve_price_ucr
        return [i for i, b in self.bids.items() if i not in over and b.price_ucr >= least_ucr]


class Books(GroupBooks, BudgetBooks, NegotiationBooks, PurchaseBooks, TokenBooks, DepositBooks, RankingBooks):
    """Takes entries in order; every broken promise is an AssertionError."""

    def __init__(self) -> None:
        super().__init__()
        NegotiationBooks.__init__(self)
        PurchaseBooks.__init__(self)
        TokenBooks.__init__(self)
        DepositBooks.__init__(self)
        RankingBooks.__init__(self)
        self.now_ms = self.rules = 0
        self.head = b""
        """Chain head before the record whose entries are written down: it decides ties."""
        self.bank = b""
        self.genesis = b""
        self.balances: dict[bytes, int] = {}
        self.names: dict[str, bytes] = {}
        self.keys: dict[bytes, bytes] = {}
        self.holds: dict[bytes, tuple[bytes, int]] = {}
        self.pools: dict[str, int] = {}
        self.auctions: dict[bytes, Auction] = {}
        self.ended: dict[bytes, None] = {}
        self.leases: dict[bytes, e.SlotReserved] = {}
        self.awards: set[bytes] = set()
        self.outcomes: dict[bytes, Code] = {}
        self.answered: set[bytes] = set()
        self.owing: list[object] = []
        self.events: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()

    def take(self, entry: Entry) -> None:
        """Write one entry down."""
        assert entry.source.at_ms >= self.now_ms, "market time ran back"
        self.now_ms = entry.source.at_ms
        name = type(entry.event).__name__
        self.events[name] += 1
        placing = self.owing == [e.HoldPlaced] and isinstance(entry.event, e.BidGrouped | e.HoldResized)
        if self.owing and not placing:
            assert type(entry.event) is self.owing.pop(0), "an award, its lock, capture and payment are one"
        write = getattr(self, f"_{name}", None)
        if write is not None:
            write(entry, entry.event)

    def check(self) -> None:
        """What must hold between records."""
        assert not self.owing, "an award is torn"
        self.check_budgets()
        self.check_groups()
        self.check_negotiations()
        assert sum(self.balances.values()) == 0, "credits appeared or vanished"
        held: Counter[bytes] = Counter()
        for account, amount_ucr in self.holds.values():
            held[account] += amount_ucr
        for account, balance_ucr in self.balances.items():
            assert account == self.bank or balance_ucr >= held[account], "somebody spent what it does not have"

    def price_of(self, bid: bytes) -> int:
        """What was bid."""
        return next(a.bids[bid].price_ucr for a in self.auctions.values() if bid in a.bids)

    def _outcome(self, entry: Entry, code: Code, *, remembered: bool) -> None:
        self.codes[code] += 1
        command = entry.source.command
        self.answered.add(command)
        if remembered:
            assert command not in self.outcomes, "a command has two outcomes"
            self.outcomes[command] = code

    def _CommandAccepted(self, entry: Entry, _: e.CommandAccepted) -> None:
        self._outcome(entry, Code.ACCEPTED, remembered=True)

    def _CommandRejected(self, entry: Entry, event: e.CommandRejected) -> None:
        self._outcome(entry, event.code, remembered=event.sequence is not None)

    def _CommandRepeated(self, entry: Entry, event: e.CommandRepeated) -> None:
        assert self.outcomes[entry.source.command] is event.code, "a repeat has another outcome"

    def _CommandUnreadable(self, entry: Entry, _: e.CommandUnreadable) -> None:
        self._outcome(entry, Code.UNREADABLE, remembered=False)

    def _MarketOpened(self, _: Entry, event: e.MarketOpened) -> None:
        self.bank, self.genesis, self.rules = event.bank, event.genesis_hash, event.rules_version
        self.balances[event.bank] = 0
        self.roots[event.bank] = "bank"
        self.names["bank"] = event.bank
        self.keys[event.bank_key] = event.bank

    def _RulesActivated(self, entry: Entry, event: e.RulesActivated) -> None:
        before, self.rules = self.rules, event.version
        if before < AVERAGE_RULES:
            for purse in self.purses.values():
                purse.counts_from_ms = entry.source.at_ms

    def _AccountOpened(self, _: Entry, event: e.AccountOpened) -> None:
        assert event.account not in self.balances
        self.balances[event.account] = 0
        self.names[event.name] = event.account
        self.projects[event.account] = event.project
        self.roots[event.account] = event.budget_root
        self.keys[event.signing_key] = event.account

    def _KeyRegistered(self, _: Entry, event: e.KeyRegistered) -> None:
        assert event.signing_key not in self.keys
        self.keys[event.signing_key] = event.account

    def _KeyRevoked(self, _: Entry, event: e.KeyRevoked) -> None:
        del self.keys[event.signing_key]

    def _KeyExpires(self, entry: Entry, event: e.KeyExpires) -> None:
        assert self.keys[event.signing_key] == event.account
        assert event.expires_at_ms > entry.source.at_ms

    def _OperatorKeyRotated(self, _: Entry, event: e.OperatorKeyRotated) -> None:
        assert event.signing_key not in self.keys

    def _CreditsTransferred(self, entry: Entry, event: e.CreditsTransferred) -> None:
        assert event.amount_ucr > 0
        self.balances[event.debit] -= event.amount_ucr
        self.balances[event.credit] += event.amount_ucr
        self.post(entry, event)
        self.pay_tokens(event)
        self.post_deposit(event, self.auctions.get(event.cfp or b""))
        if event.award is not None:
            assert event.award in self.awards or event.award in self.talks or event.award in self.grants

    def _HoldPlaced(self, entry: Entry, event: e.HoldPlaced) -> None:
        assert event.hold not in self.holds
        bid, wanted = self._backed(event)
        unheld = event.amount_ucr == 0 and self.has_group(event.hold)
        assert event.amount_ucr == wanted or unheld, "the hold is not what it backs"
        self.holds[event.hold] = (event.account, event.amount_ucr)
        if bid is not None or event.hold in (event.cfp, deposit_of(event.cfp)):
            self.hold(event.account)
            if entry.source.cause is Cause.COMMAND and not self.has_group(event.hold):
                self.spend(event.account)

    def _backed(self, event: e.HoldPlaced) -> tuple[e.BidPlaced | None, int]:
        """The bid that a hold backs, if it does, and its amount outside a group."""
        talk = self.talks.get(event.hold)
        if talk is not None:
            return None, talk.cap_ucr
        auction, terms = self.auctions[event.cfp], self.terms.get(event.cfp)
        bid = auction.bids.get(event.hold)
        if bid is not None:
            return bid, bid.price_ucr if terms is None else terms.bond_ucr
        if event.hold == event.cfp:
            ceiling_ucr = auction.opened.reserve_price_ucr * auction.opened.slots
            return None, auction.deposit_ucr if terms is None else ceiling_ucr
        if event.hold == deposit_of(event.cfp):
            assert auction.deposit_rate, "a deposit that nobody asked for"
            return None, auction.deposit_ucr
        return None, auction.awards[max(auction.awards)].price_ucr

    def _HoldCaptured(self, _: Entry, event: e.HoldCaptured) -> None:
        account, amount_ucr = self.holds.pop(event.hold)
        assert (account, amount_ucr) == (event.account, event.captured_ucr + event.released_ucr)
        assert event.released_ucr >= 0
        self.leave(event.hold, won=True)
        self.pay(account, event.captured_ucr)
        self.capture(event)

    def _HoldReleased(self, _: Entry, event: e.HoldReleased) -> None:
        assert self.holds.pop(event.hold) == (event.account, event.amount_ucr)
        self.leave(event.hold, won=False)

    def _HoldResized(self, entry: Entry, event: e.HoldResized) -> None:
        if self.shrink(event):
            return
        auction = self.auctions.get(event.hold)
        if auction is None:
            super()._HoldResized(entry, event)
            return
        left = auction.opened.slots - len(auction.awards)
        assert event.amount_ucr == auction.opened.reserve_price_ucr * left, "the ceiling is not that of what is left"
        self.holds[event.hold] = (event.account, event.amount_ucr)

    def _PoolCreated(self, _: Entry, event: e.PoolCreated) -> None:
        self.pools[event.pool] = event.units

    def _PoolResized(self, entry: Entry, event: e.PoolResized) -> None:
        self.pools[event.pool] = event.units
        self._check_capacity(event.pool, entry.source.at_ms, None)

    def _CfpOpened(self, entry: Entry, event: e.CfpOpened) -> None:
        rate = Fraction(0) if self.call_for(entry, event) else self.rate_of(event, self.bank)
        self.auctions[event.cfp] = Auction(event, opened_at_ms=entry.source.at_ms, deposit_rate=rate)
        self.weighed[event.cfp] = len(self.weighings)

    def _PurchaseOpened(self, entry: Entry, event: e.PurchaseOpened) -> None:
        super()._PurchaseOpened(entry, event)
        self.auctions[event.cfp].deposit_rate = self.rate_of_buyer(event)

    def _AwardDeferred(self, _: Entry, event: e.AwardDeferred) -> None:
        auction = self.auctions[event.cfp]
        assert auction.opened.pricing is Pricing.FIRST
        auction.decide_ms = event.decide_ms

    def _AccountInvited(self, _: Entry, event: e.AccountInvited) -> None:
        auction = self.auctions[event.cfp]
        assert not auction.bids, "somebody is invited after the opening"
        assert event.account in self.names.values()
        assert event.account not in auction.invited, "an account is invited twice"
        auction.invited.add(event.account)

    def _CfpRefused(self, entry: Entry, event: e.CfpRefused) -> None:
        auction = self.auctions[event.cfp]
        assert entry.source.at_ms < auction.opened.closes_at_ms
        assert event.account not in auction.refused, "an account refused twice"
        assert event.account in (auction.invited or {event.account}), "a refusal of somebody uninvited"
        auction.refused.add(event.account)

    def _DecisionOpened(self, entry: Entry, event: e.DecisionOpened) -> None:
        auction = self.auctions[event.cfp]
        assert entry.source.at_ms >= auction.opened.closes_at_ms
        assert auction.decide_ms
        assert not auction.until_ms, "a manager is given time twice"
        assert event.decides_until_ms == entry.source.at_ms + auction.decide_ms
        assert event.bids == len(auction.choosable()) > 0
        auction.until_ms = event.decides_until_ms

    def _BidPlaced(self, entry: Entry, event: e.BidPlaced) -> None:
        auction = self.auctions[event.cfp]
        assert entry.source.at_ms < auction.opened.closes_at_ms, "a bid was counted at or after its deadline"
        rivals = [b for i, b in auction.bids.items() if i not in auction.withdrawn and i not in auction.rejected]
        assert all(b.account != event.account for b in rivals), "two live bids of one account"
        assert event.account not in auction.refused, "a bid of somebody who has refused"
        assert event.account in (auction.invited or {event.account}), "a bid of somebody uninvited"
        self.check_weight(event)
        auction.bids[event.bid] = event
        auction.placed_at_ms[event.bid] = entry.source.at_ms
        deposit = deposit_of(event.cfp) if event.cfp in self.terms else event.cfp
        assert not auction.deposit_rate or deposit in self.holds, "a call without its deposit"
        if not self.is_agreed(event, auction):
            self.owing = [e.UnitsOffered, e.HoldPlaced] if event.cfp in self.terms else [e.HoldPlaced]

    def _BidWithdrawn(self, entry: Entry, event: e.BidWithdrawn) -> None:
        auction = self.auctions[event.cfp]
        assert entry.source.at_ms < auction.opened.closes_at_ms, "a bid was withdrawn after the deadline"
        assert event.bid != event.cfp, "a buyer took its part of a deal back"
        auction.withdrawn.add(event.bid)
        self.withdrawn_bids.add(event.bid)

    def _BidRejected(self, entry: Entry, event: e.BidRejected) -> None:
        auction = self.auctions[event.cfp]
        assert (event.reason is ReleaseReason.WITHDRAWN) == (event.bid in auction.withdrawn)
        assert event.bid not in auction.rejected, "a bid lost twice"
        assert all(event.bid != award.award for award in auction.awards.values()), "a bid won and lost"
        if event.reason is ReleaseReason.REJECTED:
            assert entry.source.at_ms < auction.until_ms, "a bid declined out of time"
            auction.declined_at_ms[event.bid] = entry.source.at_ms
        assert (event.reason is ReleaseReason.GROUP_WON) in self.has_won(event.bid), "a group dropped a bid, or kept it"
        auction.rejected[event.bid] = event.reason
        if auction.until_ms and event.reason is ReleaseReason.GROUP_WON and not auction.choosable():
            auction.until_ms = entry.source.at_ms
        self.owing = [e.HoldReleased]

    def _AwardMade(self, entry: Entry, event: e.AwardMade) -> None:
        auction = self.auctions[event.cfp]
        bid = auction.bids[event.award]
        assert entry.source.at_ms >= auction.opened.closes_at_ms, "an award before the deadline"
        assert event.award not in self.awards, "a bid won twice"
        assert event.award not in auction.withdrawn, "a withdrawn bid won"
        assert event.slot not in auction.awards, "a slot was awarded twice"
        assert 0 <= event.slot < auction.opened.slots
        prices = [auction.opened.reserve_price_ucr, event.price_ucr, bid.price_ucr]
        assert event.bid_price_ucr == bid.price_ucr
        assert prices == sorted(prices, reverse=event.cfp in self.terms), "a price beyond its bounds"
        if auction.decide_ms:
            assert entry.source.at_ms < auction.until_ms, "a manager chose out of time"
            assert event.price_ucr == bid.price_ucr
            assert event.award in auction.choosable(), "a manager gave a slot to a bid that was over"
        self.awards.add(event.award)
        auction.awards[event.slot] = event
        self.owing = [e.SlotReserved, e.HoldCaptured, e.CreditsTransferred]
        self.sell(entry, event)
        if event.cfp in self.terms:
            self.owing = [e.SlotReserved, *([e.HoldResized] if auction.decide_ms else []), e.HoldPlaced]
            self.begin(entry, event, bid)

    def _SlotReserved(self, entry: Entry, event: e.SlotReserved) -> None:
        assert event.award not in self.leases
        assert event.starts_at_ms >= entry.source.at_ms
        self.take_over(event)
        self.leases[event.award] = event
        self._check_capacity(event.pool, event.starts_at_ms, event.ends_at_ms)

    def _check_capacity(self, pool: str, start_ms: int, end_ms: int | None) -> None:
        mine = [x for x in self.leases.values() if x.pool == pool]
        instants = {start_ms, *(x.starts_at_ms for x in mine if x.starts_at_ms > start_ms)}
        for at_ms in (i for i in instants if end_ms is None or i < end_ms):
            used = sum(x.units for x in mine if x.starts_at_ms <= at_ms < x.ends_at_ms)
            assert used <= self.pools[pool], "a pool has more leases than units"

    def _LeaseEnded(self, _: Entry, event: e.LeaseEnded) -> None:
        assert event.award not in self.works, "a lease ended before its work"
        self.end_sold(event)
        del self.leases[event.award]

    def _CfpClosed(self, entry: Entry, event: e.CfpClosed) -> None:
        auction = self.auctions.pop(event.cfp)
        assert event.cfp not in self.ended
        self.ended[event.cfp] = None
        assert event.awards == len(auction.awards)
        assert (event.outcome is CfpOutcome.AWARDED) == bool(auction.awards)
        mine = {event.cfp, deposit_of(event.cfp), *auction.bids}
        assert not mine & set(self.holds) - set(self.works), "a hold outlives its CFP"
        assert len(auction.awards) + len(auction.rejected) == len(auction.bids), "a bid was forgotten"
        self.settle_deposit(entry, event.cfp, auction)
        self.end_call(entry, event)
        if auction.decide_ms:
            expired = [why for why in auction.rejected.values() if why is ReleaseReason.EXPIRED]
            in_time = entry.source.at_ms < auction.until_ms
            assert not (expired and in_time), "a manager's time was cut"
            assert sorted(auction.awards) == list(range(len(auction.awards))), "slots are given in order"
        elif auction.awards:
            self.check_ranking(auction)
