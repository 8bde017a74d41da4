"""SQL of somebody else: it reads the ledger, and nothing else of this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest

from analytics.ledger import open_ledger
from analytics.query import Answer, Format, render, run
from contractnet.errors import QueryError

SECRET = "f00dfeed" * 8


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a segment, a secret, and a quote in its name; the present directory is inside."""
    home = tmp_path / "it's here"
    segments = home / "projection" / "segments"
    segments.mkdir(parents=True)
    (home / "keys").mkdir()
    (home / "keys" / "operator.json").write_text(json.dumps({"signing_seed": SECRET}), "utf-8")
    (segments / "other.parquet").write_bytes(b"")
    path = str(segments / "awards-1.parquet").replace("'", "''")
    with duckdb.connect(str(home / "projection" / "ledger-1.duckdb")) as connection:
        connection.execute(f"COPY (SELECT 'ann' AS agent) TO '{path}'")
        connection.execute("CREATE TABLE hot AS SELECT 'bob' AS agent")
        connection.execute("CREATE TABLE meta AS SELECT now()::TIMESTAMP AS newest_event_at")
        connection.execute(f"CREATE VIEW awards AS FROM read_parquet(['{path}']) UNION ALL FROM hot")
    (home / "ledger.duckdb").symlink_to("projection/ledger-1.duckdb")
    monkeypatch.chdir(home)
    return home


def test_views_still_read_their_segments(data_dir: Path) -> None:
    """The lock leaves what a query is for."""
    assert sorted(run("SELECT agent FROM awards", data_dir).rows) == [("ann",), ("bob",)]
    assert run("SELECT count(*) FROM awards a, range(1000)", data_dir).rows == [(2000,)]


READS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_text('keys/operator.json')",
    "SELECT * FROM read_blob('{home}/keys/*')",
    "SELECT * FROM read_json_auto('{home}/keys/operator.json')",
    "SELECT * FROM read_text('{home}/projection/segments/../../keys/operator.json')",
    "SELECT * FROM read_parquet('{home}/projection/segments/other.parquet')",
    "SELECT * FROM glob('{home}/projection/segments/*')",
    "SELECT * FROM glob('/etc/*')",
    "FROM '/etc/passwd'",
    "FROM 'keys/operator.json'",
    "FROM sniff_csv('/etc/passwd')",
    "FROM query('FROM read_text(''/etc/passwd'')')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_csv('https://127.0.0.1:9/x.csv')",
    "FROM read_text('s3://bucket/x')",
    "FROM parquet_metadata('{home}/projection/segments/other.parquet')",
    "FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "SELECT * FROM data_dir",
    "PRAGMA enable_external_access=true",
    "PRAGMA profiling_output='{home}/out.json'",
    "PRAGMA temp_directory='/tmp'",
    "PRAGMA import_database('/etc')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
]
WRITES = [
    "COPY (SELECT 1) TO '{home}/out.csv'",
    "COPY (SELECT 1) TO '{segment}'",
    "COPY hot TO '{segment}' (FORMAT parquet)",
    "COPY hot FROM '/etc/passwd'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{segment}'",
    "/* \u00e9\u00e9 */ explain /* x */ analyze -- y\n COPY (SELECT 1) TO '{segment}'",
    "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{segment}'",
    "EXPORT DATABASE '{home}/out'",
    "IMPORT DATABASE '{home}'",
    "ATTACH '{home}/out.duckdb'",
    "ATTACH ':memory:' AS m",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{home}/x.duckdb_extension'",
    "SET enable_external_access=true",
    "SET lock_configuration=false",
    "RESET lock_configuration",
    "SET allowed_directories=['/']",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO hot VALUES ('x')",
    "UPDATE hot SET agent = 'x'",
    "DELETE FROM hot",
    "CALL enable_profiling()",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE p AS SELECT 1",
    "USE memory",
]


def files_below(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and content."""
    found = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


@pytest.mark.parametrize("sql", READS + WRITES)
def test_no_other_file_is_read_or_written(data_dir: Path, sql: str) -> None:
    """Refused, by DuckDB or before it; nothing has changed on disk, and the answer holds nothing of a file."""
    quoted = str(data_dir).replace("'", "''")
    before = files_below(data_dir)
    with pytest.raises(QueryError) as caught:
        run(sql.format(home=quoted, segment=f"{quoted}/projection/segments/awards-1.parquet"), data_dir)
    assert SECRET not in str(caught.value)
    assert "root:" not in str(caught.value)
    assert files_below(data_dir) == before


def test_the_lock_holds_for_statements_that_query_lets_pass(data_dir: Path) -> None:
    """On a locked connection itself: settings stay as they are, and other files out of reach."""
    quoted = str(data_dir).replace("'", "''")
    with open_ledger(data_dir, locked=True) as connection:
        for sql in [*READS, *(w for w in WRITES if w.startswith(("SET", "RESET", "ATTACH", "LOAD", "INSTALL")))]:
            with pytest.raises((duckdb.Error, RuntimeError)):
                connection.execute(sql.format(home=quoted, segment="")).fetchall()
    with open_ledger(data_dir) as connection:
        assert connection.execute("SELECT count(*) FROM awards").fetchone() == (2,)


def test_results_do_not_steer_a_terminal() -> None:
    """Values and column names of a table and of JSON; JSON reads back as it was."""
    evil = "\x1b[2J\x9b31m\u202e\x7f[bold]<b>"
    answer = Answer([evil], [(evil,)], None)
    table, text = render(answer, Format.TABLE), render(answer, Format.JSON)
    assert json.loads(text) == [{evil: evil}]
    for shown in (table, text):
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert "[bold]<b>" in shown
