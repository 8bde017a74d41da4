"""Why commands about CFPs are rejected (refusals.py): their opening, their end, and what managers choose."""

from __future__ import annotations

from analytics.checker.case import Case
from analytics.checker.decisions import DECIDE_MS_MIN, INVITED_MAX
from analytics.checker.deposits import deposit_ucr
from analytics.checker.limits import DAY_MS, MONEY_MAX, WEEK_MS, Refusal, no_name, out_of
from analytics.checker.parts import (
    BONDS_RULES,
    BUYERS_DEPOSIT_RULES,
    DECISIONS_RULES,
    GROUPS_RULES,
    MANAGED_PURCHASES_RULES,
    Cfp,
    Terms,
)
from analytics.checker.prices import LEASES_PER_POOL_MAX, peak
from analytics.checker.refusals_accounts import UNITS_MAX

OPEN_MAX, OPEN_PER_MANAGER_MAX, OPEN_PER_ROOT_MAX, SLOTS_MAX, REFUSALS_MAX = 20_000, 5_000, 10_000, 64, 1_000
OPEN_MS_MIN, LEASE_MS_MIN = 50, 100
BUYS = ("delay_cost_per_s_ucr", "bond_ucr", "start_within_ms", "grace_ms")


def buys(case: Case) -> bool:
    """Whether the CFP buys work."""
    return bool(case.command.direction == "BUY" and case.book.version >= GROUPS_RULES)


def not_its_kind(case: Case) -> bool:
    """The rules that hold do not know such a CFP."""
    c, version = case.command, case.book.version
    chosen = c.award != "AUTO" or c.decide_ms != 0
    if version < DECISIONS_RULES and chosen:
        return True
    if version < GROUPS_RULES and c.invited:
        return True
    if buys(case):
        return version < MANAGED_PURCHASES_RULES and chosen
    return any(getattr(c, name) != 0 for name in BUYS)


def says_nothing(case: Case) -> bool:
    """An enum field that has to say something does not."""
    c = case.command
    trades = c.direction == "SELL" or buys(case)
    awards = c.award != "UNSPECIFIED" or case.book.version < DECISIONS_RULES
    return not trades or c.pricing == "UNSPECIFIED" or not awards


def bad_times(case: Case) -> bool:
    """A duration of a CFP is out of its limits."""
    c = case.command
    if not (LEASE_MS_MIN <= c.duration_ms <= WEEK_MS and OPEN_MS_MIN <= c.open_ms <= DAY_MS):
        return True
    if buys(case) and not (0 <= c.start_within_ms <= DAY_MS and 0 <= c.grace_ms <= WEEK_MS - c.duration_ms):
        return True
    if c.award == "MANAGER":
        return not DECIDE_MS_MIN <= c.decide_ms <= DAY_MS - c.open_ms
    return bool(c.decide_ms != 0)


def _holds(case: Case) -> tuple[int, int]:
    """What a manager has to hold for a CFP: its ceiling where it buys, and its deposit; micro-credits."""
    c, deposits, bought = case.command, case.book.deposits, buys(case)
    ceiling_ucr = int(c.reserve_price_ucr * c.slots) if bought else 0
    if not deposits.permille or case.is_bank or (bought and case.book.version < BUYERS_DEPOSIT_RULES):
        return ceiling_ucr, 0
    cfp = Cfp(b"", "", c.units, c.duration_ms, c.slots, c.reserve_price_ucr, "", c.open_ms, 0, decide_ms=c.decide_ms)
    cfp.deposit_permille, cfp.deposit_floor_ucr, cfp.buys = deposits.permille, deposits.floor_ucr, bought
    cfp.terms = Terms(0, c.bond_ucr, 0, 0) if bought else None
    return ceiling_ucr, deposit_ucr(cfp)


def set_aside(case: Case) -> int:
    """All of that."""
    return sum(_holds(case))


def bad_amounts(case: Case) -> bool:
    """An amount of a CFP is out of its limits."""
    c = case.command
    if not 1 <= c.reserve_price_ucr <= MONEY_MAX or max(_holds(case)) > MONEY_MAX:
        return True
    most_ucr = c.reserve_price_ucr if case.book.version >= BONDS_RULES else MONEY_MAX
    return buys(case) and not (0 <= c.delay_cost_per_s_ucr <= MONEY_MAX and 1 <= c.bond_ucr <= most_ucr)


def no_pool(case: Case) -> bool:
    """There is no pool to sell of."""
    return not buys(case) and case.pool is None


def not_own_pool(case: Case) -> bool:
    """The pool to sell of is another's."""
    pool = case.pool
    return not buys(case) and pool is not None and pool.owner != case.sender


def too_large(case: Case) -> bool:
    """The pool to sell of has fewer units."""
    pool = case.pool
    return not buys(case) and pool is not None and case.command.units > pool.units


def too_many_cfps(case: Case) -> bool:
    """There are as many open CFPs as there may be, or as many are invited."""
    cfps = case.book.cfps
    if len(case.command.invited) > INVITED_MAX or len(cfps) >= OPEN_MAX:
        return True
    if len(cfps) >= OPEN_PER_ROOT_MAX and case.of_root(cfp.manager for cfp in cfps.values()) >= OPEN_PER_ROOT_MAX:
        return True
    if len(cfps) < OPEN_PER_MANAGER_MAX:
        return False
    return sum(cfp.manager == case.sender for cfp in cfps.values()) >= OPEN_PER_MANAGER_MAX


def bad_invitation(case: Case) -> bool:
    """Others are invited than manager and bank, each once."""
    invited = case.command.invited
    return len(set(invited)) < len(invited) or not {case.sender, case.book.bank}.isdisjoint(invited)


def unknown_cfp(case: Case) -> bool:
    """There is none, and none that ended of late."""
    return case.cfp is None and case.command.cfp not in case.book.closed


def taken_back_too_late(case: Case) -> bool:
    """The CFP has ended, or cannot be taken back any more."""
    cfp = case.cfp
    if cfp is None:
        return case.command.cfp in case.book.closed
    return 0 < cfp.until_ms <= case.at_ms if cfp.decide_ms else case.at_ms >= cfp.closes_at_ms


def not_manager(case: Case) -> bool:
    """The CFP is another's."""
    return case.cfp is not None and case.cfp.manager != case.sender


def no_live_bid(case: Case) -> bool:
    """No bid that may still win or lose."""
    if case.bid is None or case.bid.withdrawn:
        return True
    ident = case.command.bid
    return ident not in case.book.holds or ident in case.book.purchases.works


def choice_too_late(case: Case) -> bool:
    """The manager's time is over."""
    return case.cfp is not None and 0 < case.cfp.until_ms <= case.at_ms


def below_reserve(case: Case) -> bool:
    """The bid cannot win."""
    cfp, bid = case.cfp, case.bid
    return cfp is not None and bid is not None and not cfp.buys and bid.price_ucr < cfp.reserve_ucr


def no_room_now(case: Case) -> bool:
    """Others use the units that the lease would need."""
    cfp, bid = case.cfp, case.bid
    if cfp is None or bid is None:
        return False
    pool, start_ms = case.book.pools[bid.pool or cfp.pool], case.at_ms + bid.delay_ms
    if pool.leased_units + cfp.units <= pool.units:
        return False
    end_ms = start_ms + cfp.duration_ms + (0 if cfp.terms is None else cfp.terms.grace_ms)
    return peak((held.lease for held in pool.leases.values()), start_ms, end_ms) + cfp.units > pool.units


def pool_is_full(case: Case) -> bool:
    """The pool has as many leases as it may."""
    cfp, bid = case.cfp, case.bid
    if cfp is None or bid is None:
        return False
    return len(case.book.pools[bid.pool or cfp.pool].leases) >= LEASES_PER_POOL_MAX


CHOICE: dict[str, Refusal] = {
    "UNKNOWN_BID": no_live_bid,
    "NOT_OWNER": not_manager,
    "NOT_MANAGED": lambda case: case.cfp is not None and not case.cfp.decide_ms,
    "CFP_OPEN": lambda case: case.cfp is not None and not case.cfp.until_ms,
    "CFP_CLOSED": choice_too_late,
}

REFUSALS: dict[str, dict[str, Refusal]] = {
    "CallForProposals": {
        "NOT_PERMITTED": lambda case: buys(case) and case.is_bank,
        "UNKNOWN_RULES": not_its_kind,
        "UNKNOWN_VALUE": says_nothing,
        "UNKNOWN_POOL": no_pool,
        "NOT_OWNER": not_own_pool,
        "BAD_NAME": lambda case: buys(case) and no_name("pool")(case),
        "BAD_UNITS": out_of(("units", 1, UNITS_MAX), ("slots", 1, SLOTS_MAX)),
        "UNITS_EXCEED_POOL": too_large,
        "BAD_DURATION": bad_times,
        "BAD_AMOUNT": bad_amounts,
        "BAD_PRICING": lambda case: case.command.award == "MANAGER" and case.command.pricing != "FIRST",
        "LIMIT_REACHED": too_many_cfps,
        "INSUFFICIENT_CREDIT": lambda case: case.lacks(set_aside(case)),
        "BUDGET_EXCEEDED": lambda case: set_aside(case) > 0 and case.overruns(set_aside(case)),
        "UNKNOWN_ACCOUNT": lambda case: not all(map(case.knows, case.command.invited)),
        "BAD_INVITATION": bad_invitation,
    },
    "CancelCfp": {
        "UNKNOWN_CFP": unknown_cfp,
        "CFP_CLOSED": taken_back_too_late,
        "NOT_OWNER": not_manager,
        "OUT_OF_SEQUENCE": lambda case: case.cfp is not None and case.cfp.resale is not None,
    },
    "AwardBid": {
        **CHOICE,
        "BELOW_RESERVE": below_reserve,
        "NO_CAPACITY": no_room_now,
        "LIMIT_REACHED": pool_is_full,
    },
    "RejectBid": CHOICE,
}
