"""Why answers to CFPs, and what follows an award, are rejected (refusals.py)."""

from __future__ import annotations

from analytics.checker.case import Case
from analytics.checker.groups import BIDS_PER_GROUP_MAX, Group
from analytics.checker.limits import DAY_MS, MEMO, MONEY_MAX, Refusal, no_name, out_of
from analytics.checker.parts import GROUPS_RULES, KEYS_RULES
from analytics.checker.prices import peak
from analytics.checker.refusals_cfps import REFUSALS_MAX, no_live_bid, unknown_cfp

BIDS_PER_CFP_MAX, BIDS_PER_ACCOUNT_MAX, TRIES_MAX, BIDS_PER_ROOT_MAX = 1_000, 2_000, 8, 500


def closed(case: Case) -> bool:
    """The CFP has ended, or its deadline is over."""
    if case.cfp is None:
        return case.command.cfp in case.book.closed
    return case.at_ms >= case.cfp.closes_at_ms


def own_cfp(case: Case) -> bool:
    """A manager does not answer its own CFP."""
    return case.cfp is not None and case.cfp.manager == case.sender


def not_invited(case: Case) -> bool:
    """Others are invited."""
    return case.cfp is not None and bool(case.cfp.invited) and case.sender not in case.cfp.invited


def not_its_turn(case: Case) -> bool:
    """It has refused, or the CFP wants another kind of answer."""
    cfp = case.cfp
    return cfp is not None and (case.sender in cfp.refused or cfp.buys != (case.kind == "PlaceAsk"))


def too_many_bids(case: Case) -> bool:
    """The CFP or the account has as many bids as it may."""
    cfp, account = case.cfp, case.sender
    if cfp is None or account is None:
        return False
    tries_max = TRIES_MAX if case.book.version >= KEYS_RULES else BIDS_PER_CFP_MAX
    count = len(cfp.bids)
    if count >= BIDS_PER_CFP_MAX or case.book.open_bids[account] >= BIDS_PER_ACCOUNT_MAX:
        return True
    if count >= BIDS_PER_ROOT_MAX and case.of_root(bid.account for bid in cfp.bids.values()) >= BIDS_PER_ROOT_MAX:
        return True
    return count >= tries_max and sum(bid.account == account for bid in cfp.bids.values()) >= tries_max


def group_of(case: Case) -> Group | None:
    """The group that a bid names, if there is one by now."""
    if case.sender is None or case.command.group is None:
        return None
    return case.book.groups.by_id.get((case.sender, case.command.group))


def bad_group(case: Case) -> bool:
    """A group and how many of its bids may win, or neither."""
    c = case.command
    return c.wins_max != 0 if c.group is None else not 1 <= c.wins_max <= BIDS_PER_GROUP_MAX


def group_differs(case: Case) -> bool:
    """Earlier bids of the group said another number."""
    group = group_of(case)
    return group is not None and group.wins_max != case.command.wins_max


def group_won(case: Case) -> bool:
    """The group has won enough."""
    group = group_of(case)
    return group is not None and group.wins >= group.wins_max


def full_group(case: Case) -> bool:
    """The group has as many open bids as it may."""
    group = group_of(case)
    return group is not None and len(group.bids) >= BIDS_PER_GROUP_MAX


def needs_ucr(case: Case) -> int:
    """What a bid holds, or by how much its group then holds more: what its best bids could pay together."""
    price_ucr: int = case.command.price_ucr
    if case.command.group is None:
        return price_ucr
    group = group_of(case)
    if group is None:
        return price_ucr
    left = group.wins_max - group.wins
    best = sorted((bid.price_ucr for bid in group.bids.values()), reverse=True)[:left]
    return sum(sorted([*best, price_ucr], reverse=True)[:left]) - sum(best)


def no_room_then(case: Case) -> bool:
    """A CFP that sells with a deposit takes no bid that its pool has no room for."""
    cfp = case.cfp
    if cfp is None or cfp.buys or not cfp.deposit_permille:
        return False
    pool, start_ms = case.book.pools[cfp.pool], cfp.closes_at_ms + case.command.start_delay_ms
    if pool.leased_units + cfp.units <= pool.units:
        return False
    leases = (held.lease for held in pool.leases.values())
    return peak(leases, start_ms, start_ms + cfp.duration_ms) + cfp.units > pool.units


def bond_ucr(case: Case) -> int:
    """What an ask holds."""
    return 0 if case.cfp is None or case.cfp.terms is None else case.cfp.terms.bond_ucr


def ask_too_high(case: Case) -> bool:
    """An ask is at most the ceiling."""
    return case.command.price_ucr < 1 or (case.cfp is not None and case.command.price_ucr > case.cfp.reserve_ucr)


def ask_too_late(case: Case) -> bool:
    """An ask starts within the time that the CFP gives."""
    within_ms = DAY_MS if case.cfp is None or case.cfp.terms is None else case.cfp.terms.within_ms
    return not 0 <= case.command.start_delay_ms <= within_ms


def not_own_units(case: Case) -> bool:
    """The pool of an ask is another's."""
    pool = case.pool
    return pool is not None and pool.owner != case.sender


def too_few_units(case: Case) -> bool:
    """The pool of an ask has fewer units."""
    pool = case.pool
    return pool is not None and case.cfp is not None and case.cfp.units > pool.units


def has_answered(case: Case) -> bool:
    """A refusal comes once, and instead of a bid."""
    cfp = case.cfp
    if cfp is None:
        return False
    return case.sender in cfp.refused or any(bid.account == case.sender for bid in cfp.bids.values())


def already_settled(case: Case) -> bool:
    """No bid to take back: before the deadline any that was not taken back; while its manager decides, a live one."""
    if case.bid is None or case.bid.withdrawn:
        return True
    return binding(case) and no_live_bid(case)


def binding(case: Case) -> bool:
    """The bid binds while its manager decides."""
    cfp = case.cfp
    return cfp is not None and cfp.decide_ms > 0 and case.at_ms >= cfp.closes_at_ms


def not_own_bid(case: Case) -> bool:
    """The bid is another's."""
    return case.bid is not None and case.bid.account != case.sender


def withdrawn_too_late(case: Case) -> bool:
    """The deadline is over."""
    return case.cfp is not None and case.at_ms >= case.cfp.closes_at_ms


def no_lease(case: Case) -> bool:
    """There is no such lease, or for a report no such work."""
    return case.lease is None or (case.kind == "ReportWork" and case.command.award not in case.book.purchases.works)


def not_own_lease(case: Case) -> bool:
    """The lease is another's."""
    held = case.lease
    return held is not None and held.account != case.sender


def is_for_work(case: Case) -> bool:
    """The lease is for work, which is reported."""
    return case.command.award in case.book.purchases.works


def is_sold_on(case: Case) -> bool:
    """The lease is for work, or called for as it was sold."""
    return is_for_work(case) or case.command.award in case.book.resales


def starts_at_another_time(case: Case) -> bool:
    """A start delay out of its limits; on a call for a lease there is none."""
    most_ms = DAY_MS if case.cfp is None or case.cfp.resale is None else 0
    return not 0 <= case.command.start_delay_ms <= most_ms


def is_agreed(case: Case) -> bool:
    """The bid is the buyer's part of a deal."""
    return bool(case.book.cfp_of.get(case.command.bid) == case.command.bid)


def wrong_progress(case: Case) -> bool:
    """Work starts once, and before it is done."""
    work = case.book.purchases.works.get(case.command.award)
    if work is None:
        return False
    wanted = {"STARTED": work.delay_ms is None, "DONE": work.delay_ms is not None}
    return not wanted.get(case.command.progress, True)


ANSWER: dict[str, Refusal] = {
    "UNKNOWN_CFP": unknown_cfp,
    "CFP_CLOSED": closed,
    "OWN_CFP": own_cfp,
    "NOT_PERMITTED": lambda case: case.is_bank,
    "NOT_INVITED": not_invited,
}
OFFER: dict[str, Refusal] = {
    **ANSWER,
    "OUT_OF_SEQUENCE": not_its_turn,
    "BAD_NAME": no_name("task", empty=True),
    "ALREADY_BID": lambda case: case.cfp is not None and case.sender in case.cfp.bidders,
}

REFUSALS: dict[str, dict[str, Refusal]] = {
    "PlaceBid": {
        **OFFER,
        "UNKNOWN_RULES": lambda case: (
            case.book.version < GROUPS_RULES and (case.command.group is not None or case.command.wins_max != 0)
        ),
        "BAD_AMOUNT": out_of(("price_ucr", 1, MONEY_MAX)),
        "BAD_DURATION": starts_at_another_time,
        "UNKNOWN_VALUE": lambda case: case.command.claim is not None and case.command.claim.priority == "UNSPECIFIED",
        "BAD_GROUP": bad_group,
        "GROUP_DIFFERS": group_differs,
        "GROUP_WON": group_won,
        "LIMIT_REACHED": lambda case: too_many_bids(case) or full_group(case),
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(needs_ucr(case)),
        "BUDGET_EXCEEDED": lambda case: case.overruns(needs_ucr(case)),
        "NO_CAPACITY": no_room_then,
    },
    "PlaceAsk": {
        **OFFER,
        "BAD_AMOUNT": ask_too_high,
        "BAD_DURATION": ask_too_late,
        "UNKNOWN_POOL": lambda case: case.pool is None,
        "NOT_OWNER": not_own_units,
        "UNITS_EXCEED_POOL": too_few_units,
        "LIMIT_REACHED": too_many_bids,
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(bond_ucr(case)),
        "BUDGET_EXCEEDED": lambda case: case.overruns(bond_ucr(case)),
    },
    "RefuseCfp": {
        **ANSWER,
        "BAD_NAME": no_name("reason", empty=True),
        "OUT_OF_SEQUENCE": has_answered,
        "LIMIT_REACHED": lambda case: case.cfp is not None and len(case.cfp.refused) >= REFUSALS_MAX,
    },
    "WithdrawBid": {
        "UNKNOWN_BID": already_settled,
        "NOT_OWNER": not_own_bid,
        "BID_BINDING": binding,
        "CFP_CLOSED": withdrawn_too_late,
        "OUT_OF_SEQUENCE": is_agreed,
    },
    "ReleaseLease": {"UNKNOWN_LEASE": no_lease, "NOT_OWNER": not_own_lease, "OUT_OF_SEQUENCE": is_sold_on},
    "ReportWork": {
        "UNKNOWN_LEASE": no_lease,
        "NOT_OWNER": not_own_lease,
        "BAD_NAME": no_name("text", most=MEMO, empty=True),
        "OUT_OF_SEQUENCE": wrong_progress,
        "UNKNOWN_VALUE": lambda case: case.command.progress in ("UNSPECIFIED", "TIMED_OUT"),
    },
}
