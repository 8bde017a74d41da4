"""`contractnet attribution`: who spent how much on what, as the newest generation has it; also as rows of FOCUS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from analytics.ledger import ledger_with, moment_text, published_at
from analytics.query import Answer, Format, render
from contractnet.errors import QueryError
from contractnet.money import credits_text

DIMENSIONS = {
    "project": "project",
    "agent": "agent",
    "task": "task",
    "pool": "pool",
    "hour": "hour",
    "day": "date_trunc('day', hour)",
    "reason": "reason",
}
"""What payments are told by, and the SQL of each."""
_WHERE = (
    "market = $market AND paid_at >= coalesce($since, '-infinity'::TIMESTAMP)"
    " AND paid_at < coalesce($until, 'infinity'::TIMESTAMP)"
)
_TOTAL = f"SELECT count(*)::BIGINT, coalesce(sum(credits), 0)::BIGINT FROM attribution WHERE {_WHERE}"
_EVER = "SELECT min(paid_at), max(paid_at) FROM attribution WHERE market = $market"
_FOCUS_WHERE = _WHERE.replace("market =", "BillingAccountId =").replace("paid_at", "x_PaidAt")
_FORMATS = {
    ".csv": "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know: the payments of [since, until), told by `by`; `top`: the largest rows alone.

    A time is either so long before the publication or a moment in UTC without a zone; None is no bound.
    """

    by: tuple[str, ...]
    since: timedelta | datetime | None = None
    until: timedelta | datetime | None = None
    top: int | None = None


@dataclass(frozen=True, slots=True)
class _Period:
    market: str
    since: datetime | None
    until: datetime | None

    @property
    def values(self) -> dict[str, object]:
        """For a query with _WHERE."""
        return {"market": self.market, "since": self.since, "until": self.until}

    def text(self) -> str:
        """For people; empty where it has no bounds."""
        since = f" from {moment_text(self.since)}" if self.since else ""
        return since + (f" to before {moment_text(self.until)}" if self.until else "")


def text(data_dir: Path, market: str, asked: Asked, form: Format | str = Format.TABLE, width: int | None = None) -> str:
    """The answer as text: a table in credits with the total below, or CSV or JSON in micro-credits.

    Raises QueryError where there is no publication or the period is none.
    """
    form = Format(form)
    with ledger_with("attribution by payer", data_dir) as connection:
        at = published_at(connection)
        period = _period(market, asked, at)
        rows = connection.execute(_sql(asked), period.values).fetchall()
        [(payments, paid_ucr)] = connection.execute(_TOTAL, period.values).fetchall()
        [(first, last)] = connection.execute(_EVER, {"market": market}).fetchall()
    if form is not Format.TABLE:
        return render(Answer([*asked.by, "payments", "ucr"], rows, at), form)
    published = f"as published {moment_text(at)}"
    if not payments:
        return f"{_nothing(market, period, first, last)}\n{published}\n"
    told = [(*row[:-1], Decimal(row[-1]).scaleb(-6), round(100 * row[-1] / paid_ucr, 1)) for row in rows]
    shown = render(Answer([*asked.by, "payments", "credits", "share %"], told, None), form, width)
    table = shown.rstrip().rpartition("\n")[0]  # without its count of rows, which the total has
    of = f", the {len(rows)} largest rows of them above" if asked.top == len(rows) else f" in {len(rows)} rows"
    return (
        f"{table}\ntotal: {credits_text(paid_ucr)} credits in {payments:,} payments{period.text()}{of}\n{published}\n"
    )


def export(data_dir: Path, market: str, asked: Asked, path: Path, currency: str, per_credit: Decimal) -> str:
    """Write the payments of the period as rows of FOCUS 1.2 to a file that is not there yet, CSV or Parquet by its
    name, at `per_credit` of a currency for a credit; returns what to tell. Raises QueryError."""
    options = _FORMATS.get(path.suffix)
    if options is None:
        raise QueryError(f"{path} is neither .csv nor .parquet.")
    if path.exists():
        raise QueryError(f"{path} is there already: name another file.")
    with ledger_with("FOCUS rows", data_dir) as connection:
        at = published_at(connection)
        period = _period(market, asked, at)
        rows = f"FROM focus_costs_in($currency, $per_credit) WHERE {_FOCUS_WHERE} ORDER BY x_PaidAt"
        values = period.values | {"currency": currency, "per_credit": per_credit}
        try:
            [(count,)] = connection.execute(f"COPY ({rows}) TO {_quoted(path)} ({options})", values).fetchall()
        except duckdb.IOException as error:
            raise QueryError(f"{path} cannot be written: {error}") from error
    return f"{count:,} rows of FOCUS 1.2{period.text()} in {path}, as published {moment_text(at)}"


def _sql(asked: Asked) -> str:
    columns = "".join(f"{DIMENSIONS[name]} AS {name}, " for name in asked.by)
    # Times go up, all else by what was paid.
    times = [name for name in asked.by if name in ("hour", "day") and asked.top is None]
    order = ", ".join([*times, "ucr DESC", *asked.by])
    limit = "" if asked.top is None else f" LIMIT {asked.top}"
    return (
        f"SELECT {columns}count(*)::BIGINT AS payments, sum(credits)::BIGINT AS ucr FROM attribution WHERE {_WHERE} "
        f"GROUP BY ALL ORDER BY {order}{limit}"
    )


def _period(market: str, asked: Asked, at: datetime) -> _Period:
    since, until = (at - bound if isinstance(bound, timedelta) else bound for bound in (asked.since, asked.until))
    if since is not None and since >= (until or at):
        ends = f"--until, {moment_text(until)}" if until else f"the publication, {moment_text(at)}"
        raise QueryError(f"--since, {moment_text(since)}, is not before {ends}: there is no time between them.")
    return _Period(market, since, until)


def _nothing(market: str, period: _Period, first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return (
            f"nothing was paid in market {market} so far: payments come with the first award, "
            f"deal or grant of tokens (`contractnet query 'FROM cfps LIMIT 10'` shows what is called for)"
        )
    return f"nothing was paid{period.text()}; payments are from {moment_text(first)} to {moment_text(last)}"


def _quoted(path: Path) -> str:
    return "'" + str(path.absolute()).replace("'", "''") + "'"
