"""`contractnet query "SQL"`: one statement on the newest generation, as table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analytics.ledger import open_ledger
from contractnet.errors import QueryError

Row = tuple[Any, ...]
_WIDTH_MAX = 100_000


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def run(sql: str, data_dir: Path) -> tuple[list[str], list[Row]]:
    """Column names and rows of a query on the newest generation.

    All of DuckDB's SQL is allowed, on a read-only connection: who may read the file may run anything on it. Raises
    QueryError with DuckDB's own message for bad SQL, and with what to do where there is no file.
    """
    if not sql.strip():
        raise QueryError("The query is empty. Give one SQL statement, for example: FROM attribution LIMIT 10")
    connection = open_ledger(data_dir)
    try:
        if (count := len(connection.extract_statements(sql))) != 1:
            raise QueryError(f"Give one SQL statement: these are {count}. Run them one at a time.")
        connection.execute(sql)
        columns = [column[0] for column in connection.description or []]
        return columns, connection.fetchall() if columns else []
    except duckdb.Error as error:
        raise QueryError(f"DuckDB refused the query. {error}") from error
    finally:
        connection.close()


def render(
    columns: Sequence[str], rows: Sequence[Row], form: Format | str = Format.TABLE, width: int | None = None
) -> str:
    """A result as text. CSV has a header line; JSON is an array of objects; values JSON lacks become strings.

    A table is `width` characters wide at most, its cells folded; without it, as wide as its contents.
    """
    form = Format(form)
    if form is Format.CSV:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([columns, *rows])
        return out.getvalue()
    if form is Format.JSON:
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        return json.dumps(records, default=str, ensure_ascii=False, indent=1) + "\n"
    return _table(columns, rows, width or _WIDTH_MAX)


def _printable(text: str) -> str:
    """Text for a terminal: values come from agents, and a control sequence in one of them must not reach it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _table(columns: Sequence[str], rows: Sequence[Row], width: int) -> str:
    table = Table()
    numeric = [all(isinstance(row[i], int | float) for row in rows) and bool(rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else _printable(str(value))) for value in row))
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    count = f"{len(rows)} row" if len(rows) == 1 else f"{len(rows)} rows"
    return f"{out.getvalue()}{count}\n"
