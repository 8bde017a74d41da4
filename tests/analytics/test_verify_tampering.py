"""Against a checkpoint taken at the end, verify notices every change to what came before.

VERIFY_TAMPERING=2304 pytest -s tests/analytics/test_verify_tampering.py    the campaign: how many attempts

Logs of Kafka cannot be edited in place: what is tampered with is a copy, which verify reads through the same contract
(test_verify_sources.py) as it reads Kafka.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from analytics.checkpoint import Checkpoint
from analytics.ledger import newest_generation
from analytics.verify import Order, verify
from analytics.verify.rows import COLUMNS
from contractnet.topics import COMMANDS
from tests.analytics.tampering import OPERATIONS, TOPICS, Attempts
from tests.analytics.tampering_rows import all_rows
from tests.analytics.town_parts import trade_tokens
from tests.analytics.towns import MARKETS, OPERATOR, Topics, Traffic, judged, published, source_of, traffic

ATTEMPTS = int(os.environ.get("VERIFY_TAMPERING", "1152"))
PER_CELL = max(1, ATTEMPTS // ((len(OPERATIONS) + 1) * len(TOPICS)))
"""Equal quotas for each operation on each topic. Edited rows are one more operation, shared by all tables alike."""
SEED, COMMANDS_EACH = 20_261, 120
WITHOUT_ROWS = {"unreadable_entries"}
"""Tables that are empty wherever a referee wrote the ledger: an added row is all that can be done to them."""


@pytest.fixture(scope="module")
def topics() -> Topics:
    """Three small markets, one of which has seen what is rare."""
    rare = Traffic(MARKETS[3], seed=0)
    rare.open()
    for _ in range(4):
        rare.policy()
    rare.deposit()
    for _ in range(3):
        trade_tokens(rare)
    while len(rare.records) < COMMANDS_EACH:
        rare.step()
    return judged({0: traffic(0, COMMANDS_EACH), 2: traffic(2, COMMANDS_EACH), 3: rare.records[:COMMANDS_EACH]})


@pytest.fixture(scope="module")
def end(topics: Topics) -> Checkpoint:
    """A checkpoint of the end."""
    report, made = verify(source_of(topics), Order(OPERATOR.public))
    assert report.sound, report.lines()
    assert made is not None
    return made


def test_topics_that_were_tampered_with(topics: Topics, end: Checkpoint) -> None:
    """Each attempt on a topic is noticed, and no attempt is made twice."""
    attempts = Attempts(topics, random.Random(SEED))
    tried: Counter[tuple[str, str]] = Counter()
    missed: list[str] = []
    for operation in OPERATIONS:
        for topic in TOPICS:
            for did, changed in attempts.draw(operation, topic, PER_CELL):
                tried[operation, topic] += 1
                report, _ = verify(source_of(changed), Order(OPERATOR.public, against=end))
                if report.sound:
                    missed.append(did)
    print(f"\n{'distinct attempts':<18}", *(f"{topic:>9}" for topic in TOPICS))
    for operation in OPERATIONS:
        print(f"{operation:<18}", *(f"{tried[operation, t]:>9}" for t in TOPICS))
    print(f"tampering of topics: {sum(tried.values())} attempts, {len(missed)} missed")
    assert not missed, missed


def test_rows_that_were_edited(topics: Topics, end: Checkpoint, tmp_path: Path) -> None:
    """Each edited row is noticed, of every table of the DuckDB file and of what is sealed."""
    published(topics, tmp_path)
    rng = random.Random(SEED)
    order = Order(OPERATOR.public, data_dir=tmp_path, against=end)
    places = all_rows(tmp_path)
    wanted = -(-PER_CELL * len(TOPICS) // len(places))
    empty = [place.name for place in places if not place.count]
    never = {place.table for place in places} - {place.table for place in places if place.count}
    assert never == WITHOUT_ROWS
    tried: Counter[str] = Counter()
    missed: list[str] = []
    for place in places:
        for did in place.draw(wanted, rng):
            tried[place.name] += 1
            if verify(source_of(topics), order)[0].sound:
                missed.append(did)
    print("\ndistinct attempts:", ", ".join(f"{name} {count}" for name, count in tried.items()))
    print("of which only a row was added, since they are empty:", ", ".join(empty))
    print(f"tampering of rows: {tried.total()} attempts in {len(places)} places, {len(missed)} missed")
    assert not missed, missed
    assert verify(source_of(topics), order)[0].sound, "what was edited is not as it was before"


def test_every_column_is_compared(topics: Topics, tmp_path: Path) -> None:
    """Rows drawn at random meet a column that verify leaves out only now and then."""
    published(topics, tmp_path)
    with duckdb.connect(str(newest_generation(tmp_path)), read_only=True) as connection:
        found = connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    compared = {(table, word) for table, columns in COLUMNS.items() for word in re.findall(r"\w+", columns)}
    left_out = {(table, column) for table, column in found if table in COLUMNS} - compared
    assert left_out == {("meta", "published_at"), ("meta", "generation")}


def test_a_tick_that_changed_nothing() -> None:
    """A tick without effect leaves no trace in the ledger: that it is gone shows against a checkpoint only."""
    made = Traffic(MARKETS[3], seed=0)
    made.open()
    made.tick()
    made.call()
    topics = judged({3: made.records})
    _, end = verify(source_of(topics), Order(OPERATOR.public))
    changed = {topic: [list(records) for records in parts] for topic, parts in topics.items()}
    changed[COMMANDS.name][3] = [r for r in made.records if r.headers]
    assert len(changed[COMMANDS.name][3]) == len(made.records) - 1
    assert verify(source_of(changed), Order(OPERATOR.public))[0].sound
    report, _ = verify(source_of(changed), Order(OPERATOR.public, against=end))
    assert report.divergence is not None
    assert report.divergence.topic == COMMANDS.name
