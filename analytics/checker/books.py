"""One market's books as the independent checker keeps them: accounts, keys, holds, pools, CFPs, leases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from analytics.checker import decisions, holds, keys, pools, resales, roots
from analytics.checker import negotiations as bargains
from analytics.checker import tokens as buckets
from analytics.checker.budgets import STEPS as BUDGET_STEPS
from analytics.checker.budgets import Budgets
from analytics.checker.calls import STEPS as CALL_STEPS
from analytics.checker.deposits import Deposits
from analytics.checker.groups import Groups
from analytics.checker.parts import Account, Cfp, Fields, Held, Key, Pool, need, remember
from analytics.checker.plain import load
from analytics.checker.policy import Policy, activate
from analytics.checker.purchases import Purchases, check_purchase
from analytics.checker.sales import check_sale

_TELLING = {
    "ClockAdvanced",
    "ClockJumped",
    "CommandAccepted",
    "CommandRejected",
    "CommandRepeated",
    "CommandUnreadable",
}
AGREED = (
    *("bank", "epoch", "genesis", "signed", "version", "accounts", "keys", "pools", "cfps", "holds", "talks"),
    "resale_ms",
)
"""Parts that the books and the state have alike."""
CLOSED_MAX = 4_096
"""CFPs that ended and are remembered."""


@dataclass(slots=True)
class Book:
    """One market."""

    bank: bytes
    now_ms: int
    genesis: bytes
    """The hash that signatures cover."""
    signed: bool
    """Whether commands have to be signed."""
    version: int
    """Of the rules that hold."""
    epoch: int = 0
    accounts: dict[bytes, Account] = field(default_factory=dict)
    weighed: dict[str, dict[str, Account]] = field(default_factory=dict)
    """By budget root and name: the accounts whose weight was ever changed."""
    keys: dict[bytes, Key] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    cfps: dict[bytes, Cfp] = field(default_factory=dict)
    cfp_of: dict[bytes, bytes] = field(default_factory=dict)
    """The CFP of each bid that has not ended."""
    open_bids: Counter[bytes] = field(default_factory=Counter)
    """By account: its bids on CFPs that have not ended."""
    closed: dict[bytes, None] = field(default_factory=dict)
    """CFPs that ended of late, in that order."""
    names: set[str] = field(default_factory=set)
    """Of all accounts."""
    holds: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    groups: Groups = field(default_factory=Groups)
    talks: dict[bytes, bargains.Talk] = field(default_factory=dict)
    talked: dict[bytes, None] = field(default_factory=dict)
    """Negotiations that ended of late, in that order."""
    resold: dict[bytes, tuple[str, Held]] = field(default_factory=dict)
    """Leases that this record sells on, and has given to nobody yet: pool and lease by award."""
    resale_ms: int = 0
    """How long a deal is called for; 0: not at all."""
    resales: dict[bytes, bytes] = field(default_factory=dict)
    """The CFP that sells each lease on, by its award."""
    ending: bytes | None = None
    """The lease that this record has to end, as it has ended what was bargained over it."""
    budgets: Budgets = field(init=False)
    purchases: Purchases = field(default_factory=Purchases)
    tokens: buckets.Tokens = field(default_factory=buckets.Tokens)
    policy: Policy = field(default_factory=Policy)
    deposits: Deposits = field(default_factory=Deposits)
    parts: dict[bytes, tuple[Cfp, list[str]]] = field(default_factory=dict)
    """What follows an award in its own record, by award."""
    choices: list[Cfp] = field(default_factory=list)
    """CFPs on which this record has the manager's decision."""

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.bank, self.accounts, self.policy, self.version)

    @classmethod
    def opened(cls, event: Fields, source: Fields, genesis: bytes) -> Book:
        """The books right after the genesis, whose hash is `genesis`."""
        need(event["bank"] == source["command"], "the bank's account has the genesis's id")
        need(event["genesis_hash"] == genesis, "the genesis hash is that of the command")
        book = cls(event["bank"], source["at_ms"], genesis, event["signed"], event["rules_version"])
        book.add_account(book.bank, Account())
        book.keys = {event["operator_key"]: Key(None), event["bank_key"]: Key(book.bank)}
        need(len(book.keys) == 2, "operator and bank have keys of their own")
        return book

    @classmethod
    def from_plain(cls, m: Fields) -> Book:
        """From one market of canonical state bytes."""
        terms = (bytes.fromhex(m["genesis_hash"]), m["signed"], m["rules_version"])
        book = cls(bytes.fromhex(m["bank"]), m["now_ms"], *terms, m["weight_epoch"])
        load(book, m)
        return book

    def take(self, kind: str, event: Fields, source: Fields, head: bytes) -> None:
        """One event; `head` is the chain head before its command."""
        need(source["at_ms"] >= self.now_ms, "market time never runs back")
        self.now_ms = source["at_ms"]
        if kind == "CfpClosed":
            self._cfp_closed(event, source, head)
        elif kind == "TokenPoolCleared":
            buckets.cleared(self, event, source, head)
        elif kind in _STEPS:
            _STEPS[kind](self, event, source)
        else:
            need(kind in _TELLING, f"an event {kind} is known here")

    def end_command(self) -> None:
        """An award and its end of the CFP lie in one record."""
        for award, (cfp, parts) in self.parts.items():
            need(cfp.decide_ms > 0 and len(parts) == 3, "award, lock and payment, or escrow, lie in one record")
            decisions.settle_choice(cfp, award)
        for cfp in self.choices:
            decisions.check_goes_on(cfp)
        bargains.end_command(self)
        self.parts.clear()
        self.choices.clear()
        self.groups.end(self.holds)
        self.purchases.end(self.holds)
        self.tokens.end()
        self.budgets.end()
        self.policy.end()
        self.deposits.end()

    def look_over(self) -> None:
        """Sums over the whole market."""
        need(sum(a.balance_ucr for a in self.accounts.values()) == 0, "all balances add up to 0")
        held: Counter[bytes] = Counter()
        for owner, amount_ucr in self.holds.values():
            held[owner] += amount_ucr
        for ident, account in self.accounts.items():
            need(account.held_ucr == held[ident], f"account {ident.hex()} holds what its open holds say")
            enough = account.balance_ucr >= account.held_ucr or ident == self.bank
            need(enough, f"account {ident.hex()} has what it holds")
        holds.look_over(self)

    def agree(self, m: Fields) -> None:
        """The books say what one market of canonical state bytes says."""
        other = Book.from_plain(m)
        for name in AGREED:
            need(getattr(self, name) == getattr(other, name), f"the {name} are those of the state")
        need(self.purchases.works == other.purchases.works, "the works are those of the state")
        self.tokens.agree(other.tokens, self.now_ms)
        self.budgets.agree(other.budgets, self.now_ms)
        need(self.policy.plain() == other.policy.plain(), "the policy is that of the state")
        mine, others = ((deposits.permille, deposits.floor_ucr) for deposits in (self.deposits, other.deposits))
        need(mine == others, "the rate of deposits is that of the state")
        need(self.groups.plain() == other.groups.plain(), "the groups are those of the state")
        for name in ("closed", "talked"):
            need(list(getattr(self, name)) == list(getattr(other, name)), f"what was {name} is remembered in order")

    def _account(self, ident: bytes) -> Account:
        need(ident in self.accounts, f"account {ident.hex()} exists")
        return self.accounts[ident]

    def _pool(self, name: str) -> Pool:
        need(name in self.pools, f"pool {name!r} exists")
        return self.pools[name]

    def _cfp(self, ident: bytes) -> Cfp:
        need(ident in self.cfps, f"CFP {ident.hex()} is open")
        return self.cfps[ident]

    def _account_opened(self, e: Fields, source: Fields) -> None:
        need(e["account"] == source["command"], "an account has its command's id")
        need(e["account"] not in self.accounts, "an account is opened once")
        self.add_account(e["account"], Account(name=e["name"], project=e["project"], root=e["budget_root"]))
        self.budgets.joined(e["account"], source["at_ms"])
        keys.register(self, e)

    def add_account(self, ident: bytes, account: Account) -> None:
        """Take in a new account."""
        need(account.name not in self.names, "an account has a name of its own")
        self.names.add(account.name)
        self.accounts[ident] = account
        roots.note(self, account)
        if ident != self.bank:
            self.budgets.members.setdefault(account.project, []).append(ident)

    def _weight_changed(self, e: Fields, _: Fields) -> None:
        need(500 <= e["weight_permille"] <= 1000, "a weight is 500 to 1000 permille")
        self.epoch += 1
        account = self._account(e["account"])
        account.weights.append((self.epoch, e["weight_permille"]))
        del account.weights[:-16]
        roots.note(self, account)

    def _transferred(self, e: Fields, _: Fields) -> None:
        amount_ucr = e["amount_ucr"]
        debit, credit = self._account(e["debit"]), self._account(e["credit"])
        need(amount_ucr > 0 and e["debit"] != e["credit"], "a posting moves something from one account to another")
        issued = e["reason"] in ("ISSUE", "ALLOWANCE")
        need(issued == (e["debit"] == self.bank), "credits are issued by the bank alone")
        about = credit if issued else debit
        need((e["agent"], e["project"]) == (about.name, about.project), "a posting is attributed to whom it is about")
        self.budgets.post(e, self.now_ms)
        self.policy.post(e, self.bank, self.now_ms)
        debit.balance_ucr -= amount_ucr
        credit.balance_ucr += amount_ucr
        need(e["debit"] == self.bank or debit.balance_ucr >= debit.held_ucr, "nobody spends what it does not have")
        if e["reason"] == "DEAL":
            bargains.pay(self, e)
        if e["reason"] == "TOKENS":
            buckets.pay(self, e)
        if e["reason"] == "DEPOSIT":
            self.deposits.post(e, self._cfp(e["cfp"]))
        if e["reason"] not in ("AWARD", "FORFEIT"):
            return
        if self.purchases.post(e):
            self.budgets.pay(e["debit"], amount_ucr)
            return
        need(e["reason"] == "AWARD", "only work forfeits a bond")
        win, cfp = self._win(e["award"], "CreditsTransferred")
        bid = cfp.bids[e["award"]]
        same = (e["debit"], e["credit"], amount_ucr, e["cfp"], e["task"], e["pool"])
        need(same == (bid.account, cfp.manager, win["price_ucr"], win["cfp"], bid.task, cfp.pool), "an award is paid")
        self.budgets.pay(bid.account, amount_ucr)

    def _hold_placed(self, e: Fields, _: Fields) -> None:
        need(e["hold"] not in self.holds, "a hold is placed once")
        escrow = holds.check(self, e)
        self.holds[e["hold"]] = (e["account"], e["amount_ucr"])
        self._hold(e["account"], e["amount_ucr"])
        if not escrow:
            self.budgets.check_hold(e["account"])

    def _hold_resized(self, e: Fields, _: Fields) -> None:
        if e["hold"] in self.talks:
            more = resales.shrink(self, e)
        else:
            more = holds.shrink(self, e) if e["hold"] in self.cfps else self.groups.resize(e, self.holds)
        self._hold(e["account"], more)

    def _hold(self, ident: bytes, change_ucr: int) -> None:
        account = self._account(ident)
        account.held_ucr += change_ucr
        need(account.held_ucr <= account.balance_ucr, "nobody holds what it does not have")

    def _hold_captured(self, e: Fields, source: Fields) -> None:
        need(e["captured_ucr"] > 0 <= e["released_ucr"], "a capture is something")
        if e["hold"] in self.talks:
            bargains.capture(self, e, source)
        elif not self.purchases.resolve(e["hold"], e["captured_ucr"]):
            win, _cfp = self._win(e["hold"], "HoldCaptured")
            need(e["captured_ucr"] == win["price_ucr"], "the price is captured")
        self._resolve(e["hold"], e["account"], e["captured_ucr"] + e["released_ucr"])
        self.groups.leave(e["hold"], won=True)

    def _hold_released(self, e: Fields, _: Fields) -> None:
        self.purchases.resolve(e["hold"], 0)
        self.deposits.release(e["hold"])
        self._resolve(e["hold"], e["account"], e["amount_ucr"])
        self.groups.leave(e["hold"], won=False)

    def _resolve(self, hold: bytes, account: bytes, amount_ucr: int) -> None:
        need(hold in self.holds, f"hold {hold.hex()} is resolved once")
        need(self.holds.pop(hold) == (account, amount_ucr), f"hold {hold.hex()} is resolved whole")
        self._account(account).held_ucr -= amount_ucr

    def count_bid(self, cfp: bytes, bid: bytes, account: bytes) -> None:
        """One more bid on an open CFP."""
        self.cfp_of[bid] = cfp
        self.open_bids[account] += 1

    def _bid_rejected(self, e: Fields, source: Fields) -> None:
        cfp = self._cfp(e["cfp"])
        need(e["bid"] in cfp.bids and e["bid"] not in cfp.losses, "a bid is rejected once")
        need(cfp.bids[e["bid"]].account == e["account"], "a rejection names the bidder")
        if e["reason"] == "REJECTED":
            decisions.decline(cfp, e["bid"], source)
            self.choices.append(cfp)
        elif e["reason"] == "GROUP_WON":
            self.groups.drop(cfp, e, source)
        else:
            cfp.losses[e["bid"]] = e["reason"]

    def _award_made(self, e: Fields, source: Fields) -> None:
        cfp = self._cfp(e["cfp"])
        need(source["at_ms"] >= cfp.closes_at_ms, "an award is made after the deadline")
        need(e["award"] in cfp.bids and e["award"] not in cfp.wins, "a bid is awarded once")
        bid = cfp.bids[e["award"]]
        need((e["account"], e["bid_price_ucr"]) == (bid.account, bid.price_ucr), "an award is that of its bid")
        need(e["slot"] == len(cfp.given) + len(cfp.wins) < cfp.slots, f"slot {e['slot']} is awarded once, in order")
        if cfp.decide_ms:
            decisions.choose(cfp, e["award"], e["price_ucr"], source)
            self.choices.append(cfp)
        if cfp.buys:
            self.purchases.begin(e["cfp"], cfp, e, source)
        cfp.wins[e["award"]] = e
        self.parts[e["award"]] = (cfp, [])

    def _win(self, award: bytes, part: str) -> tuple[Fields, Cfp]:
        need(award in self.parts and part not in self.parts[award][1], f"{part} follows an award, once")
        cfp, parts = self.parts[award]
        parts.append(part)
        return cfp.wins[award], cfp

    def _cfp_closed(self, e: Fields, source: Fields, head: bytes) -> None:
        cfp = self._cfp(e["cfp"])
        ends = Counter([*cfp.wins, *cfp.given, *cfp.losses, *cfp.declined])
        need(set(ends) == set(cfp.bids), "every bid has an end")
        need(all(count == 1 for count in ends.values()), "no bid has two ends")
        kept = {a for a in (*cfp.wins, *cfp.given) if a in self.purchases.works} if cfp.buys else set()
        left = {e["cfp"], *cfp.bids} & set(self.holds)
        need(left == kept, "every hold of a CFP is resolved when it ends, except bonds of work")
        need(e["awards"] == len(cfp.wins) + len(cfp.given), "the number of awards is right")
        need(e["bids"] == sum(not b.withdrawn for b in cfp.bids.values()), "the number of bids is right")
        self.deposits.close(e["cfp"], cfp, self)
        for award in cfp.wins:
            parts = len(self.parts.pop(award)[1])
            plain = cfp.buys and not cfp.decide_ms
            need(parts == (2 if plain else 3), "an award has its lock, and its payment or its escrow")
        if cfp.decide_ms:
            decisions.check_end(cfp, e, source)
            self.choices = [other for other in self.choices if other is not cfp]
        elif e["outcome"] == "CANCELLED":
            need(not cfp.wins and self.now_ms < cfp.closes_at_ms, "a CFP is cancelled before its deadline")
            need(cfp.resale is None, "what a holder has agreed on binds")
            for bid, reason in cfp.losses.items():
                need(reason == ("WITHDRAWN" if cfp.bids[bid].withdrawn else "CFP_CANCELLED"), "it was cancelled")
        else:
            need(e["outcome"] == ("AWARDED" if cfp.wins else "UNAWARDED"), "the outcome follows from the awards")
            need(self.now_ms >= cfp.closes_at_ms, "a CFP ends at its deadline")
            lots = roots.draw(self, e["cfp"], cfp, head)
            if cfp.resale is not None:
                resales.check_resale(self, cfp, lots)
            elif cfp.buys:
                check_purchase(cfp, self.pools, self.now_ms, lots)
            else:
                check_sale(cfp, self._pool(cfp.pool), self.now_ms, lots)
        self._forget(e["cfp"], cfp)

    def _forget(self, ident: bytes, cfp: Cfp) -> None:
        for bid in cfp.bids:
            del self.cfp_of[bid]
        self.open_bids.subtract(bid.account for bid in cfp.bids.values())
        del self.cfps[ident]
        self.resales.pop(cfp.resale or b"", None)
        remember(self.closed, ident, CLOSED_MAX)


_STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {
    "RulesActivated": activate,
    "AccountOpened": Book._account_opened,
    "KeyRegistered": lambda book, e, _: keys.register(book, e),
    "KeyRevoked": lambda book, e, _: keys.revoke(book, e),
    "KeyExpires": lambda book, e, source: keys.expire(book.keys, e, source),
    "OperatorKeyRotated": lambda book, e, _: keys.rotate_operator(book, e),
    "WeightChanged": Book._weight_changed,
    "CreditsTransferred": Book._transferred,
    "HoldPlaced": Book._hold_placed,
    "HoldResized": Book._hold_resized,
    "HoldCaptured": Book._hold_captured,
    "HoldReleased": Book._hold_released,
    "PolicySet": lambda book, e, _: book.policy.set(e),
    "DepositSet": lambda book, e, _: book.deposits.set(e),
    "PoolCreated": pools.created,
    "PoolResized": pools.resized,
    "PurchaseOpened": lambda book, e, source: book.purchases.open(book._cfp(e["cfp"]), e, source),
    "UnitsOffered": lambda book, e, source: book.purchases.offer(book.cfps, e, source, book.pools),
    "WorkReported": lambda book, e, source: book.purchases.report(e, source, book.pools),
    "BidGrouped": lambda book, e, source: book.groups.join(e, source, book.holds),
    "BidRejected": Book._bid_rejected,
    "AwardMade": Book._award_made,
    "SlotReserved": pools.reserved,
    "LeaseEnded": pools.freed,
    **BUDGET_STEPS,
    **CALL_STEPS,
    **decisions.STEPS,
    **bargains.STEPS,
    **resales.STEPS,
    **buckets.STEPS,
}
