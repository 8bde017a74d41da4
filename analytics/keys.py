"""`contractnet key list`: the signing keys of a market, as the newest generation has them."""

from __future__ import annotations

import time
from itertools import groupby
from pathlib import Path

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.errors import QueryError

_SHOWN = 40
_KEYS = """
SELECT k.account_id, a.name, k.signing_key,
    CASE WHEN k.revoked_at IS NOT NULL THEN strftime(k.revoked_at, 'revoked %Y-%m-%d %H:%M:%S UTC')
        WHEN k.expires_at <= make_timestamp_ms($now_ms) THEN strftime(k.expires_at, 'expired %Y-%m-%d %H:%M:%S UTC')
        WHEN k.expires_at IS NOT NULL THEN strftime(k.expires_at, 'valid, expires %Y-%m-%d %H:%M:%S UTC')
        ELSE 'valid' END
FROM keys k LEFT JOIN accounts a ON a.market = k.market AND a.account_id = k.account_id
WHERE k.market = $market AND ($account::VARCHAR IS NULL OR k.account_id = $account OR a.name = $account)
ORDER BY k.account_id NULLS FIRST, k.registered_at, k.signing_key
"""


def lines(data_dir: Path, market: str, account: str | None = None) -> list[str]:
    """One line for each key, below one for its account; at the end, how new the publication is.

    `account` is a name or an id in hex; None: all, the operator's keys first. Expiry is compared with this machine's
    clock. Raises QueryError where there is no such account or no publication.
    """
    now_ms = int(time.time() * 1000)
    with ledger_with("table of keys", data_dir) as connection:
        rows = connection.execute(_KEYS, {"now_ms": now_ms, "market": market, "account": account}).fetchall()
        at = moment_text(published_at(connection))
    if not rows:
        whose = "no keys" if account is None else f"no account {account[:_SHOWN]!r}"
        raise QueryError(
            f"The ledger as published {at} has {whose} in market {market!r}. Give a name or an id of 32 hex digits; "
            f"`contractnet key list` shows all. What is new gets there within seconds while the market runs."
        )
    told: list[str] = []
    for (ident, name), keys in groupby(rows, lambda row: row[:2]):
        told.append("the operator" if ident is None else f"account {name} ({ident})")
        told += [f"  {key}  {state}" for _, _, key, state in keys]
    return [*told, f"as published {at}"]
