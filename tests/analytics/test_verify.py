"""Verify on markets in memory: sound ones pass, resuming agrees with starting from nothing, checkpoints are signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analytics import checkpoint
from analytics.checkpoint import Checkpoint
from analytics.verify import Order, Report, verify
from analytics.verify.report import DivergenceError
from contractnet.codec import registry
from contractnet.errors import CheckpointError
from contractnet.messages.notices import SealedNotice
from contractnet.topics import COMMANDS, NOTICES
from tests.analytics.towns import OPERATOR, Topics, judged, published, source_of, traffic
from tests.market.town import key_pair

AUDITOR = key_pair("auditor")


@pytest.fixture(scope="module")
def topics() -> Topics:
    """Three markets with 400 commands each."""
    return judged({partition: traffic(partition, 400) for partition in (0, 2, 3)})


def verified(topics: Topics, order: Order) -> tuple[Report, Checkpoint]:
    """A run that has to be sound."""
    report, made = verify(source_of(topics), order)
    assert report.sound, report.lines()
    assert made is not None
    return report, made


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_sound_market(topics: Topics, jobs: int, tmp_path: Path) -> None:
    """Everything is compared, with and without other processes, and nothing diverges."""
    published(topics, tmp_path)
    # Topics in memory are not sent to another process with the tables: those are compared in the first case.
    report, _ = verified(topics, Order(OPERATOR.public, jobs=jobs, data_dir=None if jobs else tmp_path))
    assert report.counts["commands judged again"] == 1200
    assert report.counts["ledger records compared"] == sum(map(len, topics["ledger"]))
    assert report.counts["notice records compared"] == sum(map(len, topics["notices"]))
    assert report.counts["snapshots equal to the fold"] == 6
    assert report.counts["signatures checked"] > 900
    assert report.counts["commands that it found proven"] > 900


def test_unsigned_markets() -> None:
    """In a market without signatures there are none to check, except the genesis's."""
    verified(judged({3: traffic(3, 200, signed=False)}), Order(OPERATOR.public))


def test_a_changed_byte_in_a_box_shows(topics: Topics) -> None:
    """Private notices are made again and compared: a flipped bit of one that no agent could open is a divergence."""
    changed = {topic: [list(records) for records in partitions] for topic, partitions in topics.items()}
    header = registry().newest[SealedNotice][0]
    place, record = [(i, r) for i, r in enumerate(changed[NOTICES.name][2]) if (r.value or b"").startswith(header)][-1]
    value = record.value or b""
    changed[NOTICES.name][2][place] = record._replace(value=value[:-1] + bytes([value[-1] ^ 1]))
    report, _ = verify(source_of(changed), Order(OPERATOR.public))
    assert report.divergence is not None
    assert (report.divergence.topic, report.divergence.offset) == (NOTICES.name, record.offset)


def test_resuming_gives_the_same(topics: Topics, tmp_path: Path) -> None:
    """A run from a checkpoint in the middle ends with the checkpoint that a run from nothing ends with."""
    first = judged({p: records[:200] for p, records in enumerate(topics[COMMANDS.name]) if records})
    _, middle = verified(first, Order(OPERATOR.public))
    checkpoint.write(middle, AUDITOR, tmp_path / "middle.json")
    read = checkpoint.read(tmp_path / "middle.json", frozenset({AUDITOR.public}))
    report, resumed = verified(topics, Order(OPERATOR.public, start=read))
    _, whole = verified(topics, Order(OPERATOR.public))
    assert resumed.parts == whole.parts
    assert report.counts["commands judged again"] == 600


def test_an_earlier_checkpoint_is_met_on_the_way(topics: Topics) -> None:
    """A log that grew still agrees with what was checkpointed; another log does not."""
    commands = {p: records for p, records in enumerate(topics[COMMANDS.name]) if records}
    _, middle = verified(
        judged({p: r[:200] for p, r in commands.items()}, snapshots_every=10**6), Order(OPERATOR.public)
    )
    verified(topics, Order(OPERATOR.public, against=middle))
    others = judged({partition: traffic(partition, 400, seed=1) for partition in (0, 2, 3)})
    report, _ = verify(source_of(others), Order(OPERATOR.public, against=middle))
    assert isinstance(report.divergence, DivergenceError)
    assert report.divergence.topic == "commands"


def test_a_log_that_was_cut_shows(topics: Topics) -> None:
    """A market whose end was cut off, consistently in all topics, is sound by itself; its checkpoint tells."""
    _, end = verified(topics, Order(OPERATOR.public))
    cut = judged({p: records[:-3] for p, records in enumerate(topics[COMMANDS.name]) if records})
    verified(cut, Order(OPERATOR.public))
    report, _ = verify(source_of(cut), Order(OPERATOR.public, against=end))
    assert not report.sound
    report, _ = verify(source_of(cut), Order(OPERATOR.public, start=end))
    assert not report.sound


def test_a_referee_that_is_behind(topics: Topics) -> None:
    """Commands without an answer are no divergence: they are told, and a checkpoint ends before the first of them.
    Against a checkpoint that saw the answers, it is one."""
    _, end = verified(topics, Order(OPERATOR.public))
    behind = judged({p: records[:300] for p, records in enumerate(topics[COMMANDS.name]) if records})
    behind[COMMANDS.name] = topics[COMMANDS.name]
    report, made = verified(behind, Order(OPERATOR.public))
    assert len(report.notes) == 3
    assert all("not answered yet from offset" in note for note in report.notes)
    _, resumed = verified(topics, Order(OPERATOR.public, start=made))
    assert resumed.parts == end.parts
    assert not verify(source_of(behind), Order(OPERATOR.public, against=end))[0].sound


def test_another_operator(topics: Topics) -> None:
    """For someone who trusts another operator, the very first record diverges: its genesis is a stranger's."""
    report, _ = verify(source_of(topics), Order(AUDITOR.public))
    assert report.divergence is not None
    assert (report.divergence.topic, report.divergence.partition, report.divergence.offset) == ("ledger", 0, 0)


def test_a_checkpoint_that_was_changed(topics: Topics, tmp_path: Path) -> None:
    """A checkpoint of a stranger, one changed after signing, and a file that is none are refused."""
    _, made = verified(topics, Order(OPERATOR.public))
    path = tmp_path / "checkpoint.json"
    checkpoint.write(made, AUDITOR, path)
    with pytest.raises(CheckpointError, match="not trusted"):
        checkpoint.read(path, frozenset({OPERATOR.public}))
    document = json.loads(path.read_text())
    document["content"]["parts"][0]["commands_next"] += 1
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="changed after it was signed"):
        checkpoint.read(path, frozenset({AUDITOR.public}))
    path.write_text("{}")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.read(path, frozenset({AUDITOR.public}))
    assert checkpoint_mode(tmp_path, made) == 0o600


def checkpoint_mode(folder: Path, made: Checkpoint) -> int:
    """The permissions that a new checkpoint gets."""
    checkpoint.write(made, AUDITOR, folder / "new.json")
    return (folder / "new.json").stat().st_mode & 0o777
