"""What must hold of a market after every record, whatever happened. `evolve` asserts what one entry can break; these
look at the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from contractnet.messages import Direction
from market import limits
from market.bargaining import HOLDER, better_for_other
from market.state import State
from market.tokens import PARTS


def credits_are_conserved(state: State) -> Iterator[str]:
    """All balances together are 0: the bank's is the negative of what it issued."""
    total = sum(a.balance_ucr for a in state.accounts.values())
    if total:
        yield f"balances sum to {total}, not 0"


def nothing_is_overspent(state: State) -> Iterator[str]:
    """Nobody but the bank is below 0, and nobody holds more than it has. The bank owes nothing."""
    for account in state.accounts.values():
        if account.id != state.bank and account.free_ucr < 0:
            yield f"account {account.id.hex()} has {account.balance_ucr}, holds {account.held_ucr}"
        if account.owed_ucr < 0 or (account.owed_ucr and account.id == state.bank):
            yield f"account {account.id.hex()} owes {account.owed_ucr}"


def holds_match_bids(state: State) -> Iterator[str]:
    """Every unresolved hold backs one open bid, CFP that buys, deposit, escrow, bond or negotiation, at its amount
    unless it has a group, and each account's held credits are their sum. Bids without a hold are those that a manager
    has decided on, and those that their group has dropped."""
    settled = {b.id for b in state.bids.values() if b.withdrawn or state.cfps[b.cfp].decides_until_ms}
    backed = {hold: amount for hold, _, amount in state.backed() if hold in state.holds or hold not in settled}
    if set(backed) != set(state.holds):
        yield "holds and what they back differ"
    of_groups = {b.id for b in state.bids.values() if b.group is not None}
    if any(state.holds.get(hold, amount) != amount for hold, amount in backed.items() if hold not in of_groups):
        yield "a hold is not that of what it backs"
    held = _held(state)
    for account in state.accounts.values():
        if account.held_ucr != held[account.id]:
            yield f"account {account.id.hex()} holds {account.held_ucr}, its holds say {held[account.id]}"


def _held(state: State) -> Counter[bytes]:
    """What each account holds, by its holds."""
    held: Counter[bytes] = Counter()
    for hold, account, _ in state.backed():
        held[account] += state.holds.get(hold, 0)
    return held


def groups_hold_what_could_win(state: State) -> Iterator[str]:
    """Of the unsettled bids of a group, so many as may still win hold their price, the highest first, and the others 0.
    A group wins no more often than it may, and has no live bid then; one without bids is remembered for what it won."""
    grouped = Counter((b.account, b.group) for b in state.bids.values() if b.group is not None)
    for account in state.accounts.values():
        for ident, group in account.groups.items():
            bids, name = [state.bids[bid] for bid in group.bids], ident.hex()
            if not bids or len(bids) != grouped.pop((account.id, ident), 0):
                yield f"group {name} has other bids than say so"
            ranked = sorted(bids, key=lambda b: -b.price_ucr)
            holds = [b.price_ucr if place < group.wins_left else 0 for place, b in enumerate(ranked)]
            if [state.holds.get(b.id) for b in ranked] != holds:
                yield f"group {name} does not hold the {group.wins_left} highest of its bids"
            if not (0 <= group.wins <= group.wins_max and len(bids) <= limits.BIDS_PER_GROUP_MAX):
                yield f"group {name} has {len(bids)} bids and {group.wins} of {group.wins_max} wins"
            if not group.wins_left and not all(b.withdrawn for b in bids):
                yield f"group {name} has won enough, and still bids"
        if any(g.bids or not 0 < g.wins <= g.wins_max for g in account.won_groups.values()):
            yield f"account {account.id.hex()} remembers groups that have bids or won nothing"
        both = any(ident in account.groups for ident in account.won_groups)
        if both or len(account.won_groups) > limits.GROUPS_REMEMBERED_PER_ACCOUNT:
            yield f"account {account.id.hex()} remembers too many groups"
    if grouped:
        yield "a bid belongs to a group that there is not"


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
    if state.root_cfps != Counter(state.accounts[c.manager].budget_root for c in state.cfps.values()):
        yield "counters of budget roots are off"
    leases = Counter(lease.pool for lease in state.leases.values())
    yield from (f"pool {p.name} counts {p.leases} leases" for p in state.pools.values() if p.leases != leases[p.name])


def weights_match(state: State) -> Iterator[str]:
    """Each budget root counts the weights of those of its accounts whose weight was ever changed, the latest last."""
    changed = [(a.weights[-1], a.budget_root, a.id) for a in state.accounts.values() if len(a.weights) > 1]
    for root, weights in state.root_weights.items():
        mine = sorted((latest, ident) for latest, of, ident in changed if of == root)
        if list(weights.changed) != [ident for _, ident in mine]:
            yield f"budget root {root} counts other weights than those of its accounts"
        if dict(weights.now) != Counter(permille for (_, permille), _ in mine):
            yield f"budget root {root} counts weights that its accounts do not have"
    if set(state.root_weights) != {root for _, root, _ in changed}:
        yield "weights are not counted for each budget root that has some"


def budgets_match(state: State) -> Iterator[str]:
    """Each scope has one budget, which counts the holds of its accounts' open bids, runs in a window of its own length
    at its own offset, and is on the agenda for the end of it."""
    held: Counter[bytes | str] = Counter()
    for account, amount_ucr in _held(state).items():
        held[account] += amount_ucr
        held[state.accounts[account].project] += amount_ucr
    due = set(state.agenda) if state.budgets else set()
    for budget in state.budgets.values():
        name, scope = budget.id.hex(), budget.account or budget.project
        if state.scopes.get(scope) is not budget or (budget.account is None) == (not budget.project):
            yield f"budget {name} is not that of its scope"
        if budget.held_ucr != held[scope]:
            yield f"budget {name} counts {budget.held_ucr} held, the holds {held[scope]}"
        if budget.spent_ucr < 0 or budget.topped_up_ucr < 0:
            yield f"budget {name} has spent {budget.spent_ucr}, topped up {budget.topped_up_ucr}"
        length_ms, rest_ms = budget.ends_at_ms - budget.starts_at_ms, budget.starts_at_ms - budget.offset_ms
        if length_ms != budget.window_ms or rest_ms % budget.window_ms:
            yield f"budget {name} has a window [{budget.starts_at_ms}, {budget.ends_at_ms})"
        if (budget.ends_at_ms, budget.id) not in due:
            yield f"the end of budget {name}'s window is on no agenda"
    if len(state.scopes) != len(state.budgets):
        yield "there are more scopes than budgets"


def balances_are_counted(state: State) -> Iterator[str]:
    """Under a budget that decays by the average each account is counted, up to some time that is not ahead; under
    others none."""
    averages = state.rules_version >= limits.DECAY_RULES_VERSION
    for budget in state.budgets.values():
        counted = set(state.accounts_under(budget)) if averages and budget.decay_permille else set()
        if set(budget.tallies) != counted:
            yield f"budget {budget.id.hex()} counts other balances than those of its accounts"
        for tally in budget.tallies.values():
            if tally.until_ms > state.now_ms or any(area < 0 for area in tally.areas):
                yield f"budget {budget.id.hex()} has counted {tally.areas} until {tally.until_ms}"


def decisions_are_sound(state: State) -> Iterator[str]:
    """A manager decides for a while after the deadline, gives each slot once, and awards bids of the CFP, which are
    resolved by that; while it decides there is something left to choose, or its time is over."""
    due = set(state.agenda)
    for cfp in state.cfps.values():
        won, name = {w.bid for w in cfp.awards}, cfp.id.hex()
        if (cfp.due_at_ms, cfp.id) not in due:
            yield f"the next end of CFP {name} is on no agenda"
        resolved = all(bid in cfp.bids and (bid in state.works or bid not in state.holds) for bid in won)
        if len(won) != len(cfp.awards) or not resolved or len(won) > cfp.slots:
            yield f"awards of CFP {name} are no resolved bids of it, one a slot"
        over = 0 < cfp.decides_until_ms <= state.now_ms
        if cfp.decides_until_ms and not (cfp.decide_ms and cfp.closes_at_ms < cfp.decides_until_ms + over):
            yield f"CFP {name} has a decision that it was not opened with"
        if cfp.decides_until_ms and (len(won) == cfp.slots or not (over or state.standing(cfp))):
            yield f"CFP {name} waits for a decision that is made"
        if set(cfp.refused) & {b.account for b in cfp.bids.values()}:
            yield f"somebody has bid on CFP {name} and refused it"


def invitations_are_kept(state: State) -> Iterator[str]:
    """The invited are accounts, neither manager nor bank, and nobody else has answered a CFP by invitation."""
    for cfp in state.cfps.values():
        name = cfp.id.hex()
        if not set(cfp.invited) <= set(state.accounts) - {cfp.manager, state.bank}:
            yield f"CFP {name} invites whom it cannot"
        answered = [*cfp.refused, *cfp.tries]
        yield from (f"{a.hex()} has answered CFP {name} uninvited" for a in answered if not cfp.takes(a))


def deposits_are_sound(state: State) -> Iterator[str]:
    """The bank deposits nothing, nor did who bought before version 11; a bid binds from when it was placed until it is
    rejected."""
    for cfp in state.cfps.values():
        buys = cfp.terms is not None
        owed = not buys or state.rules_version >= limits.BUYER_DEPOSITS_RULES_VERSION
        if cfp.deposit_hourly_permille and (not owed or cfp.manager == state.bank):
            yield f"CFP {cfp.id.hex()} has a deposit that nobody owes"
        if cfp.deposit_floor_ucr and (buys or not cfp.deposit_hourly_permille):
            yield f"CFP {cfp.id.hex()} has a floor under no deposit"
        for bid in cfp.bids.values():
            free = not bid.freed_at_ms or cfp.closes_at_ms <= bid.freed_at_ms <= state.now_ms
            if not (cfp.opened_at_ms <= bid.placed_at_ms < cfp.closes_at_ms and free):
                yield f"bid {bid.id.hex()} is bound from {bid.placed_at_ms} to {bid.freed_at_ms}"


def negotiations_are_sound(state: State) -> Iterator[str]:
    """Two accounts bargain over a lease that one of them holds; the next end is on the agenda; nobody has offered more
    than it set aside, and what stands has not crossed, or it would be a deal."""
    due = set(state.agenda) if state.negotiations else set()
    if {n.award: n.id for n in state.negotiations.values()} != state.bargained:
        yield "leases are not bargained for once each"
    for negotiation in state.negotiations.values():
        name, (holder, buyer) = negotiation.id.hex(), negotiation.parties
        lease = state.leases.get(negotiation.award)
        if lease is None or lease.account != holder.account or holder.account == buyer.account:
            yield f"negotiation {name} is not over a lease of its holder"
        if (negotiation.until_ms, negotiation.id) not in due:
            yield f"the next end of negotiation {name} is on no agenda"
        if negotiation.round > negotiation.rounds_max + 1 or negotiation.still_rounds > negotiation.still_rounds_max:
            yield f"negotiation {name} has gone on for too long"
        if holder.sealed and buyer.sealed:
            yield f"the offers of negotiation {name} are not opened"
        if any(price_ucr > negotiation.cap_ucr for price_ucr in buyer.stands.values()):
            yield f"the buyer of negotiation {name} has offered what it has not set aside"
        both = holder.stands.keys() & buyer.stands.keys()
        if any(not better_for_other(HOLDER, buyer.stands[o], holder.stands[o]) for o in both):
            yield f"the parties of negotiation {name} agree, and there is no deal"


def resales_are_sound(state: State) -> Iterator[str]:
    """A lease that is called for is its manager's, ends after the call, and nobody bargains over it; its buyer's bid
    stands. A claim is backed, and waits for the holder."""
    if {cfp.resale: cfp.id for cfp in state.cfps.values() if cfp.resale is not None} != state.resales:
        yield "leases are not called for once each"
    for award, ident in state.resales.items():
        lease, cfp, name = state.leases.get(award), state.cfps[ident], ident.hex()
        if lease is None or (lease.account, lease.units) != (cfp.manager, cfp.units) or award in state.bargained:
            yield f"CFP {name} is for no lease that its manager sells on"
        elif not (cfp.closes_at_ms < lease.ends_at_ms and cfp.slots == 1):
            yield f"CFP {name} ends no earlier than the lease that it is for"
        deal = cfp.bids.get(ident)
        if deal is None or deal.withdrawn or deal.price_ucr != cfp.reserve_price_ucr or cfp.deposit_ucr:
            yield f"CFP {name} is without the bid of its deal"
    for negotiation in state.negotiations.values():
        if (negotiation.cap_ucr > 0) != (negotiation.claimed or negotiation.round > 0):
            yield f"the cap of negotiation {negotiation.id.hex()} is {negotiation.cap_ucr}"
    for lease in state.leases.values():
        times = list(lease.vain.values())
        latest_ms = state.now_ms + limits.CLAIM_AGAIN_MS
        if (
            len(times) > limits.CLAIMS_REMEMBERED_PER_LEASE
            or times != sorted(times)
            or max(times, default=0) > latest_ms
        ):
            yield f"lease {lease.award.hex()} keeps claimants away until {times}"


def works_are_sound(state: State) -> Iterator[str]:
    """Work has the lease of its award, whose holder is its contractor, and starts no earlier than promised; only CFPs
    that buy have terms, and every ask names a pool of its account."""
    for award, work in state.works.items():
        lease = state.leases.get(award)
        if award != work.award or lease is None or lease.account != work.account:
            yield f"work {award.hex()} has no lease of its contractor's"
        if work.delay_ms is not None and work.delay_ms < work.promised_ms:
            yield f"work {award.hex()} started after {work.delay_ms} ms, promised {work.promised_ms}"
    for cfp in state.cfps.values():
        if (cfp.terms is not None) != (cfp.direction is Direction.BUY):
            yield f"CFP {cfp.id.hex()} has terms that do not go with its direction"
        for bid in cfp.bids.values():
            owned = state.pools[bid.pool].owner == bid.account if cfp.terms is not None else not bid.pool
            if not owned:
                yield f"bid {bid.id.hex()} names the pool {bid.pool!r}"


def token_pools_are_sound(state: State) -> Iterator[str]:
    """A pool holds no more than its burst and nothing below 0, its rate is within its terms, nobody has used more of a
    grant than there was, and what waits for the end of an interval is on the agenda."""
    due = set(state.agenda) if state.token_pools else set()
    for name, pool in state.token_pools.items():
        if not 0 <= pool.level <= pool.terms.burst_tokens * PARTS or pool.at_ms > state.now_ms:
            yield f"token pool {name} holds {pool.level} parts at {pool.at_ms}"
        if not pool.terms.floor_per_minute <= pool.rate <= pool.terms.tokens_per_minute:
            yield f"token pool {name} refills at {pool.rate}"
        waits = pool.orders or pool.rate < pool.terms.tokens_per_minute
        if (waits and not pool.clears_at_ms) or (pool.clears_at_ms and (pool.clears_at_ms, pool.id) not in due):
            yield f"the next clearing of token pool {name} is on no agenda"
        if any(not 0 <= grant.used <= grant.tokens for grant in pool.grants.values()):
            yield f"a grant of token pool {name} is used twice"
        if any(order.account != account for account, order in pool.orders.items()):
            yield f"an order of token pool {name} is another account's"
        if len(pool.orders) > limits.ORDERS_PER_POOL_MAX or any(tokens <= 0 for tokens in pool.recent.values()):
            yield f"token pool {name} has {len(pool.orders)} orders, and remembers {pool.recent}"
    orders = {o.id: name for name, pool in state.token_pools.items() for o in pool.orders.values()}
    grants = {ident: name for name, pool in state.token_pools.items() for ident in pool.grants}
    if (orders, grants) != (state.token_orders, state.token_grants):
        yield "orders and grants of token pools are not where they are looked for"


INVARIANTS: tuple[Callable[[State], Iterator[str]], ...] = (
    credits_are_conserved,
    nothing_is_overspent,
    holds_match_bids,
    groups_hold_what_could_win,
    capacity_is_respected,
    counters_match,
    weights_match,
    budgets_match,
    balances_are_counted,
    decisions_are_sound,
    invitations_are_kept,
    deposits_are_sound,
    negotiations_are_sound,
    resales_are_sound,
    works_are_sound,
    token_pools_are_sound,
)


def violations(state: State) -> list[str]:
    """Every broken invariant, in words; empty for a sound market."""
    return [text for check in INVARIANTS for text in check(state)]
