"""Groups of bids: of one account's bids of a group at most `wins_max` win, and credits are held for so many.

Each bid keeps a hold of its own. Those that could still win together, the highest prices first and among equals the
earliest, hold their price; the others hold 0. A withdrawn bid counts until its CFP ends, as it would alone. At the last
win the other live bids drop, in the same record, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from contractnet.messages import Code, Event, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.account import Account, Group
from market.rejection import Rejection, require
from market.rules import budgets, contracts, decisions
from market.rules.accounts import check_credit
from market.rules.context import Context, check_range
from market.state import Bid, State


def place_bid_6(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; a bid of a group needs no more credits than the group then holds more."""
    if command.group is None and command.wins_max == 0:
        return decisions.place_bid_5(ctx, command)
    placed = contracts.placed(ctx, command, limits.BIDS_PER_ACCOUNT_AND_CFP_MAX)
    decisions.need_no_refusal(ctx, command)
    state, bidder, price_ucr, bid = ctx.state, ctx.need_sender(), command.price_ucr, ctx.command_id
    ident, group = _joined(bidder, command)
    others = _ranked(state, group)
    resized: list[Event] = []
    amount_ucr = needed_ucr = price_ucr if sum(b.price_ucr >= price_ucr for b in others) < group.wins_left else 0
    if amount_ucr and len(others) >= group.wins_left:
        last = others[group.wins_left - 1]
        needed_ucr -= last.price_ucr
        resized = [e.HoldResized(hold=last.id, account=bidder.id, amount_ucr=0)]
    check_credit(bidder, needed_ucr)
    budgets.check_room(state, bidder, needed_ucr)
    return [
        placed,
        e.BidGrouped(bid=bid, account=bidder.id, group=ident, wins_max=command.wins_max),
        *resized,
        e.HoldPlaced(hold=bid, account=bidder.id, amount_ucr=amount_ucr, cfp=command.cfp),
    ]


def _joined(bidder: Account, command: c.PlaceBid) -> tuple[bytes, Group]:
    """The group that a bid joins or begins."""
    ident = command.group
    if ident is None:
        raise Rejection(Code.BAD_GROUP, "wins_max without a group")
    check_range(Code.BAD_GROUP, "wins_max", command.wins_max, 1, limits.BIDS_PER_GROUP_MAX)
    group = bidder.groups.get(ident) or bidder.won_groups.get(ident)
    if group is None:
        return ident, Group(command.wins_max)
    require(group.wins_max == command.wins_max, Code.GROUP_DIFFERS, f"{group.wins_max}, not {command.wins_max}")
    require(group.wins_left > 0, Code.GROUP_WON, f"{group.wins} of {group.wins_max}")
    require(len(group.bids) < limits.BIDS_PER_GROUP_MAX, Code.LIMIT_REACHED, "open bids of the group")
    return ident, group


def cancel_6(ctx: Context, command: c.CancelCfp) -> list[Event]:
    """As before, with what it means for groups."""
    return follow(ctx.state, decisions.cancel_5(ctx, command))


def award_bid_6(ctx: Context, command: c.AwardBid) -> list[Event]:
    """As before, with what it means for groups."""
    return follow(ctx.state, decisions.award_bid(ctx, command))


def reject_bid_6(ctx: Context, command: c.RejectBid) -> list[Event]:
    """As before, with what it means for groups."""
    return follow(ctx.state, decisions.reject_bid(ctx, command))


def follow(state: State, events: list[Event]) -> list[Event]:
    """Events that settle bids, with what that means for their groups: a winner holds its price before it pays, the last
    win drops the others, and after a loss the next best hold theirs."""
    if state.rules_version < limits.GROUPS_RULES_VERSION:
        return events
    record = _Record(state)
    followed = [event for given in events for event in record.follow(given)]
    return [*followed, *record.rest()]


def entries_elsewhere(events: Sequence[Event]) -> int:
    """How many of these events depend on bids of groups that may still be sealed."""
    dropped = sum(isinstance(x, e.BidRejected) and x.reason is ReleaseReason.GROUP_WON for x in events)
    return 2 * dropped + sum(isinstance(x, e.HoldResized) for x in events)


@dataclass(slots=True)
class _Record:
    """What one record has settled so far, none of it folded yet."""

    state: State
    held: dict[bytes, int] = field(default_factory=dict)
    """Holds that it has resized."""
    gone: set[bytes] = field(default_factory=set)
    """Bids that it has settled."""
    wins: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    """Wins of each group (account, id) of which it has settled a bid."""

    def follow(self, event: Event) -> list[Event]:
        if not isinstance(event, e.AwardMade | e.HoldCaptured | e.HoldReleased):
            return [event]
        bid = self.state.bids.get(event.award if isinstance(event, e.AwardMade) else event.hold)
        group = None if bid is None else self.state.group_of(bid)
        if bid is None or group is None or bid.group is None:
            return [event]
        key = (bid.account, bid.group)
        left = group.wins_left - self.wins.setdefault(key, 0)
        self.gone.add(bid.id)
        if isinstance(event, e.AwardMade):
            return [*self._resized([bid, *self._others(group)], left), event]
        if isinstance(event, e.HoldReleased):
            return [replace(event, amount_ucr=self._held(bid))]
        self.wins[key] += 1
        return [event]

    def rest(self) -> list[Event]:
        """What is left to do when all is settled."""
        events: list[Event] = []
        for (account, ident), wins in self.wins.items():
            group = self.state.accounts[account].groups[ident]
            others = self._others(group)
            if group.wins_left > wins:
                events += self._resized(others, group.wins_left - wins)
                continue
            for bid in others:
                if not bid.withdrawn:
                    events.append(e.BidRejected(bid.id, bid.cfp, bid.account, ReleaseReason.GROUP_WON))
                    events.append(e.HoldReleased(bid.id, bid.account, self._held(bid)))
        return events

    def _held(self, bid: Bid) -> int:
        return self.held.get(bid.id, self.state.holds[bid.id])

    def _others(self, group: Group) -> list[Bid]:
        return [bid for bid in _ranked(self.state, group) if bid.id not in self.gone]

    def _resized(self, bids: list[Bid], holding: int) -> list[Event]:
        """Let the first `holding` bids hold their price and the others 0; what is freed comes first."""
        wanted = [(bid, bid.price_ucr if place < holding else 0) for place, bid in enumerate(bids)]
        changed = [(bid, amount_ucr) for bid, amount_ucr in wanted if self._held(bid) != amount_ucr]
        self.held.update((bid.id, amount_ucr) for bid, amount_ucr in changed)
        return [
            e.HoldResized(hold=bid.id, account=bid.account, amount_ucr=amount_ucr)
            for bid, amount_ucr in sorted(changed, key=lambda change: change[1] > 0)
        ]


def _ranked(state: State, group: Group) -> list[Bid]:
    """The unsettled bids of a group, the highest prices first, among equals in order of arrival."""
    return sorted((state.bids[ident] for ident in group.bids), key=lambda bid: -bid.price_ucr)
