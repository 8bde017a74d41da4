"""Against a checkpoint taken at the end, verify notices every change to what came before.

VERIFY_TAMPERING=1056 pytest -s tests/analytics/test_verify_tampering.py    the campaign: how many attempts

Logs of Kafka cannot be edited in place: what is tampered with is a copy, which verify reads through the same contract
(test_verify_sources.py) as it reads Kafka.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from analytics.checkpoint import Checkpoint
from analytics.verify import Order, verify
from contractnet.topics import COMMANDS
from tests.analytics.tampering import OPERATIONS, TOPICS, edit_row
from tests.analytics.towns import MARKETS, OPERATOR, Topics, Traffic, judged, published, source_of, traffic

ATTEMPTS = int(os.environ.get("VERIFY_TAMPERING", "264"))
PER_CELL = max(1, ATTEMPTS // (len(OPERATIONS) * len(TOPICS) + 1))
"""Equal quotas for each operation on each topic, and as many for the DuckDB file as for each of them."""
SEED = 20_261


@pytest.fixture(scope="module")
def topics() -> Topics:
    """Three small markets."""
    return judged({partition: traffic(partition, 120) for partition in (0, 2, 3)})


@pytest.fixture(scope="module")
def end(topics: Topics) -> Checkpoint:
    """A checkpoint of the end."""
    report, made = verify(source_of(topics), Order(OPERATOR.public))
    assert report.sound, report.lines()
    assert made is not None
    return made


def copied(topics: Topics) -> Topics:
    """A copy whose lists can be changed; records never change themselves."""
    return {topic: [list(records) for records in parts] for topic, parts in topics.items()}


def test_topics_that_were_tampered_with(topics: Topics, end: Checkpoint) -> None:
    """Each attempt on a topic is noticed."""
    rng = random.Random(SEED)
    tried: Counter[tuple[str, str]] = Counter()
    missed: list[str] = []
    for operation, tamper in OPERATIONS.items():
        for topic in TOPICS:
            while tried[operation, topic] < PER_CELL:
                changed = copied(topics)
                did = tamper(changed, topic, rng)
                if did is None or changed == topics:
                    continue
                tried[operation, topic] += 1
                report, _ = verify(source_of(changed), Order(OPERATOR.public, against=end))
                if report.sound:
                    missed.append(did)
    print(f"\n{'detected of tried':<18}", *(f"{topic:>12}" for topic in TOPICS))
    for operation in OPERATIONS:
        print(f"{operation:<18}", *(f"{tried[operation, t]:>5} of {tried[operation, t]:<4}" for t in TOPICS))
    print(f"tampering of topics: {sum(tried.values())} attempts, {len(missed)} missed")
    assert not missed, missed


def test_rows_that_were_edited(topics: Topics, end: Checkpoint, tmp_path: Path) -> None:
    """Each edited row of the DuckDB file is noticed."""
    rng = random.Random(SEED)
    original = published(topics, tmp_path / "original").resolve()
    edited = tmp_path / "edited"
    edited.mkdir()
    file = edited / "ledger.duckdb"
    tried, missed = 0, []
    while tried < PER_CELL * len(TOPICS):
        shutil.copy(original, file)
        did = edit_row(file, rng)
        if did is None:
            continue
        tried += 1
        report, _ = verify(source_of(topics), Order(OPERATOR.public, data_dir=edited, against=end))
        if report.sound:
            missed.append(did)
    print(f"\ntampering of rows: {tried} attempts, {len(missed)} missed")
    assert not missed, missed
    shutil.copy(original, file)
    assert verify(source_of(topics), Order(OPERATOR.public, data_dir=edited, against=end))[0].sound


def test_a_tick_that_changed_nothing() -> None:
    """A tick without effect leaves no trace in the ledger: that it is gone shows against a checkpoint only."""
    made = Traffic(MARKETS[3], seed=0)
    made.open()
    made.tick()
    made.call()
    topics = judged({3: made.records})
    _, end = verify(source_of(topics), Order(OPERATOR.public))
    changed = copied(topics)
    changed[COMMANDS.name][3] = [r for r in made.records if r.headers]
    assert len(changed[COMMANDS.name][3]) == len(made.records) - 1
    assert verify(source_of(changed), Order(OPERATOR.public))[0].sound
    report, _ = verify(source_of(changed), Order(OPERATOR.public, against=end))
    assert report.divergence is not None
    assert report.divergence.topic == COMMANDS.name
