"""Random but valid histories of a market: what a referee could have written, without its rules."""

from __future__ import annotations

import random

from contractnet.messages import (
    Cause,
    CfpOutcome,
    Claim,
    Code,
    Direction,
    Entry,
    Event,
    LeaseEnd,
    NegotiationOutcome,
    PostingReason,
    Pricing,
    Priority,
    Progress,
    ReleaseReason,
    Source,
    Unreadable,
)
from contractnet.messages import events as ev
from tests.projections.bought import Work, bought, ended, started
from tests.projections.generator_budgets import Budget, Budgeting
from tests.projections.generator_talks import CAP_UCR, Talks
from tests.projections.generator_tokens import TokenPools
from tests.projections.parts import Cfp

START_AT_MS = 1_790_000_000_000


class History(Budgeting):
    """A market's entries, made command by command. `offset` counts commands; entries of a command share it."""

    def __init__(self, market: str, seed: int, accounts: int = 20) -> None:
        self.market = market
        self._random = random.Random(f"{market}/{seed}")
        self._offset = 0
        self._at_ms = START_AT_MS
        self._names: dict[bytes, str] = {}
        self._free_ucr: dict[bytes, int] = {}
        self._pools: list[str] = []
        self._keys: list[tuple[bytes, bytes]] = []
        self._projects: dict[bytes, str] = {}
        self._budgets: dict[bytes, Budget] = {}
        self._operator_key = bytes(32)
        self._cfps: dict[bytes, Cfp] = {}
        self._leases: list[tuple[bytes, str]] = []
        self._grouped: dict[bytes, tuple[bytes, int]] = {}
        self._unheld: set[bytes] = set()
        self._talks = Talks(self._random)
        self._tokens = TokenPools(self._random)
        self._works: list[tuple[Work, int | None]] = []
        self._accounts_wanted = accounts
        self.bank = self._id()

    def command(self) -> list[Entry]:
        """The entries of one more command."""
        command = self._id()
        self._at_ms += self._random.randint(0, 20)
        events = self._events(command)
        entries = [
            Entry(Source(self._offset, index, command, self._at_ms, Cause.COMMAND), event)
            for index, event in enumerate(events)
        ]
        self._offset += 1
        return entries

    def take(self, count: int) -> list[Entry]:
        """At least `count` entries, whole commands."""
        entries: list[Entry] = []
        while len(entries) < count:
            entries += self.command()
        return entries

    def _id(self) -> bytes:
        return self._random.randbytes(16)

    def _events(self, command: bytes) -> list[Event]:
        if self._offset == 0:
            return [ev.MarketOpened(self._operator_key, bytes([1] * 32), self.bank, bytes([2] * 32), 4, 1, True)]
        if len(self._names) < self._accounts_wanted:
            return [self._accepted("OpenAccount"), *self._open_account(command)]
        if len(self._pools) < 3:
            self._pools.append(f"pool-{len(self._pools)}")
            return [ev.PoolCreated(self._pools[-1], self._account(), 64)]
        makers = (
            self._bid,
            self._resize,
            self._open_cfp,
            self._close_cfp,
            self._end_lease,
            self._withdraw,
            self._cancel,
            self._decide,
            self._refuse,
            self._buy,
            self._report,
            self._change_keys,
            self._set_budget,
            self._change_budget,
            self._other,
            self._bargain,
            lambda command: self._tokens.step(command, self._account()),
            self._set_policy,
        )
        maker = self._random.choices(makers, (50, 8, 12, 10, 8, 3, 1, 12, 2, 5, 6, 3, 1, 5, 10, 12, 8, 1))[0]
        return maker(command)

    def _account(self) -> bytes:
        return self._random.choice(list(self._names))

    def _accepted(self, kind: str) -> Event:
        return ev.CommandAccepted(self.bank, bytes(32), self._offset, kind)

    def _open_account(self, account: bytes) -> list[Event]:
        name = f"agent-{len(self._names)}"
        self._names[account] = name
        self._free_ucr[account] = 10**9
        key, inbox_key = self._key(account), bytes(32)
        self._projects[account] = f"project-{len(self._names) % 4}"
        opened = ev.AccountOpened(account, name, self._projects[account], "root", key, inbox_key)
        return [opened, self._posting(self.bank, account, 10**9, PostingReason.ISSUE)]

    def _posting(
        self,
        debit: bytes,
        credit: bytes,
        amount_ucr: int,
        reason: PostingReason,
        task: str = "",
        pool: str = "",
        award: bytes | None = None,
    ) -> ev.CreditsTransferred:
        agent = self._names.get(debit, "bank")
        return ev.CreditsTransferred(
            debit, credit, amount_ucr, reason, agent, f"of-{agent}", task, pool, award, award, "memo 'quoted' \0 ü"
        )

    def _open_cfp(self, command: bytes) -> list[Event]:
        pool, manager = self._random.choice(self._pools), self._account()
        self._cfps[command] = Cfp(command, manager, pool, self._random.randint(1, 4))
        opened = ev.CfpOpened(
            command, manager, Direction.SELL, pool, 2, 60_000, 1, 10, Pricing.SECOND, self._at_ms + 100
        )
        events = [self._accepted("CallForProposals"), opened]
        if self._random.random() < 0.4:
            self._cfps[command].managed = True
            events.append(ev.AwardDeferred(command, 500))
        if self._free_ucr[manager] >= 500 and self._random.random() < 0.3:
            self._cfps[command].deposit_ucr = 500
            self._free_ucr[manager] -= 500
            events.append(ev.HoldPlaced(command, manager, 500, command))
        if self._random.random() < 0.2:
            invited = self._random.sample(list(self._names), 3)
            events += [ev.AccountInvited(command, account) for account in invited]
        return events

    def _refuse(self, command: bytes) -> list[Event]:
        if not self._cfps:
            return self._open_cfp(command)
        cfp, account = self._random.choice(list(self._cfps.values())), self._account()
        if account in cfp.refused:
            return self._other(command)
        cfp.refused.add(account)
        return [self._accepted("RefuseCfp"), ev.CfpRefused(cfp.cfp, account, "no 'need' \0 ü")]

    def _decide(self, command: bytes) -> list[Event]:
        """A manager's time begins, sometimes in the record of its first choice; or it chooses or declines a bid."""
        for cfp in self._cfps.values():
            live = [bid for bid in cfp.bids if bid not in cfp.withdrawn]
            if not cfp.managed or not live:
                continue
            events: list[Event] = []
            if not cfp.deciding:
                cfp.deciding = True
                events.append(ev.DecisionOpened(cfp.cfp, len(live), self._at_ms + 500))
                if self._random.random() < 0.7:
                    return events
            if self._random.random() < 0.3:
                cfp.declined += 1
                return [*events, *self._lose(cfp, live[0], ReleaseReason.REJECTED, drop=True)]
            cfp.won += 1
            return [*events, *self._win(cfp, live[0], cfp.won - 1)]
        return self._other(command)

    def _bid(self, command: bytes) -> list[Event]:
        taking = [cfp for cfp in self._cfps.values() if not cfp.deciding]
        if not taking:
            return self._open_cfp(command)
        cfp = self._random.choice(taking)
        bidder, price_ucr = self._account(), self._random.randint(1, 10**6)
        if self._free_ucr[bidder] < price_ucr:
            return [ev.CommandRejected(Code.INSUFFICIENT_CREDIT, "", bidder, bytes(32), self._offset, "PlaceBid")]
        task = f"task-{self._random.randint(0, 50)}"
        cfp.bids[command] = (bidder, price_ucr, task)
        # The bidder's own numbers may be anything that fits into 64 bits.
        claim = Claim(Priority.HIGH, 2**63 - 1, -(2**63)) if self._random.random() < 0.5 else None
        placed = ev.BidPlaced(command, cfp.cfp, bidder, price_ucr, 1000, 0, task, bytes(32), claim)
        events = [self._accepted("PlaceBid"), placed]
        if self._random.random() < 0.3:
            self._grouped[command] = (bidder, price_ucr)
            events.append(ev.BidGrouped(command, bidder, bytes([price_ucr % 256]) * 16, 1 + price_ucr % 32))
            if self._random.random() < 0.5:
                self._unheld.add(command)
        held_ucr = 0 if command in self._unheld else price_ucr
        self._free_ucr[bidder] -= held_ucr
        return [*events, ev.HoldPlaced(command, bidder, held_ucr, cfp.cfp)]

    def _resize(self, command: bytes) -> list[Event]:
        """Holds of bids in groups change, some of them back at once."""
        if not self._grouped:
            return self._other(command)
        chosen = self._random.choices(list(self._grouped), k=self._random.randint(1, 3))
        return [event for bid in chosen for event in self._toggle(bid)]

    def _toggle(self, bid: bytes) -> list[Event]:
        bidder, price_ucr = self._grouped[bid]
        held_ucr = price_ucr if bid in self._unheld else 0
        self._unheld ^= {bid}
        self._free_ucr[bidder] += price_ucr - 2 * held_ucr
        return [ev.HoldResized(bid, bidder, held_ucr)]

    def _withdraw(self, command: bytes) -> list[Event]:
        for cfp in self._cfps.values():
            for bid in () if cfp.deciding else sorted(cfp.bids.keys() - cfp.withdrawn):
                cfp.withdrawn.add(bid)
                return [ev.BidWithdrawn(bid, cfp.cfp, cfp.bids[bid][0])]
        return self._other(command)

    def _lose(self, cfp: Cfp, bid: bytes, reason: ReleaseReason, *, drop: bool = False) -> list[Event]:
        bidder, price_ucr, _ = cfp.bids.pop(bid) if drop else cfp.bids[bid]
        self._grouped.pop(bid, None)
        held_ucr = 0 if bid in self._unheld else price_ucr
        self._free_ucr[bidder] += held_ucr
        reason = ReleaseReason.WITHDRAWN if bid in cfp.withdrawn else reason
        return [ev.BidRejected(bid, cfp.cfp, bidder, reason), ev.HoldReleased(bid, bidder, held_ucr)]

    def _close_cfp(self, command: bytes) -> list[Event]:
        if not self._cfps:
            return self._open_cfp(command)
        cfp = self._cfps.pop(self._random.choice(list(self._cfps)))
        live = [bid for bid in cfp.bids if bid not in cfp.withdrawn]
        events: list[Event] = []
        if live and not cfp.managed:
            events = self._win(cfp, max(live, key=lambda b: cfp.bids[b][1]), 0)
            cfp.won = 1
        for bid in cfp.bids:
            events += self._lose(cfp, bid, ReleaseReason.EXPIRED if cfp.managed else ReleaseReason.OUTBID)
        events += self._settle_deposit(cfp)
        none = CfpOutcome.EXPIRED if cfp.deciding else CfpOutcome.UNAWARDED
        outcome = CfpOutcome.AWARDED if cfp.won else none
        return [*events, ev.CfpClosed(cfp.cfp, outcome, len(cfp.bids) + cfp.declined + cfp.won, cfp.won)]

    def _win(self, cfp: Cfp, winner: bytes, slot: int) -> list[Event]:
        bidder, offered_ucr, task = cfp.bids.pop(winner)
        resized = self._toggle(winner) if winner in self._unheld else []
        self._grouped.pop(winner, None)
        paid_ucr = self._random.randint(1, offered_ucr)
        self._free_ucr[bidder] += offered_ucr - paid_ucr
        self._free_ucr[cfp.manager] += paid_ucr
        self._leases.append((winner, cfp.pool))
        for budget in self._budgets.values():
            if bidder == budget.account or self._projects[bidder] == budget.project:
                budget.spent_ucr += paid_ucr
        return [
            *resized,
            ev.AwardMade(winner, cfp.cfp, slot, bidder, paid_ucr, offered_ucr),
            ev.HoldCaptured(winner, bidder, paid_ucr, offered_ucr - paid_ucr),
            self._posting(bidder, cfp.manager, paid_ucr, PostingReason.AWARD, task, cfp.pool, winner),
            ev.SlotReserved(winner, cfp.pool, 2, bidder, self._at_ms, self._at_ms + 60_000, bytes(32)),
        ]

    def _cancel(self, command: bytes) -> list[Event]:
        if not self._cfps:
            return self._open_cfp(command)
        cfp = self._cfps.pop(self._random.choice(list(self._cfps)))
        events = [e for bid in cfp.bids for e in self._lose(cfp, bid, ReleaseReason.CFP_CANCELLED)]
        events += self._settle_deposit(cfp)
        outcome = CfpOutcome.AWARDED if cfp.won else CfpOutcome.CANCELLED
        return [*events, ev.CfpClosed(cfp.cfp, outcome, len(cfp.bids) + cfp.declined + cfp.won, cfp.won)]

    def _end_lease(self, command: bytes) -> list[Event]:
        if not self._leases:
            return self._other(command)
        award, pool = self._leases.pop(self._random.randrange(len(self._leases)))
        if self._talks.over(award):
            self._leases.append((award, pool))
            return self._other(command)
        return [ev.LeaseEnded(award, pool, self._random.choice((LeaseEnd.EXPIRED, LeaseEnd.RELEASED)))]

    def _bargain(self, command: bytes) -> list[Event]:
        """One step of a negotiation; a deal moves its lease and pays, out of what the buyer had held."""
        if not self._leases:
            return self._other(command)
        events = self._talks.step(command, self._random.choice(self._leases), self._account(), self._account())
        for event in list(events):
            if isinstance(event, ev.HoldPlaced):
                self._free_ucr[event.account] -= event.amount_ucr
            elif isinstance(event, ev.HoldReleased):
                self._free_ucr[event.account] += event.amount_ucr
            elif isinstance(event, ev.HoldCaptured):
                self._free_ucr[event.account] += event.released_ucr
            elif isinstance(event, ev.HoldResized):
                self._free_ucr[event.account] += CAP_UCR - event.amount_ucr
                self._cfps[event.hold] = self._talks.called.pop(event.hold)
            elif isinstance(event, ev.NegotiationClosed) and event.outcome is NegotiationOutcome.DEAL:
                if event.negotiation in self._cfps:
                    continue
                award, pool = self._talks.sold
                self._leases.remove((award, pool))
                self._leases.append((event.negotiation, pool))
                payer, paid_ucr, ident = event.counterpart, event.price_ucr, event.negotiation
                self._free_ucr[event.holder] += paid_ucr
                for budget in self._budgets.values():
                    if payer == budget.account or self._projects[payer] == budget.project:
                        budget.spent_ucr += paid_ucr
                moved = (paid_ucr, PostingReason.DEAL, "task", pool, ident)
                events.append(self._posting(payer, event.holder, *moved))
        return events

    def _buy(self, command: bytes) -> list[Event]:
        """A purchase from its opening to its award, in one record; who has not enough for it asks for nothing."""
        manager, contractor = self._random.sample(list(self._names), 2)
        if min(self._free_ucr[manager], self._free_ucr[contractor]) < 100:
            return self._other(command)
        work = Work(self._id(), command, manager, contractor, self._random.choice(self._pools))
        self._works.append((work, None))
        self._free_ucr[manager] -= 70
        self._free_ucr[contractor] -= 5
        return bought(work, self._random.randint(0, 9), self._at_ms)

    def _report(self, command: bytes) -> list[Event]:
        """Work starts, ends, or both in one record."""
        if not self._works:
            return self._buy(command)
        work, delay_ms = self._works.pop(self._random.randrange(len(self._works)))
        events: list[Event] = []
        if delay_ms is None and self._random.random() < 0.6:
            delay_ms = self._random.randint(3, 99)
            events.append(started(work, delay_ms))
            if self._random.random() < 0.6:
                self._works.append((work, delay_ms))
                return events
        done = delay_ms is not None and self._random.random() < 0.7
        progress = Progress.DONE if done else self._random.choice((Progress.FAILED, Progress.TIMED_OUT))
        payer, payee, amount_ucr = (work.manager, work.account, 60) if done else (work.account, work.manager, 5)
        self._free_ucr[work.manager] += 10 if done else 75
        self._free_ucr[work.account] += 65 if done else 0
        for budget in self._budgets.values():
            if payer == budget.account or self._projects[payer] == budget.project:
                budget.spent_ucr += amount_ucr
        reason = PostingReason.AWARD if done else PostingReason.FORFEIT
        posting = self._posting(payer, payee, amount_ucr, reason, "task", work.pool, work.award)
        return [*events, *ended(work, progress, delay_ms), posting]

    def _key(self, account: bytes) -> bytes:
        """A key that the market has not seen, as none is registered twice."""
        key = self._random.randbytes(32)
        self._keys.append((account, key))
        return key

    def _change_keys(self, _: bytes) -> list[Event]:
        match self._random.randrange(3):
            case 0:
                account = self._account()
                key = self._key(account)
                end_at_ms = self._random.choice((self._at_ms + 1, 2**62))
                return [ev.KeyRegistered(account, key), ev.KeyExpires(account, key, end_at_ms)]
            case 1 if self._keys:
                return [ev.KeyRevoked(*self._keys.pop(self._random.randrange(len(self._keys))))]
        former, self._operator_key = self._operator_key, self._random.randbytes(32)
        return [ev.OperatorKeyRotated(former, self._operator_key)]

    def _other(self, command: bytes) -> list[Event]:
        account, pool = self._account(), self._random.choice(self._pools)
        amount_ucr = self._random.randint(1, 1000)
        if self._free_ucr[account] >= amount_ucr:
            self._free_ucr[account] -= amount_ucr
            paid: list[Event] = [self._posting(account, self.bank, amount_ucr, PostingReason.TRANSFER)]
        else:
            paid = []
        return self._random.choice(
            [
                [ev.ClockAdvanced()],
                [ev.ClockJumped(2**63 - 1)],
                [ev.CommandRejected(Code.BAD_NAME, "a\0b \u202e", None, None, None, "PlaceBid")],
                [ev.CommandRepeated(Code.ACCEPTED, account, bytes(32), 7)],
                [ev.CommandUnreadable(Unreadable.BAD_BODY, 12, bytes(range(32)))],
                [ev.WeightChanged(account, self._random.randint(500, 1000))],
                [ev.RulesActivated(self._random.randint(1, 9))],
                [ev.PoolResized(pool, self._random.randint(1, 99))],
                [ev.AccountOpened(command, f"late-{command.hex()}", "", "", self._random.randbytes(32), bytes(32))],
                paid or [ev.ClockAdvanced()],
            ]
        )
