"""`contractnet query "SQL"`: one statement on the newest generation, as table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.ledger import open_ledger, whole
from contractnet.errors import QueryError
from contractnet.terminal import printable

Row = tuple[Any, ...]
_WIDTH_MAX = 100_000
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.PRAGMA)
_EXPLAIN = re.compile(r"explain\b|analyze\b|[(),]|format\b|(?:json|text|html|graphviz|yaml|mermaid)\b", re.IGNORECASE)


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a query, and the time in UTC of the newest event that it knows of; None before the first one."""

    columns: list[str]
    rows: list[Row]
    until: datetime | None


def run(sql: str, data_dir: Path) -> Answer:
    """The answer to a query on the newest generation.

    Queries only, on a connection that reaches no file but the ledger's own (analytics/ledger.py). Raises QueryError
    with DuckDB's own message for bad SQL, for anything but a query, and with what to do where there is no file.
    """
    if not sql.strip():
        raise QueryError("The query is empty. Give one SQL statement, for example: FROM attribution LIMIT 10")
    connection = open_ledger(data_dir, locked=True)
    try:
        if (count := len(connection.extract_statements(sql))) != 1:
            raise QueryError(f"Give one SQL statement: these are {count}. Run them one at a time.")
        _need_query(connection, sql)
        (until,) = connection.execute("SELECT max(newest_event_at) FROM meta").fetchone() or (None,)
        with whole(data_dir):
            connection.execute(sql)
            columns = [column[0] for column in connection.description or []]
            return Answer(columns, connection.fetchall() if columns else [], until)
    except duckdb.Error as error:
        raise QueryError(f"DuckDB refused the query. {error}") from error
    finally:
        connection.close()


def _need_query(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what does more than read: COPY could write over a segment, which the connection has to reach."""
    kind = connection.extract_statements(sql)[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE runs what it explains. The tokenizer knows comments and quotes, and counts in bytes.
        parts = (sql.encode()[at:].decode(errors="replace") for at, _ in duckdb.tokenize(sql))
        explained = next((part for part in parts if not _EXPLAIN.match(part)), "")
        found = connection.extract_statements(explained)
        kind = found[0].type if len(found) == 1 else kind
    if kind == duckdb.StatementType.MULTI:
        raise QueryError(
            "PIVOT without values makes a type first, and this reads only: name them, as in "
            "FROM (PIVOT attribution ON pool IN ('gpu') USING sum(credits) GROUP BY project)"
        )
    if kind not in _READING:
        raise QueryError(f"This is no query but {kind.name}. `query` reads the ledger and nothing else: write SELECT.")


def render(answer: Answer, form: Format | str = Format.TABLE, width: int | None = None) -> str:
    """An answer as text. CSV has a header line; JSON is an array of objects; values JSON lacks become strings.

    JSON and tables hold no character that steers a terminal; CSV has every value as it is.

    A table is `width` characters wide at most, its cells folded; without it, as wide as its contents. Below it stands
    how far its ledger goes.
    """
    form = Format(form)
    if form is Format.CSV:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([answer.columns, *answer.rows])
        return out.getvalue()
    if form is Format.JSON:
        records = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        text = json.dumps(records, default=str, ensure_ascii=False, indent=1)
        # What is left of these stands inside of strings, where JSON has an escape that reads back as the same.
        return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"
    return _table(answer, width or _WIDTH_MAX)


def _table(answer: Answer, width: int) -> str:
    table, columns, rows = Table(), answer.columns, answer.rows
    numeric = [
        all(isinstance(row[i], int | float | Decimal) for row in rows) and bool(rows) for i in range(len(columns))
    ]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(Text(printable(name, "")), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else printable(str(value), "")) for value in row))
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    count = f"{len(rows)} row" if len(rows) == 1 else f"{len(rows)} rows"
    until = f", until {answer.until:%Y-%m-%d %H:%M:%S} UTC" if answer.until else ""
    return f"{out.getvalue()}{count}{until}\n"
