"""What must hold of a market after every record, whatever happened. `evolve` asserts what one entry can break; these
look at the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from market.state import State


def credits_are_conserved(state: State) -> Iterator[str]:
    """All balances together are 0: the bank's is the negative of what it issued."""
    total = sum(a.balance_ucr for a in state.accounts.values())
    if total:
        yield f"balances sum to {total}, not 0"


def nothing_is_overspent(state: State) -> Iterator[str]:
    """Nobody but the bank is below 0, and nobody holds more than it has."""
    for account in state.accounts.values():
        if account.id != state.bank and account.available_ucr < 0:
            yield f"account {account.id.hex()} has {account.balance_ucr}, holds {account.held_ucr}"


def holds_match_bids(state: State) -> Iterator[str]:
    """Every unresolved hold backs one open bid, at its price, and each account's held credits are their sum."""
    if {b.id: b.price_ucr for b in state.bids.values()} != state.holds:
        yield "holds and open bids differ"
    held: Counter[bytes] = Counter()
    for bid in state.bids.values():
        held[bid.account] += state.holds.get(bid.id, 0)
    for account in state.accounts.values():
        if account.held_ucr != held[account.id]:
            yield f"account {account.id.hex()} holds {account.held_ucr}, its bids {held[account.id]}"


def capacity_is_respected(state: State) -> Iterator[str]:
    """From now on, the leases of a pool never use more units than it has; counted from the leases themselves."""
    steps: dict[str, Counter[int]] = {}
    for lease in state.leases.values():
        deltas = steps.setdefault(lease.pool, Counter())
        deltas[lease.starts_at_ms] += lease.units
        deltas[lease.ends_at_ms] -= lease.units
    for name, deltas in steps.items():
        used = 0
        for at_ms, until_ms in pairwise(sorted(deltas)):
            used += deltas[at_ms]
            # A lease that is over but not settled yet may overlap a newer one only in the past.
            if until_ms > state.now_ms and used > state.pools[name].units:
                yield f"pool {name} has {state.pools[name].units} units, {used} are reserved at {at_ms}"


def counters_match(state: State) -> Iterator[str]:
    """The counters that limits look at agree with what they count."""
    bids = Counter(b.account for b in state.bids.values())
    cfps = Counter(c.manager for c in state.cfps.values())
    keys = Counter(k.account for k in state.keys.values() if not k.revoked)
    for account in state.accounts.values():
        counted = (bids[account.id], cfps[account.id], keys[account.id])
        if (account.open_bids, account.open_cfps, account.live_keys) != counted:
            yield f"counters of account {account.id.hex()} are off"
    leases = Counter(lease.pool for lease in state.leases.values())
    yield from (f"pool {p.name} counts {p.leases} leases" for p in state.pools.values() if p.leases != leases[p.name])


INVARIANTS: tuple[Callable[[State], Iterator[str]], ...] = (
    credits_are_conserved,
    nothing_is_overspent,
    holds_match_bids,
    capacity_is_respected,
    counters_match,
)


def violations(state: State) -> list[str]:
    """Every broken invariant, in words; empty for a sound market."""
    return [text for check in INVARIANTS for text in check(state)]
