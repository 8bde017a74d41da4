"""Publication: what readers find, and what is kept for them."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import analytics
from projections.layout import Layout
from projections.lock import ProjectorLock
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from tests.projections.test_store import batches, opened, settings_of, two_markets


@pytest.fixture
def settings(tmp_path: Path) -> ProjectionSettings:
    """Small segments."""
    return settings_of(tmp_path)


def count_of(connection: duckdb.DuckDBPyConnection, sql: str = "SELECT count(*) FROM events") -> int:
    """The single number that a query gives."""
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def test_only_the_owner_can_read(settings: ProjectionSettings) -> None:
    """Whatever the umask, no file of the projection can be read by others: it shows open bids."""
    previous = os.umask(0)
    try:
        store = opened(settings)
        store.apply(two_markets(1, 1000)[0])
        store.seal_due()
        Publisher(store, settings).publish()
    finally:
        os.umask(previous)
    layout = store.layout
    assert layout.directory.stat().st_mode & 0o777 == 0o700
    files = [layout.published.resolve(), layout.state, *layout.segments.iterdir()]
    assert len(files) >= 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    store.close()


def test_the_link_is_relative_and_the_segments_are_absolute(settings: ProjectionSettings) -> None:
    """The link survives a mount of the data directory elsewhere; views name segments where the projector sees them."""
    store = opened(settings)
    store.apply(two_markets(1, 1000)[0])
    store.seal_due()
    Publisher(store, settings).publish()
    assert os.readlink(store.layout.published) == "projection/ledger-1.duckdb"
    with analytics.open(settings.data_dir) as connection:
        row = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'events'").fetchone()
    assert row is not None
    assert str(store.layout.segments).replace("'", "''") in row[0]
    assert "*" not in row[0].split("read_parquet")[1].split(")")[0], "a list of files, no pattern"
    store.close()


def test_an_orderly_stop_leaves_the_newest_generation_alone(settings: ProjectionSettings) -> None:
    """Older ones are gone from the disk, whatever their age; who has one open can still read it."""
    store = opened(settings)
    publisher = Publisher(store, settings)
    store.apply(two_markets(1, 1000)[0])
    publisher.publish()
    old = analytics.open(settings.data_dir)
    for _ in range(2):
        publisher.publish()
    assert sorted(store.layout.generations()) == [1, 2, 3]
    publisher.close()
    assert list(store.layout.generations()) == [3]
    assert count_of(old) > 0
    with analytics.open(settings.data_dir) as connection:
        assert count_of(connection) > 0
    old.close()
    store.close()


def test_a_connection_keeps_its_generation(settings: ProjectionSettings) -> None:
    """An open connection shows the same data for ever, also when its file is gone; opening again shows the newest."""
    quick = replace(settings, generation_kept_s=0.0)
    store = opened(quick)
    publisher = Publisher(store, quick)
    records, _ = two_markets(1, 3000)
    store.apply(records[:1000])
    store.seal_due()
    publisher.publish()
    old = analytics.open(settings.data_dir)
    path = store.layout.published.resolve()
    for batch in batches(records[1000:], 1500, 1):
        store.apply(batch)
        store.seal_due()
        publisher._swept_s = 0.0
        publisher.publish()
    assert not path.exists(), "the old generation should be swept by now"
    assert count_of(old) == 1000
    assert count_of(old, "SELECT count(*) FROM bids WHERE status <> ''") > 0
    with analytics.open(settings.data_dir) as new:
        assert count_of(new) == len(records)
    old.close()
    store.close()


def test_unnamed_segments_stay_for_a_while(settings: ProjectionSettings) -> None:
    """A segment that the state does not name (a crash, a rebuild) stays as long as an older generation may need it."""
    store = opened(settings)
    store.apply(two_markets(1, 1000)[0])
    store.seal_due()
    named = {path.name for path in store.layout.segments.iterdir()}
    stray = store.layout.segments / "events-000000999.parquet"
    stray.write_bytes(b"left behind")
    patient, hasty = Publisher(store, settings), Publisher(store, replace(settings, segment_kept_s=0.0))
    patient.publish()
    assert stray.exists()
    hasty.publish()
    assert {path.name for path in store.layout.segments.iterdir()} == named
    store.close()


def test_drafts_of_a_killed_projector_are_removed(settings: ProjectionSettings) -> None:
    """What a kill left half written is deleted at the next start and never read."""
    store = opened(settings)
    left = [store.layout.directory / "ledger-7.draft", store.layout.segments / "events-000000001.parquet.draft"]
    for path in left:
        path.write_bytes(b"half")
    publisher = Publisher(store, settings)
    assert not any(path.exists() for path in left)
    assert publisher.publish() == 1
    assert publisher.publish() == 2
    assert Publisher(store, settings).generation == 2, "numbers go on after a restart"
    store.close()


def test_an_older_duckdb_can_read_it(settings: ProjectionSettings) -> None:
    """The file has the storage version that DuckDB 1.5 reads."""
    store = opened(settings)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        row = connection.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchone()
    assert row is not None
    assert str(row[0]).startswith("v1.5.0")
    store.close()


def test_an_empty_ledger_has_all_tables(settings: ProjectionSettings) -> None:
    """Before the first event every table and view answers, with no rows."""
    store = opened(settings)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        names = "meta markets accounts keys pools events cfps bids awards reservations transfers holds rejections"
        for name in (*names.split(), "attribution", "balances_check", "unreadable_entries"):
            assert connection.execute(f"FROM {name}").fetchall() == []
        columns = {c: t for c, t, *_ in connection.execute("DESCRIBE attribution").fetchall()}
    assert columns["credits"] == "BIGINT"
    assert columns["hour"] == "TIMESTAMP"
    store.close()


def test_every_table_and_view_is_documented(settings: ProjectionSettings) -> None:
    """docs/tables.md names what is published, each once and nothing else, macros with their parameters, and the README
    points there."""
    store = opened(settings)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        rows = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'")
        published = sorted(name for (name,) in rows.fetchall())
        macros = connection.execute(
            "SELECT function_name || '(' || array_to_string(parameters, ', ') || ')' FROM duckdb_functions() "
            "WHERE function_type = 'table_macro' AND NOT internal ORDER BY 1"
        ).fetchall()
    store.close()
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "tables.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == published
    assert sorted(re.findall(r"^\| `(\w+\([\w, ]+\))` \|", page, re.MULTILINE)) == [name for (name,) in macros]
    assert "(docs/tables.md)" in (root / "README.md").read_text("utf-8")


def test_money_is_bigint(settings: ProjectionSettings) -> None:
    """Every column in micro-credits is BIGINT, in tables and views: HUGEINT would become a float in pandas."""
    store = opened(settings)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        money = connection.execute(
            "SELECT DISTINCT data_type FROM duckdb_columns() WHERE column_name LIKE '%_ucr' OR column_name = 'credits'"
        ).fetchall()
    assert money == [("BIGINT",)]
    store.close()


def test_attribution_counts_payments_only(settings: ProjectionSettings) -> None:
    """Issued credits and the bank's transfers are no spending."""
    records, _ = two_markets(5, 3000)
    store = opened(settings)
    store.apply(records)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        question = "SELECT reason, sum(credits)::BIGINT FROM attribution GROUP BY ALL ORDER BY 1"
        spent = connection.execute(question).fetchall()
        sold = count_of(
            connection,
            "SELECT sum(price_ucr)::BIGINT FROM awards JOIN cfps USING (market, cfp_id) WHERE direction = 'SELL'",
        )
        paid = count_of(connection, "SELECT sum(paid_ucr)::BIGINT FROM works")
        deals = count_of(
            connection,
            "SELECT sum(price_ucr)::BIGINT FROM negotiations n"
            " ANTI JOIN cfps c ON c.market = n.market AND c.cfp_id = n.negotiation_id WHERE status = 'deal'",
        )
        bonds = count_of(
            connection,
            "SELECT sum(bond_ucr)::BIGINT FROM works JOIN cfps USING (market, cfp_id)"
            " WHERE works.status IN ('failed', 'timed_out')",
        )
        deposits = count_of(connection, "SELECT sum(paid_ucr)::BIGINT FROM deposits")
        assert spent == [("AWARD", sold + paid), ("DEAL", deals), ("DEPOSIT", deposits), ("FORFEIT", bonds)]
        assert min(sold, paid, deals, deposits, bonds) > 0
    store.close()


def test_publication_stays_quick(tmp_path: Path) -> None:
    """With 200,000 events and segments of the default size, a publication takes less than two batches of 20,000."""
    settings = ProjectionSettings("", tmp_path)
    store = opened(settings)
    publisher = Publisher(store, settings)
    records, _ = two_markets(1, 100_000)
    took_s = []
    started_s = time.perf_counter()
    batches = range(0, len(records), 20_000)
    for start in batches:
        store.apply(records[start : start + 20_000])
        store.seal_due()
    folded_s = time.perf_counter() - started_s
    for _ in range(5):
        started_s = time.perf_counter()
        publisher.publish()
        took_s.append(time.perf_counter() - started_s)
    print(f"\n{len(records) / folded_s:,.0f} events/s folded and sealed; publication {min(took_s) * 1000:.0f} ms")
    assert sorted(took_s)[2] < 2 * folded_s / len(batches)
    store.close()


def test_layout_and_lock_need_no_state(tmp_path: Path) -> None:
    """The lock names its holder, and is free again after a release."""
    layout = Layout(tmp_path)
    layout.create()
    with ProjectorLock(layout.lock):
        assert layout.lock.read_text() == f"{os.getpid()}\n"
    with ProjectorLock(layout.lock):
        pass
