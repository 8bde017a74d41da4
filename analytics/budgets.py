"""`contractnet budget show`: the budgets of a market and their windows, as the newest generation has them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from analytics.ledger import open_ledger
from contractnet.errors import QueryError
from contractnet.money import UCR_PER_CREDIT

_BUDGETS = """
SELECT CASE scope WHEN 'account' THEN agent || ' (of ' || project || ')' ELSE 'project ' || project END,
    most_ucr, spent_ucr, held_ucr, left_ucr, warned_at IS NOT NULL, strftime(ends_at, '%Y-%m-%d %H:%M:%S UTC'),
    allowance_ucr, decay_permille
FROM budget_status WHERE market = $market ORDER BY scope DESC, 1
"""


def lines(data_dir: Path, market: str) -> list[str]:
    """One line for each budget; at the end, how new the publication is.

    Credits have six decimals at most. Raises QueryError where there is no publication.
    """
    connection = open_ledger(data_dir)
    try:
        rows = connection.execute(_BUDGETS, {"market": market}).fetchall()
        [(at,)] = connection.execute("SELECT strftime(max(published_at), '%Y-%m-%d %H:%M:%S UTC') FROM meta").fetchall()
    except duckdb.CatalogException as error:
        raise QueryError(
            f"{data_dir} was published by a version of contractnet that had no budgets. While the market is up: "
            f"python -m projections.rebuild --data {data_dir}; then `contractnet down` and `contractnet up`."
        ) from error
    finally:
        connection.close()
    told = [_line(*row) for row in rows] or [f"market {market} has no budgets"]
    return [*told, f"as published {at}"]


def _line(
    name: str,
    most_ucr: int | None,
    spent_ucr: int,
    held_ucr: int,
    left_ucr: int | None,
    warned: bool,
    ends_at: str,
    allowance_ucr: int,
    decay_permille: int,
) -> str:
    used = f"spent {_credits(spent_ucr)}, held {_credits(held_ucr)}"
    if most_ucr is not None and left_ucr is not None:
        used = f"{used} of {_credits(most_ucr)}, {_credits(left_ucr)} left"
    terms = f", allowance {_credits(allowance_ucr)}" if allowance_ucr else ""
    terms += f", decay {decay_permille / 10:g}%" if decay_permille else ""
    return f"{name}  {used}{' (warned)' if warned else ''}, until {ends_at}{terms}"


def _credits(amount_ucr: int) -> str:
    """Credits as people write them."""
    whole, rest = divmod(abs(amount_ucr), UCR_PER_CREDIT)
    sign = "-" if amount_ucr < 0 else ""
    return f"{sign}{whole}.{rest:06d}".rstrip("0").rstrip(".")
