"""`contractnet credits show`: what accounts have, as the newest generation has it."""

from __future__ import annotations

from pathlib import Path

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.errors import QueryError
from contractnet.money import credits_text

_SHOWN = 40
_BALANCES = """
SELECT name, account_id, project, is_bank, balance_ucr, held_ucr, owed_ucr, available_ucr
FROM accounts WHERE market = $market ORDER BY is_bank, name
"""
_NAMED = "SELECT account_id FROM accounts WHERE market = $market AND name = $name AND NOT is_bank"


def lines(data_dir: Path, market: str, *accounts: str) -> list[str]:
    """One line for each account, by name or id in hex (none named: all, the bank last); at the end, how new the
    publication is.

    Credits have six decimals at most. Raises QueryError where there is no such account or no publication.
    """
    with ledger_with("accounts that owe", data_dir) as connection:
        rows = connection.execute(_BALANCES, {"market": market}).fetchall()
        at = moment_text(published_at(connection))
    found = {key: row for row in rows for key in row[:2]}
    missing = [account for account in accounts if account not in found]
    if missing or not rows:
        whose = f"no account {missing[0][:_SHOWN]!r}" if missing else "no accounts"
        raise QueryError(
            f"The ledger as published {at} has {whose} in market {market!r}. Give a name or an id of 32 hex digits; "
            f"`contractnet credits show` shows all. What is new gets there within seconds while the market runs."
        )
    wanted = [found[account] for account in accounts] or rows
    return [*(_line(*row) for row in wanted), f"as published {at}"]


def id_of(data_dir: Path, market: str, name: str) -> bytes | None:
    """The id of the account of this name, which a market has once; None where it has none. The bank is no such account.

    Raises QueryError where there is no publication.
    """
    with ledger_with("accounts that owe", data_dir) as connection:
        found = connection.execute(_NAMED, {"market": market, "name": name}).fetchone()
    return None if found is None else bytes.fromhex(found[0])


def _line(
    name: str,
    ident: str,
    project: str,
    is_bank: bool,
    balance_ucr: int,
    held_ucr: int,
    owed_ucr: int,
    available_ucr: int,
) -> str:
    if is_bank:
        return f"the bank ({ident})  issued {credits_text(-balance_ucr)} that it has not got back"
    owed = f", owed {credits_text(owed_ucr)}" if owed_ucr else ""
    return (
        f"{name} (of {project}, {ident})  has {credits_text(balance_ucr)}: held {credits_text(held_ucr)}{owed}, "
        f"free {credits_text(available_ucr)}"
    )
