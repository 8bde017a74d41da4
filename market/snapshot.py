"""The canonical bytes of a shard: what a snapshot holds and what a state hash is taken of.

JSON with the fields in a fixed order; ids and keys in hex; mappings as lists in the order of the fold, which every
fold of the same ledger shares. What follows from the rest (the agenda, the capacity timelines, the counters of bids)
is left out. What came with rules version 10 is there only where there is some, so that the bytes of a market under
older rules stay what they were.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from contractnet.messages import Code, Direction, Pricing, Winner
from market.account import Account, Group, Key
from market.budget import Budget
from market.capacity import Timeline
from market.decay import Tally
from market.policy import Policy
from market.shard import Shard
from market.snapshot_negotiations import dump_negotiation, load_negotiation
from market.snapshot_tokens import dump_token_pool, load_token_pool
from market.state import Bid, Cfp, Lease, Pool, State
from market.works import Terms, Work


def dump(shard: Shard) -> bytes:
    """Canonical bytes of a shard's position and markets."""
    plain = {
        "partition": shard.partition,
        "next_offset": shard.next_offset,
        "head": shard.head.hex(),
        "markets": [_dump_state(s) for s in shard.markets.values()],
    }
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


def load(shard: Shard, data: bytes) -> None:
    """Put the content of canonical bytes into an empty shard."""
    plain = json.loads(data)
    assert plain["partition"] == shard.partition, "a snapshot of another partition"
    shard.next_offset = plain["next_offset"]
    shard.head = bytes.fromhex(plain["head"])
    shard.markets = {s["name"]: _load_state(s) for s in plain["markets"]}


def _dump_state(s: State) -> dict[str, Any]:
    return {
        "name": s.name,
        "genesis_hash": s.genesis_hash.hex(),
        "bank": s.bank.hex(),
        "partitions": s.partitions,
        "signed": s.signed,
        "rules_version": s.rules_version,
        "now_ms": s.now_ms,
        "weight_epoch": s.weight_epoch,
        "keys": [_dump_key(k, v) for k, v in s.keys.items()],
        "accounts": [_dump_account(a) for a in s.accounts.values()],
        "pools": [[p.name, p.owner.hex(), p.units] for p in s.pools.values()],
        "cfps": [_dump_cfp(c) for c in s.cfps.values()],
        "holds": [[h.hex(), amount] for h, amount in s.holds.items()],
        "groups": [row for a in s.accounts.values() for row in _dump_groups(a)],
        "leases": [_dump_lease(lease) for lease in s.leases.values()],
        "works": [_dump_work(work) for work in s.works.values()],
        "closed": [[c.hex(), _dump_winners(awards)] for c, awards in s.closed.items()],
        "budgets": [_dump_budget(b) for b in s.budgets.values()],
        "negotiations": [dump_negotiation(n) for n in s.negotiations.values()],
        "negotiated": [n.hex() for n in s.negotiated],
        "token_pools": [dump_token_pool(p) for p in s.token_pools.values()],
        "policy": None if s.policy is None else [getattr(s.policy, field.name) for field in fields(s.policy)],
        "deposit": s.deposit_hourly_permille,
        "resale_call": s.resale_call_ms,
        **({"deposit_floor": s.deposit_floor_ucr} if s.deposit_floor_ucr else {}),
    }


def _load_state(d: dict[str, Any]) -> State:
    s = State(
        name=d["name"],
        genesis_hash=bytes.fromhex(d["genesis_hash"]),
        bank=bytes.fromhex(d["bank"]),
        partitions=d["partitions"],
        signed=d["signed"],
        rules_version=d["rules_version"],
        now_ms=d["now_ms"],
        weight_epoch=d["weight_epoch"],
    )
    s.keys = dict(_load_key(k) for k in d["keys"])
    for account in map(_load_account, d["accounts"]):
        s.add_account(account)
    _restore_weights(s)
    s.pools = {name: Pool(name, bytes.fromhex(owner), units) for name, owner, units in d["pools"]}
    s.holds = {bytes.fromhex(h): amount for h, amount in d["holds"]}
    s.closed = {bytes.fromhex(c): tuple(_load_winners(awards)) for c, awards in d["closed"]}
    s.works = {work.award: work for work in map(_load_work, d["works"])}
    for cfp in map(_load_cfp, d["cfps"]):
        _restore_cfp(s, cfp)
    for row in d["groups"]:
        _load_group(s, row)
    s.negotiated = dict.fromkeys(map(bytes.fromhex, d["negotiated"]))
    for negotiation in map(load_negotiation, d["negotiations"]):
        s.add_negotiation(negotiation)
        s.agenda.append((negotiation.until_ms, negotiation.id))
    for pool in map(load_token_pool, d["token_pools"]):
        s.add_token_pool(pool)
        if pool.clears_at_ms:
            s.agenda.append((pool.clears_at_ms, pool.id))
    s.policy = None if d["policy"] is None else Policy(*d["policy"])
    s.deposit_hourly_permille = d["deposit"]
    s.deposit_floor_ucr = d.get("deposit_floor", 0)
    s.resale_call_ms = d["resale_call"]
    # A snapshot may lie between the entries of one record: some holds are resolved then, or not placed yet.
    for hold, holder, _ in s.backed():
        s.accounts[holder].held_ucr += s.holds.get(hold, 0)
    for budget in map(_load_budget, d["budgets"]):
        s.add_budget(budget)
        s.agenda.append((budget.ends_at_ms, budget.id))
    # Once for all: for each, a market of 20,000 calls would take minutes to start.
    heapq.heapify(s.agenda)
    for lease in map(_load_lease, d["leases"]):
        _restore_lease(s, lease)
    return s


def _restore_weights(s: State) -> None:
    changed = (account for account in s.accounts.values() if len(account.weights) > 1)
    for account in sorted(changed, key=lambda account: account.weights[-1][0]):
        s.weights_of(account).add(account)


def _restore_cfp(s: State, cfp: Cfp) -> None:
    s.add_cfp(cfp)
    s.agenda.append((cfp.due_at_ms, cfp.id))
    for bid in cfp.bids.values():
        s.bids[bid.id] = bid
        cfp.tries[bid.account] = cfp.tries.get(bid.account, 0) + 1
        account = s.accounts[bid.account]
        account.open_bids += 1
        if not bid.withdrawn:
            cfp.bidders[bid.account] = bid.id


def _restore_lease(s: State, lease: Lease) -> None:
    s.leases[lease.award] = lease
    pool = s.pools[lease.pool]
    pool.leases += 1
    timeline: Timeline = pool.timeline
    timeline.add(lease.starts_at_ms, lease.ends_at_ms, lease.units)
    heapq.heappush(s.agenda, (lease.ends_at_ms, lease.award))


def _dump_key(public: bytes, k: Key) -> list[Any]:
    account = None if k.account is None else k.account.hex()
    return [
        public.hex(),
        account,
        k.revoked,
        k.floor,
        k.expires_at_ms,
        [[seq, tag.hex(), str(code)] for seq, (tag, code) in k.seen.items()],
    ]


def _load_key(d: list[Any]) -> tuple[bytes, Key]:
    public, account, revoked, floor, expires_at_ms, seen = d
    owner = None if account is None else bytes.fromhex(account)
    outcomes = {seq: (bytes.fromhex(tag), Code(code)) for seq, tag, code in seen}
    return bytes.fromhex(public), Key(owner, revoked, outcomes, floor, expires_at_ms)


def _dump_account(a: Account) -> list[Any]:
    inbox_key = None if a.inbox_key is None else a.inbox_key.hex()
    head = [a.id.hex(), a.name, a.project, a.budget_root, inbox_key, a.balance_ucr, a.keys, a.live_keys]
    return [*head, a.weights, a.system, a.owed_ucr]


def _load_account(d: list[Any]) -> Account:
    ident, name, project, root, inbox, balance_ucr, keys, live_keys, weights, system, owed_ucr = d
    inbox_key = None if inbox is None else bytes.fromhex(inbox)
    account = Account(bytes.fromhex(ident), name, project, root, inbox_key, balance_ucr, keys=keys, live_keys=live_keys)
    account.weights = [(epoch, weight) for epoch, weight in weights]
    account.system, account.owed_ucr = system, owed_ucr
    return account


def _dump_cfp(c: Cfp) -> list[Any]:
    head = [c.id.hex(), c.manager.hex(), str(c.direction), c.pool, c.units, c.duration_ms, c.slots]
    return [
        *head,
        c.reserve_price_ucr,
        str(c.pricing),
        c.closes_at_ms,
        c.weight_epoch,
        [_dump_bid(b) for b in c.bids.values()],
        [c.decide_ms, c.decides_until_ms, _dump_winners(c.awards), [a.hex() for a in c.refused]],
        [a.hex() for a in c.invited],
        None if c.terms is None else [getattr(c.terms, field.name) for field in fields(c.terms)],
        [c.opened_at_ms, c.deposit_hourly_permille, *([c.deposit_floor_ucr] if c.deposit_floor_ucr else [])],
        None if c.resale is None else c.resale.hex(),
    ]


def _load_cfp(d: list[Any]) -> Cfp:
    ident, manager, direction, pool, units, duration_ms, slots, reserve, pricing, closes_at_ms, epoch, *rest = d
    bids, (decide_ms, decides_until_ms, awards, refused), invited, terms, (opened_at_ms, deposit, *floor), resale = rest
    cfp = Cfp(
        id=bytes.fromhex(ident),
        manager=bytes.fromhex(manager),
        direction=Direction(direction),
        pool=pool,
        units=units,
        duration_ms=duration_ms,
        slots=slots,
        reserve_price_ucr=reserve,
        pricing=Pricing(pricing),
        closes_at_ms=closes_at_ms,
        weight_epoch=epoch,
        decide_ms=decide_ms,
        decides_until_ms=decides_until_ms,
        awards=_load_winners(awards),
        refused=dict.fromkeys(map(bytes.fromhex, refused)),
        invited=dict.fromkeys(map(bytes.fromhex, invited)),
        terms=None if terms is None else Terms(*terms),
        opened_at_ms=opened_at_ms,
        deposit_hourly_permille=deposit,
        deposit_floor_ucr=floor[0] if floor else 0,
        resale=None if resale is None else bytes.fromhex(resale),
    )
    cfp.bids = {b.id: b for b in (_load_bid(cfp.id, x) for x in bids)}
    return cfp


def _dump_bid(b: Bid) -> list[Any]:
    terms = [b.price_ucr, b.weight_permille, b.start_delay_ms, b.task, b.pass_hash.hex(), b.withdrawn, b.pool]
    return [b.id.hex(), b.account.hex(), *terms, b.placed_at_ms, b.freed_at_ms]


def _load_bid(cfp: bytes, d: list[Any]) -> Bid:
    ident, account, price_ucr, weight, start_delay_ms, task, pass_hash, withdrawn, pool, placed_at_ms, freed_at_ms = d
    return Bid(
        id=bytes.fromhex(ident),
        cfp=cfp,
        account=bytes.fromhex(account),
        price_ucr=price_ucr,
        weight_permille=weight,
        start_delay_ms=start_delay_ms,
        task=task,
        pass_hash=bytes.fromhex(pass_hash),
        withdrawn=withdrawn,
        pool=pool,
        placed_at_ms=placed_at_ms,
        freed_at_ms=freed_at_ms,
    )


def _dump_groups(a: Account) -> list[Any]:
    return [
        [a.id.hex(), ident.hex(), g.wins_max, g.wins, [bid.hex() for bid in g.bids]]
        for groups in (a.groups, a.won_groups)
        for ident, g in groups.items()
    ]


def _load_group(s: State, d: list[Any]) -> None:
    account, ident, wins_max, wins, bids = d
    owner, group = s.accounts[bytes.fromhex(account)], Group(wins_max, wins, dict.fromkeys(map(bytes.fromhex, bids)))
    (owner.groups if bids else owner.won_groups)[bytes.fromhex(ident)] = group
    for bid in group.bids:
        s.bids[bid].group = bytes.fromhex(ident)


def _dump_winners(winners: Iterable[Winner]) -> list[Any]:
    return [[w.bid.hex(), w.price_ucr] for w in winners]


def _load_winners(d: list[Any]) -> list[Winner]:
    return [Winner(bytes.fromhex(bid), price_ucr) for bid, price_ucr in d]


def _dump_lease(lease: Lease) -> list[Any]:
    head = [lease.award.hex(), lease.pool, lease.units, lease.account.hex(), lease.starts_at_ms, lease.ends_at_ms]
    return [*head, [list(item) for item in lease.vain.items()]] if lease.vain else head


def _load_lease(d: list[Any]) -> Lease:
    award, pool, units, account, starts_at_ms, ends_at_ms, *vain = d
    return Lease(bytes.fromhex(award), pool, units, bytes.fromhex(account), starts_at_ms, ends_at_ms, dict(*vain))


def _dump_work(w: Work) -> list[Any]:
    prices = [w.price_ucr, w.bond_ucr, w.delay_cost_per_s_ucr, w.promised_ms, w.awarded_at_ms, w.task, w.delay_ms]
    return [w.award.hex(), w.cfp.hex(), w.manager.hex(), w.account.hex(), *prices]


def _load_work(d: list[Any]) -> Work:
    award, cfp, manager, account, *rest = d
    return Work(bytes.fromhex(award), bytes.fromhex(cfp), bytes.fromhex(manager), bytes.fromhex(account), *rest)


def _dump_budget(b: Budget) -> list[Any]:
    account = None if b.account is None else b.account.hex()
    terms = [b.limit_ucr, b.allowance_ucr, b.window_ms, b.offset_ms, b.decay_permille, b.cap_allowances]
    window = [b.starts_at_ms, b.ends_at_ms, b.topped_up_ucr, b.spent_ucr, b.warned]
    tallies = [[ident.hex(), tally.until_ms, tally.areas] for ident, tally in b.tallies.items()]
    return [b.id.hex(), account, b.project, *terms, b.warn_permille, *window, tallies]


def _load_budget(d: list[Any]) -> Budget:
    ident, account, *rest, tallies = d
    budget = Budget(bytes.fromhex(ident), None if account is None else bytes.fromhex(account), *rest)
    budget.tallies = {bytes.fromhex(owner): Tally(until_ms, areas) for owner, until_ms, areas in tallies}
    return budget
