"""What the tables must hold, by a fold of its own: plain dictionaries, one event at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import analytics
from contractnet.messages import Entry
from contractnet.messages import events as ev
from market.works import deposit_of

Key = tuple[str, str]
Window = tuple[int, int, int | None, int, int, bool, int, int, bool]
"""Start and end, limit, topped up, spent, warned, issued, decayed, over."""


@dataclass
class Folded:
    """The state of all markets; keys are (market, hex id)."""

    balance_ucr: Counter[Key] = field(default_factory=Counter)
    held_ucr: Counter[Key] = field(default_factory=Counter)
    owed_ucr: Counter[Key] = field(default_factory=Counter)
    holds: dict[Key, tuple[str, int]] = field(default_factory=dict)
    cfps: dict[Key, tuple[str, int | None]] = field(default_factory=dict)
    bids: dict[Key, tuple[str, str | None]] = field(default_factory=dict)
    groups: dict[Key, tuple[str, int]] = field(default_factory=dict)
    """Group of a bid, and how many of it may win."""
    managed: dict[Key, tuple[str, int | None, int | None]] = field(default_factory=dict)
    """Who awards each CFP, for how long, and until when."""
    by_invitation: dict[Key, bool] = field(default_factory=dict)
    invitations: set[tuple[str, str, str]] = field(default_factory=set)
    refusals: set[tuple[str, str, str, str]] = field(default_factory=set)
    talks: dict[Key, tuple[str, int | None, list[int] | None, int | None]] = field(default_factory=dict)
    """Status, cap, options and price of each negotiation."""
    offers: Counter[tuple[str, str, int, str, str]] = field(default_factory=Counter)
    leases: dict[Key, str] = field(default_factory=dict)
    terms: dict[Key, tuple[int, int, int, int]] = field(default_factory=dict)
    """Of CFPs that buy."""
    pools_of_bids: dict[Key, str] = field(default_factory=dict)
    works: dict[Key, tuple[str, int | None, int | None, str | None]] = field(default_factory=dict)
    """Status, delay, payment and result of work."""
    pools: dict[Key, int] = field(default_factory=dict)
    pool_sizes: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    weights: dict[Key, int] = field(default_factory=dict)
    names: dict[Key, str] = field(default_factory=dict)
    keys: dict[Key, tuple[str | None, bool, bool]] = field(default_factory=dict)
    tasks: dict[Key, str] = field(default_factory=dict)
    awards: dict[Key, tuple[str, str, str, str, int, int]] = field(default_factory=dict)
    projects: dict[Key, str] = field(default_factory=dict)
    budgets: dict[Key, tuple[str | None, str | None, bool]] = field(default_factory=dict)
    windows: dict[Key, list[Window]] = field(default_factory=dict)
    policies: Counter[tuple[str, int | None, int, int]] = field(default_factory=Counter)
    """Limit and window of what is issued, and the fee of an offer."""
    deposit_rates: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    resale_calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    resales: dict[Key, str] = field(default_factory=dict)
    """The lease of each call for one."""
    leases_of: dict[Key, str] = field(default_factory=dict)
    """The lease of each negotiation."""
    claims: set[Key] = field(default_factory=set)
    deposits: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """What was deposited for each call, and what of it was paid."""
    token_pools: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Burst, and the rate that holds."""
    token_orders: dict[Key, tuple[str, str, int]] = field(default_factory=dict)
    token_grants: dict[Key, tuple[str, str, int, bool]] = field(default_factory=dict)
    token_usage: Counter[tuple[str, str, str, int, int]] = field(default_factory=Counter)
    system: dict[Key, bool] = field(default_factory=dict)
    spent_ucr: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)


def fold(market: str, entries: Iterable[Entry], state: Folded) -> None:
    """Apply entries of one market."""
    for entry in entries:
        event = entry.event
        state.types[type(event).__name__] += 1
        _fold_accounts(market, event, state)
        _fold_keys(market, event, state)
        _fold_money(market, event, state)
        _fold_budgets(market, event, state)
        _fold_contracts(market, event, state)
        _fold_negotiations(market, event, state)
        _fold_purchases(market, event, state)
        _fold_tokens(market, event, state)


def _fold_accounts(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.MarketOpened(bank=bank):
            state.names[market, bank.hex()] = state.projects[market, bank.hex()] = "bank"
            state.weights[market, bank.hex()] = 1000
        case ev.AccountOpened():
            state.names[market, event.account.hex()] = event.name
            state.projects[market, event.account.hex()] = event.project
            state.weights[market, event.account.hex()] = 1000
        case ev.WeightChanged():
            state.weights[market, event.account.hex()] = event.weight_permille
        case ev.PoolCreated() | ev.PoolResized():
            state.pools[market, event.pool] = event.units
            state.pool_sizes[market, event.pool, event.units] += 1
        case ev.PolicySet():
            state.policies[market, event.issue_limit_ucr, event.issue_window_ms, event.round_fee_ucr] += 1
        case ev.DepositSet():
            state.deposit_rates[market, event.hourly_permille, event.floor_ucr] += 1
        case ev.ResaleCallSet():
            state.resale_calls[market, event.call_ms] += 1
        case ev.DecayOwed():
            state.owed_ucr[market, event.account.hex()] = event.owed_ucr


def _fold_tokens(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.MarketOpened():
            state.system[market, event.bank.hex()] = False
        case ev.AccountOpened():
            state.system[market, event.account.hex()] = False
        case ev.PriorityChanged():
            state.system[market, event.account.hex()] = event.system
        case ev.TokenPoolCreated() | ev.TokenPoolResized():
            state.token_pools[market, event.pool] = (event.burst_tokens, event.tokens_per_minute)
        case ev.TokenRateChanged():
            burst, _ = state.token_pools[market, event.pool]
            state.token_pools[market, event.pool] = (burst, event.tokens_per_minute)
        case ev.StandingOrderPlaced():
            agent = state.names[market, event.account.hex()]
            state.token_orders[market, event.order.hex()] = (agent, "standing", event.limit_per_1000_ucr)
        case ev.StandingOrderEnded():
            agent, _, limit = state.token_orders[market, event.order.hex()]
            state.token_orders[market, event.order.hex()] = (agent, str(event.reason).lower(), limit)
        case ev.TokensGranted():
            agent = state.names[market, event.account.hex()]
            state.token_grants[market, event.grant.hex()] = (agent, event.task, event.tokens, event.system)
        case ev.UsageReported():
            agent = state.names[market, event.account.hex()]
            state.token_usage[market, event.grant.hex(), agent, event.tokens, event.throttled] += 1


def _fold_keys(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.MarketOpened():
            state.keys[market, event.operator_key.hex()] = (None, False, False)
            state.keys[market, event.bank_key.hex()] = (event.bank.hex(), False, False)
        case ev.AccountOpened() | ev.KeyRegistered():
            state.keys[market, event.signing_key.hex()] = (event.account.hex(), False, False)
        case ev.KeyExpires():
            account, _, revoked = state.keys[market, event.signing_key.hex()]
            state.keys[market, event.signing_key.hex()] = (account, True, revoked)
        case ev.KeyRevoked():
            account, ends, _ = state.keys[market, event.signing_key.hex()]
            state.keys[market, event.signing_key.hex()] = (account, ends, True)
        case ev.OperatorKeyRotated():
            state.keys[market, event.revoked_key.hex()] = (None, False, True)
            state.keys[market, event.signing_key.hex()] = (None, False, False)


def _fold_money(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.CreditsTransferred():
            state.balance_ucr[market, event.debit.hex()] -= event.amount_ucr
            state.balance_ucr[market, event.credit.hex()] += event.amount_ucr
            if event.reason in ("AWARD", "DEAL", "FORFEIT", "TOKENS", "DEPOSIT"):
                state.spent_ucr[market, event.project, event.pool] += event.amount_ucr
            if event.reason == "DEPOSIT":
                assert event.cfp is not None
                amount_ucr, paid_ucr = state.deposits[market, event.cfp.hex()]
                state.deposits[market, event.cfp.hex()] = (amount_ucr, paid_ucr + event.amount_ucr)
        case ev.HoldPlaced():
            state.held_ucr[market, event.account.hex()] += event.amount_ucr
            state.holds[market, event.hold.hex()] = ("held", event.amount_ucr)
            call = (market, event.cfp.hex())
            own = deposit_of(event.cfp) if call in state.terms else event.cfp
            if event.hold == own and call in state.cfps:
                state.deposits[call] = (event.amount_ucr, 0)
        case ev.HoldResized():
            _, before_ucr = state.holds[market, event.hold.hex()]
            state.held_ucr[market, event.account.hex()] += event.amount_ucr - before_ucr
            state.holds[market, event.hold.hex()] = ("held", event.amount_ucr)
        case ev.HoldCaptured():
            _, amount_ucr = state.holds[market, event.hold.hex()]
            state.held_ucr[market, event.account.hex()] -= amount_ucr
            state.holds[market, event.hold.hex()] = ("captured", amount_ucr)
        case ev.HoldReleased():
            _, amount_ucr = state.holds[market, event.hold.hex()]
            state.held_ucr[market, event.account.hex()] -= amount_ucr
            state.holds[market, event.hold.hex()] = ("released", amount_ucr)


def _fold_budgets(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.BudgetSet():
            key, owner = (market, event.budget.hex()), event.account.hex() if event.account else None
            bounds = (event.starts_at_ms, event.ends_at_ms, event.limit_ucr)
            state.budgets[key] = (owner, state.projects[market, owner] if owner else event.project, False)
            windows = state.windows.setdefault(key, [(*bounds, 0, 0, False, 0, 0, False)])
            windows[-1] = (*bounds, *windows[-1][3:])
        case ev.BudgetCleared():
            key = (market, event.budget.hex())
            state.budgets[key] = (*state.budgets[key][:2], True)
            state.windows[key][-1] = (*state.windows[key][-1][:8], True)
        case ev.BudgetToppedUp() | ev.BudgetWarned():
            window = state.windows[market, event.budget.hex()][-1]
            topped = window[3] + (event.amount_ucr if isinstance(event, ev.BudgetToppedUp) else 0)
            warned = window[5] or isinstance(event, ev.BudgetWarned)
            state.windows[market, event.budget.hex()][-1] = (*window[:3], topped, window[4], warned, *window[6:])
        case ev.BudgetWindowStarted():
            windows = state.windows[market, event.budget.hex()]
            windows[-1] = (*windows[-1][:7], event.decayed_ucr, True)
            bounds = (event.starts_at_ms, event.ends_at_ms, event.limit_ucr)
            windows.append((*bounds, 0, 0, False, event.issued_ucr, 0, False))
        case ev.CreditsTransferred(reason="AWARD" | "DEAL" | "FORFEIT" | "TOKENS"):
            payer = event.debit.hex()
            for (name, ident), (owner, project, over) in state.budgets.items():
                mine = owner == payer or (owner is None and project == state.projects[market, payer])
                if name == market and mine and not over:
                    window = state.windows[name, ident][-1]
                    state.windows[name, ident][-1] = (*window[:4], window[4] + event.amount_ucr, *window[5:])


def _fold_contracts(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.CfpOpened():
            state.cfps[market, event.cfp.hex()] = ("open", None)
            state.managed[market, event.cfp.hex()] = ("AUTO", None, None)
            state.by_invitation[market, event.cfp.hex()] = False
        case ev.AwardDeferred():
            state.managed[market, event.cfp.hex()] = ("MANAGER", event.decide_ms, None)
        case ev.DecisionOpened():
            key = (market, event.cfp.hex())
            state.cfps[key] = ("deciding", None)
            state.managed[key] = ("MANAGER", state.managed[key][1], event.decides_until_ms)
        case ev.AccountInvited():
            state.by_invitation[market, event.cfp.hex()] = True
            state.invitations.add((market, event.cfp.hex(), state.names[market, event.account.hex()]))
        case ev.CfpRefused():
            agent = state.names[market, event.account.hex()]
            state.refusals.add((market, event.cfp.hex(), agent, event.reason))
        case ev.CfpClosed():
            state.cfps[market, event.cfp.hex()] = (str(event.outcome).lower(), event.bids)
        case ev.BidPlaced():
            state.bids[market, event.bid.hex()] = ("live", None)
            state.tasks[market, event.bid.hex()] = event.task
        case ev.BidGrouped():
            state.groups[market, event.bid.hex()] = (event.group.hex(), event.wins_max)
        case ev.BidWithdrawn():
            state.bids[market, event.bid.hex()] = ("withdrawn", None)
        case ev.BidRejected():
            status, _ = state.bids[market, event.bid.hex()]
            status = "rejected" if status == "live" else status
            state.bids[market, event.bid.hex()] = (status, str(event.reason))
        case ev.AwardMade():
            key = (market, event.award.hex())
            state.bids[key] = ("won", None)
            agent = state.names[market, event.account.hex()]
            prices = (event.price_ucr, event.bid_price_ucr)
            state.awards[key] = (event.cfp.hex(), event.account.hex(), agent, state.tasks[key], *prices)
        case ev.SlotReserved():
            state.leases[market, event.award.hex()] = "active"
        case ev.LeaseEnded():
            state.leases[market, event.award.hex()] = str(event.reason).lower()


def _fold_negotiations(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.NegotiationOpened():
            state.talks[market, event.negotiation.hex()] = ("proposed", None, None, None)
            state.leases_of[market, event.negotiation.hex()] = event.award.hex()
        case ev.LeaseClaimed():
            state.talks[market, event.negotiation.hex()] = ("proposed", event.cap_ucr, None, None)
            state.claims.add((market, event.negotiation.hex()))
        case ev.NegotiationJoined():
            cap_ucr = state.talks[market, event.negotiation.hex()][1] or event.cap_ucr
            state.talks[market, event.negotiation.hex()] = ("bargaining", cap_ucr, None, None)
        case ev.CfpOpened() if (market, event.cfp.hex()) in state.talks:
            state.resales[market, event.cfp.hex()] = state.leases_of[market, event.cfp.hex()]
        case ev.OfferMade():
            agent = state.names[market, event.account.hex()]
            offer = (event.round, agent, f"{list(event.options)} at {event.price_ucr}")
            state.offers[market, event.negotiation.hex(), *offer] += 1
        case ev.NegotiationClosed():
            key = (market, event.negotiation.hex())
            ends = (list(event.options), event.price_ucr)
            state.talks[key] = (str(event.outcome).lower(), state.talks[key][1], *ends)


def _fold_purchases(market: str, event: ev.Event, state: Folded) -> None:
    match event:
        case ev.CfpOpened():
            state.pools_of_bids[market, event.cfp.hex()] = event.pool
        case ev.PurchaseOpened():
            terms = (event.delay_cost_per_s_ucr, event.bond_ucr, event.start_within_ms, event.grace_ms)
            state.terms[market, event.cfp.hex()] = terms
        case ev.BidPlaced():
            state.pools_of_bids[market, event.bid.hex()] = state.pools_of_bids[market, event.cfp.hex()]
        case ev.UnitsOffered():
            state.pools_of_bids[market, event.bid.hex()] = event.pool
        case ev.AwardMade() if (market, event.cfp.hex()) in state.terms:
            state.works[market, event.award.hex()] = ("awarded", None, None, None)
        case ev.WorkReported():
            end = (None, None) if event.progress == "STARTED" else (event.paid_ucr, event.text)
            state.works[market, event.award.hex()] = (str(event.progress).lower(), event.delay_ms, *end)


def read_back(data_dir: Path) -> Folded:
    """The same from the published tables."""
    with analytics.open(data_dir) as connection:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        def table(sql: str) -> dict[Any, Any]:
            return {row[:2]: row[2] if len(row) == 3 else row[2:] for row in rows(sql)}

        return Folded(
            balance_ucr=Counter(table("SELECT market, account_id, balance_ucr FROM accounts")),
            held_ucr=Counter(table("SELECT market, account_id, held_ucr FROM accounts")),
            owed_ucr=Counter(table("SELECT market, account_id, owed_ucr FROM accounts")),
            holds=table("SELECT market, hold_id, status, amount_ucr FROM holds"),
            cfps=table("SELECT market, cfp_id, status, bids FROM cfps"),
            bids=table("SELECT market, bid_id, status, reason FROM bids"),
            groups=table("SELECT market, bid_id, group_id, wins_max FROM bids WHERE group_id IS NOT NULL"),
            managed=table("SELECT market, cfp_id, award, decide_ms, epoch_ms(decides_until) FROM cfps"),
            by_invitation=table("SELECT market, cfp_id, by_invitation FROM cfps"),
            invitations=set(rows("SELECT market, cfp_id, agent FROM invitations")),
            refusals=set(rows("SELECT market, cfp_id, agent, reason FROM refusals")),
            policies=Counter(rows("SELECT market, issue_limit_ucr, issue_window_ms, round_fee_ucr FROM policies")),
            deposit_rates=Counter(rows("SELECT market, hourly_permille, floor_ucr FROM deposit_rates")),
            resale_calls=Counter(rows("SELECT market, call_ms FROM resale_calls")),
            resales=table("SELECT market, cfp_id, resale_of FROM resales"),
            leases_of=table("SELECT market, negotiation_id, award_id FROM negotiations"),
            claims=set(rows("SELECT market, negotiation_id FROM negotiations WHERE claimed")),
            deposits=table("SELECT market, cfp_id, amount_ucr, paid_ucr FROM deposits"),
            token_pools=table("SELECT market, pool, burst_tokens, rate_per_minute FROM token_pools"),
            token_orders=table("SELECT market, order_id, agent, status, limit_per_1000_ucr FROM token_orders"),
            token_grants=table("SELECT market, grant_id, agent, task, tokens, is_system FROM token_grants"),
            token_usage=Counter(rows("SELECT market, grant_id, agent, tokens, throttled FROM token_usage")),
            system=table("SELECT market, account_id, is_system FROM accounts"),
            talks=table("SELECT market, negotiation_id, status, cap_ucr, options, price_ucr FROM negotiations"),
            offers=Counter(
                rows("SELECT market, negotiation_id, round, agent, options::VARCHAR || ' at ' || price_ucr FROM offers")
            ),
            leases=table("SELECT market, award_id, status FROM reservations"),
            terms=table(
                "SELECT market, cfp_id, delay_cost_per_s_ucr, bond_ucr, start_within_ms, grace_ms FROM cfps "
                "WHERE direction = 'BUY'"
            ),
            pools_of_bids=table(
                "SELECT market, bid_id, pool FROM bids UNION ALL SELECT market, cfp_id, pool FROM cfps"
            ),
            works=table("SELECT market, award_id, status, delay_ms, paid_ucr, result FROM works"),
            pools=table("SELECT market, pool, units FROM pools"),
            pool_sizes=Counter(rows("SELECT market, pool, units FROM pool_sizes")),
            weights=table("SELECT market, account_id, weight_permille FROM accounts"),
            names=table("SELECT market, account_id, name FROM accounts"),
            keys=table(
                "SELECT market, signing_key, account_id, expires_at IS NOT NULL, revoked_at IS NOT NULL FROM keys"
            ),
            projects=table("SELECT market, account_id, project FROM accounts"),
            budgets=table("SELECT market, budget_id, account_id, project, cleared_at IS NOT NULL FROM budgets"),
            windows=_windows(rows),
            tasks=table("SELECT market, bid_id, task FROM bids"),
            awards=table(
                "SELECT market, award_id, cfp_id, account_id, agent, task, price_ucr, bid_price_ucr FROM awards"
            ),
            spent_ucr=Counter(
                {
                    (row[0], row[1], row[2]): row[3]
                    for row in rows("SELECT market, project, pool, sum(credits)::BIGINT FROM attribution GROUP BY ALL")
                }
            ),
            types=Counter(dict(rows("SELECT type, count(*) FROM events GROUP BY ALL"))),
        )


def _windows(rows: Callable[[str], list[tuple[Any, ...]]]) -> dict[Key, list[Window]]:
    found: dict[Key, list[Window]] = {}
    for market, budget, *window in rows(
        "SELECT market, budget_id, epoch_ms(starts_at), epoch_ms(ends_at), limit_ucr, topped_up_ucr, spent_ucr, "
        "warned_at IS NOT NULL, issued_ucr, decayed_ucr, ended_at IS NOT NULL FROM budget_windows "
        "ORDER BY partition, ledger_offset"
    ):
        found.setdefault((market, budget), []).append(tuple(window))
    return found
