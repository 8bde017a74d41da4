"""`contractnet policy show`: the operator's policy and what was issued under it, as the newest generation has them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.cli.durations import duration_text
from contractnet.messages.commands import SetPolicy
from contractnet.money import credits_text

_POLICY = """
SELECT issue_limit_ucr, issue_window_ms, round_fee_ucr, set_at, ledger_offset
FROM policies WHERE market = $market ORDER BY ledger_offset DESC LIMIT 1
"""
_ISSUED = """
SELECT issued_ucr, allowances_ucr FROM issuance
WHERE market = $market AND policy_offset IS NOT DISTINCT FROM $offset
    AND starts_at = make_timestamp_ms($starts_ms)
"""
_DEPOSIT = """
SELECT hourly_permille, floor_ucr FROM deposit_rates WHERE market = $market ORDER BY ledger_offset DESC LIMIT 1
"""
_RESALE = "SELECT call_ms FROM resale_calls WHERE market = $market ORDER BY ledger_offset DESC LIMIT 1"


class _Policy(NamedTuple):
    """What holds. `set_at` and `offset` None: nobody has set a policy."""

    command: SetPolicy = SetPolicy(issue_limit_ucr=None, issue_window_ms=24 * 3600 * 1000, round_fee_ucr=0)
    set_at: datetime | None = None
    offset: int | None = None


def lines(data_dir: Path, market: str) -> list[str]:
    """What the policy says, what was issued in the window that runs, and how new the publication is.

    Raises QueryError where there is no publication.
    """
    with ledger_with("policies", data_dir) as connection:
        at = published_at(connection)
        policy = _policy(connection, market)
        now_ms = int(at.replace(tzinfo=UTC).timestamp() * 1000)
        terms = policy.command
        starts_ms = now_ms - now_ms % terms.issue_window_ms
        asked = {"market": market, "offset": policy.offset, "starts_ms": starts_ms}
        deposit = connection.execute(_DEPOSIT, {"market": market}).fetchone() or (0, 0)
        (call_ms,) = connection.execute(_RESALE, {"market": market}).fetchone() or (0,)
        issued_ucr, allowances_ucr = connection.execute(_ISSUED, asked).fetchone() or (0, 0)
    ends_at = datetime.fromtimestamp((starts_ms + terms.issue_window_ms) / 1000, UTC)
    limit_ucr, window = terms.issue_limit_ucr, duration_text(terms.issue_window_ms)
    most = "no limit" if limit_ucr is None else f"at most {credits_text(limit_ucr)} credits in {window}"
    left = "" if limit_ucr is None else f", {credits_text(limit_ucr - issued_ucr - allowances_ucr)} left"
    given = f"{credits_text(issued_ucr)} issued, {credits_text(allowances_ucr)} in allowances"
    return [
        f"issue    {most}: {given}{left}, until {moment_text(ends_at)}",
        f"fee      {credits_text(terms.round_fee_ucr)} credits for each offer in a negotiation",
        f"deposit  {_deposit_text(*deposit)}, for each slot and hour of a call (that buys: of the bond)",
        f"resale   {_resale_text(call_ms)}",
        "nobody has set a policy" if policy.set_at is None else f"set {moment_text(policy.set_at)}",
        f"as published {moment_text(at)}",
    ]


def _deposit_text(permille: int, floor_ucr: int) -> str:
    """What a manager deposits a part of, and how much of it."""
    floor = f", or of {credits_text(floor_ucr)} credits a unit and hour of the lease" if floor_ucr else ""
    return f"{permille / 10:g}% of the reserve{floor}"


def _resale_text(call_ms: int) -> str:
    if not call_ms:
        return "a lease that is bargained for moves at once"
    return f"a lease that is bargained for is open to others for {duration_text(call_ms)} at the agreed price"


def held(data_dir: Path, market: str) -> SetPolicy:
    """The command that would set what holds in a market now. Raises QueryError where there is no publication."""
    with ledger_with("policies", data_dir) as connection:
        return _policy(connection, market).command


def guards_off(data_dir: Path, market: str) -> set[str]:
    """Which of the operator's guards are off: `issue`, `fee`, `deposit`, `resale`.

    Raises QueryError where there is no publication, or one of before policies.
    """
    with ledger_with("policies", data_dir) as connection:
        policy = _policy(connection, market).command
        permille, _ = connection.execute(_DEPOSIT, {"market": market}).fetchone() or (0, 0)
        (call_ms,) = connection.execute(_RESALE, {"market": market}).fetchone() or (0,)
    on = {
        "issue": policy.issue_limit_ucr is not None,
        "fee": policy.round_fee_ucr > 0,
        "deposit": permille > 0,
        "resale": call_ms > 0,
    }
    return {name for name, is_on in on.items() if not is_on}


def _policy(connection: duckdb.DuckDBPyConnection, market: str) -> _Policy:
    row = connection.execute(_POLICY, {"market": market}).fetchone()
    return _Policy() if row is None else _Policy(SetPolicy(*row[:3]), *row[3:])
