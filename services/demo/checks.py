"""The checks that a run has to pass: what the agents saw is what the published ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from contractnet.cli.directory import DataDirectory
from services.demo.bargains import ALTERNATING, BY_CLOCK, ZEUTHEN
from services.demo.demand import BUDGETED
from services.demo.live import Score


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about the run, whether it holds, and the numbers behind it."""

    claim: str
    holds: bool
    numbers: str


@dataclass(frozen=True, slots=True)
class Run:
    """Which part of the ledger belongs to the run: a market's partition, from an offset on.

    `deleted`: nothing of it will stay.
    """

    directory: DataDirectory
    bootstrap: str
    market: str
    partition: int
    partitions: int
    first_offset: int
    deleted: bool


def of(run: Run) -> dict[str, Any]:
    """What RUN needs to know."""
    return {"market": run.market, "partition": run.partition, "first": run.first_offset}


RUN = "market = $market AND partition = $partition AND ledger_offset >= $first"
"""Which rows of a table are of the run."""

_SEEN = f"""
SELECT a.award_id, a.price_ucr FROM (FROM awards WHERE {RUN}) a
JOIN cfps c ON a.market = c.market AND a.cfp_id = c.cfp_id WHERE c.direction = 'SELL'
AND a.award_id != c.cfp_id -- what a negotiation's buyer got in the call for it counts as a deal
"""
_WORKS = f"SELECT status, count(*)::BIGINT, coalesce(sum(paid_ucr), 0)::BIGINT FROM works WHERE {RUN} GROUP BY ALL"
# A deal whose buyer was outbid in a call for the lease moved nothing to it.
_DEALS = f"""
WITH talks AS (
    SELECT *, status = 'deal' AND negotiation_id IN (SELECT award_id FROM reservations) AS sold
    FROM negotiations WHERE {RUN}
)
SELECT count(*)::BIGINT, count(*) FILTER (status = 'deal')::BIGINT, count(*) FILTER (sold)::BIGINT,
    coalesce(sum(price_ucr) FILTER (sold), 0)::BIGINT,
    coalesce(avg(rounds) FILTER (sold), 0), count(*) FILTER (sold AND protocol = 'ALTERNATING')::BIGINT,
    count(*) FILTER (sold AND len(options) > 0)::BIGINT, count(*) FILTER (claimed)::BIGINT,
    count(*) FILTER (claimed AND joined_at IS NOT NULL)::BIGINT, count(*) FILTER (claimed AND sold)::BIGINT
FROM talks
"""
_GROUPS = f"""
SELECT count(*)::BIGINT, count(*) FILTER (won > 0)::BIGINT, count(*) FILTER (won > wins_max)::BIGINT,
    coalesce(sum(bids), 0)::BIGINT FROM (
    SELECT any_value(wins_max) AS wins_max, count(*) AS bids, count(*) FILTER (status = 'won') AS won
    FROM bids WHERE {RUN} AND group_id IS NOT NULL GROUP BY account_id, group_id
)
"""
# Refusals of orders of tokens are the wallets' own: they try again.
_REFUSED = f"""
SELECT count(*)::BIGINT FROM rejections WHERE {RUN} AND code = 'BUDGET_EXCEEDED' AND kind <> 'PlaceStandingOrder'
"""
_BUDGETS = """
SELECT scope = 'project', spent_ucr, most_ucr, warned_at IS NOT NULL, spent_ucr > most_ucr
FROM budget_status WHERE market = $market AND (project = $project OR agent IN (
    SELECT name FROM accounts WHERE market = $market AND project = $project)) AND most_ucr IS NOT NULL
"""
# What a bucket can have given since its first grant: its burst, and what flowed in until the last one.
_TOKENS = f"""
WITH granted AS (FROM token_grants WHERE {RUN}), used AS (
    SELECT market, grant_id, sum(tokens)::BIGINT AS tokens, sum(throttled)::BIGINT AS throttled
    FROM token_usage WHERE {RUN} GROUP BY ALL
)
SELECT coalesce(sum(g.tokens), 0)::BIGINT, coalesce(sum(u.tokens), 0)::BIGINT, coalesce(sum(g.paid_ucr), 0)::BIGINT,
    count(*) FILTER (u.tokens > g.tokens)::BIGINT,
    coalesce(any_value(p.burst_tokens) + any_value(p.tokens_per_minute) / 60000
        * date_diff('ms', min(g.granted_at), max(g.granted_at)), 0)::BIGINT,
    coalesce(sum(u.throttled), 0)::BIGINT
FROM granted g JOIN token_pools p ON g.market = p.market AND g.pool = p.pool
LEFT JOIN used u ON g.market = u.market AND g.grant_id = u.grant_id
"""
# What came in and neither is there any more nor was moved on by the bank must be what attribution says was spent.
_AGREES = """
WITH paid AS (SELECT agent, sum(credits)::BIGINT AS ucr FROM attribution WHERE market = $market GROUP BY ALL),
moved AS (
    SELECT account_id, sum(ucr)::BIGINT AS ucr FROM (
        SELECT credit_id AS account_id, amount_ucr AS ucr FROM transfers WHERE market = $market
        UNION ALL
        SELECT debit_id, -amount_ucr FROM transfers
        WHERE market = $market AND reason IN ('ISSUE', 'TRANSFER', 'ALLOWANCE', 'DECAY')
    ) GROUP BY ALL
)
SELECT count(*)::BIGINT, count(*) FILTER (
    coalesce(m.ucr, 0) - a.balance_ucr <> coalesce(p.ucr, 0))::BIGINT, coalesce(sum(p.ucr), 0)::BIGINT
FROM accounts a LEFT JOIN paid p ON p.agent = a.name LEFT JOIN moved m ON m.account_id = a.account_id
WHERE a.market = $market AND NOT a.is_bank
"""


def checks(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> list[Check]:
    """All of them, from a published file that holds all of the run."""
    return [
        *_ledger_checks(connection, run, score),
        *_trade_checks(connection, run, score),
        _deals_check(connection, run, score),
        _groups_check(connection, run, score),
        _budget_check(connection, run, score),
        *_token_checks(connection, run, score),
        *_swarm_checks(score),
    ]


def _ledger_checks(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> list[Check]:
    books = connection.execute(
        "SELECT accounts, sum_balance_ucr, balances_differing, held_differing, ok FROM balances_check WHERE market = ?",
        [run.market],
    ).fetchone()
    assert books is not None, "the market has accounts"
    accounts, differing, paid_ucr = connection.execute(_AGREES, {"market": run.market}).fetchone() or (0, 1, 0)
    held = connection.execute("SELECT sum(held_ucr)::BIGINT FROM accounts WHERE market = ?", [run.market]).fetchone()
    ledger = dict(connection.execute(_SEEN, of(run)).fetchall())
    seen = score.awards()
    spent_ucr = score.total("spent_ucr")
    same = set(ledger) == seen and sum(ledger.values()) == spent_ucr
    return [
        Check(
            "The balances of all accounts, the bank's included, add up to 0 and follow from the transfers",
            bool(books[4]),
            f"sum {books[1]}, {books[0]} accounts, {books[2]} balances and {books[3]} holds differ",
        ),
        Check(
            "What attribution says was spent is what left the balances",
            differing == 0 and accounts > 0,
            f"{paid_ucr / 1e6:,.2f} credits over all runs, {differing} of {accounts} accounts differ",
        ),
        Check(
            "Awards and prices in the ledger are those that the winners saw",
            same and bool(seen),
            f"{len(ledger):,} in the ledger, {len(seen):,} seen, {len(set(ledger) ^ seen)} in one only",
        ),
        Check(
            "Nothing is held any more", held is not None and held[0] == 0, f"{held[0] if held else '?'} micro-credits"
        ),
    ]


def _trade_checks(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> list[Check]:
    """Work: what the buyers saw of it is what the ledger says."""
    works = {status: (count, ucr) for status, count, ucr in connection.execute(_WORKS, of(run)).fetchall()}
    done, paid_ucr = works.get("done", (0, 0))
    unpaid_ucr = sum(ucr for status, (_, ucr) in works.items() if status != "done")
    awarded = sum(count for count, _ in works.values())
    seen = (score.total("bought"), score.total("bought_done"), score.total("bought_paid_ucr"))
    return [
        Check(
            "Work that was bought is paid for where it was done, and nothing else is",
            seen == (awarded, done, paid_ucr) and unpaid_ucr == 0,
            f"{awarded} bought, {done} done for {paid_ucr / 1e6:,.2f} credits, {awarded - done} failed or late",
        )
    ]


def _deals_check(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> Check:
    """Leases that were bargained for, by protocol; over issues, and those that were claimed, counted apart."""
    talks, made, deals, deals_ucr, rounds, alternating, over_issues, *claims = (
        connection.execute(_DEALS, of(run)).fetchone() or (0,) * 10
    )
    begun, agreed = score.counted("talks"), score.counted("agreed")
    claimed = [score.total(name) for name in ("claims", "claims_joined", "claims_won")]
    seen = (score.total("deals"), score.total("deals_paid_ucr"), agreed[ALTERNATING], score.total("deals_over_issues"))
    played = ", ".join(f"{style} {agreed[style]} of {begun[style]}" for style in (BY_CLOCK, ZEUTHEN, ALTERNATING))
    return Check(
        "Leases changed hands at the prices that both sides agreed on",
        seen == (deals, deals_ucr, alternating, over_issues) and claimed[1:] == claims[1:],
        f"{made} of {talks} negotiations ended in a deal; the buyer got {deals} of these leases, after {rounds:.1f} "
        f"rounds on average ({played}), whoever bid more in the open call the others; "
        f"{over_issues} over an issue as well; of {claims[0]} claims {claims[1]} were answered and {claims[2]} won",
    )


def _groups_check(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> Check:
    groups, won, above, bids = connection.execute(_GROUPS, of(run)).fetchone() or (0, 0, 1, 0)
    return Check(
        "No group of bids won more often than it may",
        above == 0 and won == score.total("groups_won"),
        f"{won:,} of {groups:,} groups won, with {bids:,} bids",
    )


def _budget_check(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> Check:
    """The project with a budget, and its agents': nothing above it is spent, and each refusal is in the ledger."""
    rows = connection.execute(_BUDGETS, {"market": run.market, "project": BUDGETED}).fetchall()
    (refused,) = connection.execute(_REFUSED, of(run)).fetchone() or (0,)
    spent_ucr, most_ucr, warned = next((row[1:4] for row in rows if row[0]), (0, 0, False))
    agents = [row for row in rows if not row[0]]
    return Check(
        "No budget was overrun",
        not any(row[4] for row in rows) and refused == score.total("over_budget"),
        f"{BUDGETED} spent {spent_ucr / 1e6:,.2f} of {most_ucr / 1e6:,.0f} credits ({'' if warned else 'not '}warned), "
        f"{sum(bool(row[3]) for row in agents)} of its {len(agents)} agents were warned; {refused:,} refused",
    )


def _token_checks(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> list[Check]:
    granted, used, tokens_ucr, overspent, most, throttled = connection.execute(_TOKENS, of(run)).fetchone() or (
        (0, 0, 0, 1, 0, 0)
    )
    draws, refused = score.managers.get("draws", 0), score.managers.get("draws_refused", 0)
    return [
        Check(
            "No more tokens were granted than the bucket has, or used than granted",
            granted <= most
            and overspent == 0
            and used <= score.total("tokens_used")
            and throttled == score.total("calls_throttled"),
            f"{granted:,} granted of {most:,} for {tokens_ucr / 1e6:,.2f} credits, {used:,} of "
            f"{score.total('tokens_used'):,} used reported for {score.total('calls'):,} calls "
            f"({score.total('calls_late')} late, {throttled} of {score.total('calls_throttled')} times 429)",
        ),
        Check(
            "The System agent got its tokens at once, each time", refused == 0, f"{draws - refused} of {draws} draws"
        ),
    ]


def _swarm_checks(score: Score) -> list[Check]:
    conflicts, uses = score.gate_total("conflicts"), score.gate_total("uses")
    shown, admitted = score.total("stale_shown"), score.total("stale_admitted")
    late = score.counted("not_admitted")
    kept_out = f", {sum(late.values())} holders not let in ({dict(late)})" if late else ""
    return [
        Check(
            "No GPU slot had two users at a time",
            conflicts == 0 and uses > 0,
            f"{conflicts} conflicts in {uses:,} uses{kept_out}",
        ),
        Check("Passes of leases that are over were refused", admitted == 0, f"{shown - admitted} of {shown}"),
    ]
