"""`contractnet budget show`: the budgets of a market and their windows, as the newest generation has them."""

from __future__ import annotations

from pathlib import Path

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.money import credits_text

_BUDGETS = """
SELECT CASE scope WHEN 'account' THEN agent || ' (of ' || project || ')' ELSE 'project ' || project END,
    most_ucr, spent_ucr, held_ucr, left_ucr, warned_at IS NOT NULL, strftime(ends_at, '%Y-%m-%d %H:%M:%S UTC'),
    allowance_ucr, decay_permille, owed_ucr
FROM budget_status WHERE market = $market ORDER BY scope DESC, 1
"""


def lines(data_dir: Path, market: str) -> list[str]:
    """One line for each budget; at the end, how new the publication is.

    Credits have six decimals at most. Raises QueryError where there is no publication.
    """
    with ledger_with("budgets", data_dir) as connection:
        rows = connection.execute(_BUDGETS, {"market": market}).fetchall()
        at = published_at(connection)
    told = [_line(*row) for row in rows] or [f"market {market} has no budgets"]
    return [*told, f"as published {moment_text(at)}"]


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
    owed_ucr: int,
) -> str:
    used = f"spent {credits_text(spent_ucr)}, held {credits_text(held_ucr)}"
    if most_ucr is not None and left_ucr is not None:
        used = f"{used} of {credits_text(most_ucr)}, {credits_text(left_ucr)} left"
    terms = f", allowance {credits_text(allowance_ucr)}" if allowance_ucr else ""
    terms += f", decay {decay_permille / 10:g}%" if decay_permille else ""
    terms += f", {credits_text(owed_ucr)} owed" if owed_ucr else ""
    return f"{name}  {used}{' (warned)' if warned else ''}, until {ends_at}{terms}"
