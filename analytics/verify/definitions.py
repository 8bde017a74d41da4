"""The views and macros of a published file, compared with those of this version.

Rows may all be right, and a view of another definition says something else of them. Tables that hold rows, and the
views that put their segments together, are compared by their rows instead (tables.py).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from analytics.verify.report import DivergenceError

SHIPPED = ("views.sql", "attribution.sql", "focus.sql")
"""What defines them, in the order in which they build on each other."""
_OURS = "of this version of contractnet: another one published the file, or somebody changed it"
_VIEWS = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal AND NOT temporary AND schema_name = 'main'"
_MACROS = (
    "SELECT function_name, [parameters::VARCHAR, macro_definition]::VARCHAR FROM duckdb_functions() "
    "WHERE NOT internal AND function_type IN ('macro', 'table_macro')"
)
_STORAGE = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()"
_ROWS = """
SELECT c.table_name, list('"' || replace(c.column_name, '"', '""') || '" ' || c.data_type ORDER BY c.column_index)
FROM duckdb_columns() c JOIN (
    SELECT table_name FROM duckdb_tables() WHERE NOT internal AND schema_name IN ('main', 'unsealed')
) t USING (table_name)
WHERE c.schema_name = 'main' AND NOT c.internal
GROUP BY c.table_name ORDER BY c.table_name
"""


def check_definitions(connection: duckdb.DuckDBPyConnection) -> int:
    """Compare the definitions of a published file with the shipped ones; returns how many there are. Raises
    DivergenceError, whose topic is `duckdb:NAME`, for the first that is another, missing, or unknown here."""
    rows = dict(connection.execute(_ROWS).fetchall())
    [(storage,)] = connection.execute(_STORAGE).fetchall()
    wanted = _shipped(rows, storage.rstrip("+"))
    found = _definitions(connection)
    for name, definition in sorted(wanted.items()):
        if name not in found:
            raise DivergenceError(f"duckdb:{name}", None, None, f"it lacks this view or macro {_OURS}")
        if found[name] != definition:
            raise DivergenceError(f"duckdb:{name}", None, None, f"its definition is none {_OURS}")
    for name in sorted(found.keys() - wanted.keys() - rows.keys()):
        raise DivergenceError(f"duckdb:{name}", None, None, f"this view or macro is none {_OURS}")
    return len(wanted)


def _shipped(rows: dict[str, list[str]], storage: str) -> dict[str, str]:
    """The definitions that this version makes over empty tables with these columns. By way of a file of the same
    storage version, on which it depends how DuckDB spells some types once it has read them from one."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "shipped.duckdb")
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{path}' AS shipped (STORAGE_VERSION '{storage}')")
            connection.execute("USE shipped")
            for table, columns in rows.items():
                connection.execute(f'CREATE TABLE "{table}" ({", ".join(columns)})')
            for name in SHIPPED:
                connection.execute((files("projections") / name).read_text("utf-8"))
        with duckdb.connect(path, read_only=True) as connection:
            return _definitions(connection)


def _definitions(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.execute(_VIEWS).fetchall()) | dict(connection.execute(_MACROS).fetchall())
