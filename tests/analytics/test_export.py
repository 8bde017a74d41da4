"""Exports of whole markets in memory: verify says of them what it says of the topics, and finds what was changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.export import export
from analytics.export_kafka import Bounds, boundary
from analytics.verify import Order, run, verify
from analytics.verify.export import opened
from analytics.verify.source import StoredRecord
from contractnet.chain import CHAIN_START, chain
from contractnet.codec import decode_entry
from contractnet.credentials import Credential, Role, fingerprint, save
from contractnet.envelope import open_record
from contractnet.errors import ExportError
from contractnet.exports import manifest as manifests
from contractnet.exports.container import KeptRecord
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS, TOPICS
from projections.replay import ExportedLedger, Until, replay
from tests.analytics.towns import MARKETS, OPERATOR, Topics, judged, published, source_of, traffic
from tests.contractnet.exported import forge, rewrite
from tests.market import town
from tests.market.test_golden import VERSIONS, records, unhex

STRANGER = KeyPair.from_seed(b"s" * 32)


class Memory:
    """Topics in memory, as an export reads Kafka."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics

    def capture(self) -> Bounds:
        """All that is there."""
        return {t.name: [(0, r[-1].offset + 1 if r else 0) for r in self.topics[t.name]] for t in TOPICS}

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[KeptRecord]:
        """One partition."""
        kind = "LOG_APPEND_TIME" if topic == COMMANDS.name else "CREATE_TIME"
        for r in self.topics[topic][partition]:
            if start <= r.offset < end:
                yield KeptRecord(r.offset, r.timestamp, kind, r.key, r.value, r.headers)


@pytest.fixture(scope="module")
def topics() -> Topics:
    """Three markets on three of four partitions."""
    return judged({partition: traffic(partition, 200) for partition in MARKETS})


@pytest.fixture(scope="module")
def made(topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their export, in small files, signed by the operator."""
    directory = tmp_path_factory.mktemp("made") / "export"
    export(Memory(topics), directory, OPERATOR, file_bytes_max=20_000)
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(made, tmp_path / "export"))


def said(directory: Path, **more: object) -> str:
    """What verify says of an export: its first divergence, or nothing."""
    source, _ = opened(directory, frozenset({OPERATOR.public}), None)
    report, _ = verify(source, Order(OPERATOR.public, **more))  # type: ignore[arg-type]
    return "" if report.divergence is None else str(report.divergence)


def verified(directory: Path, **more: object) -> str:
    """What the command says."""
    options = {
        "data_dir": None,
        "from_checkpoint": None,
        "against_checkpoint": None,
        "write_checkpoint": None,
        "sign_with": None,
        "trust": frozenset(),
        **more,
    }
    return "\n".join(run(directory, OPERATOR.public, jobs=0, out=None, **options).lines())  # type: ignore[arg-type]


def test_an_export_is_as_sound_as_its_topics(topics: Topics, made: Path) -> None:
    """The same is compared, and the same checkpoint comes out; the markets that it names are those of the ledger."""
    source, note = opened(made, frozenset({OPERATOR.public}), None)
    assert f"signed by {OPERATOR.public.hex()}" in note
    of_export, end = verify(source, Order(OPERATOR.public))
    of_topics, wanted = verify(source_of(topics), Order(OPERATOR.public))
    assert of_export.sound
    assert of_export.counts == of_topics.counts
    assert end is not None
    assert wanted is not None
    assert end.parts == wanted.parts
    assert {(m.name, m.partition) for m in source.export.manifest.markets} == {(m, p) for p, m in MARKETS.items()}


def test_the_duckdb_file_is_compared_with_it(topics: Topics, made: Path, tmp_path: Path) -> None:
    """A projection of the same ledger is equal to it; one that goes further is told so."""
    published(topics, tmp_path / "data")
    assert "sound: 0 divergences" in verified(made, data_dir=tmp_path / "data")
    shorter = {name: [list(partition) for partition in found] for name, found in topics.items()}
    shorter[LEDGER.name][0] = shorter[LEDGER.name][0][:-50]
    export(Memory(shorter), tmp_path / "shorter", OPERATOR)
    assert "DIVERGENCE duckdb:meta[0]: it goes on to offset" in verified(
        tmp_path / "shorter", data_dir=tmp_path / "data"
    )


def swap(records: list[list[KeptRecord]]) -> None:
    """Two partitions change places."""
    records[0], records[3] = records[3], records[0]


def drop(records: list[list[KeptRecord]]) -> None:
    """A record in the middle is left out."""
    del records[2][len(records[2]) // 2]


def flip(records: list[list[KeptRecord]]) -> None:
    """One bit of a value."""
    at = len(records[0]) // 2
    value = records[0][at].value or b""
    records[0][at] = records[0][at]._replace(value=value[:-1] + bytes([value[-1] ^ 1]))


def later(records: list[list[KeptRecord]]) -> None:
    """A record of another millisecond."""
    records[3][40] = records[3][40]._replace(timestamp=records[3][40].timestamp + 1)


@pytest.mark.parametrize("topic", [COMMANDS.name, LEDGER.name, NOTICES.name])
@pytest.mark.parametrize("change", [swap, drop, flip, later])
def test_a_forged_export_with_a_manifest_that_agrees(
    directory: Path, topic: str, change: Callable[[list[list[KeptRecord]]], None]
) -> None:
    """Whoever writes files and manifest anew does not get past the chain and the signatures of the commands."""
    forge(directory, topic, change)
    assert said(directory)


def test_swapped_snapshots(directory: Path) -> None:
    """The state of another partition."""
    forge(directory, SNAPSHOTS.name, swap)
    assert said(directory).startswith("snapshots[")


def test_a_file_that_ends_early(directory: Path) -> None:
    """A manifest that tells of a record more than the file has: the divergence names topic, partition and file."""
    manifest = manifests.read(directory)
    part = manifest.topics[LEDGER.name][3]
    files = (*part.files[:-1], part.files[-1]._replace(records=part.files[-1].records + 1, last=part.end))
    forged = replace(part, files=files, records=part.records + 1, end=part.end + 1)
    changed = {**manifest.topics, LEDGER.name: (*manifest.topics[LEDGER.name][:3], forged)}
    rewrite(directory, replace(manifest, topics=changed, signer=None))
    assert said(directory).startswith(f"ledger[3]: {files[-1].name} has ")


def test_markets_that_the_manifest_misnames(directory: Path) -> None:
    """A market that is not there, one that is left out, another genesis."""
    manifest = manifests.read(directory)
    first, *rest = manifest.markets
    for markets in (rest, [*manifest.markets, replace(first, name="more")], [replace(first, genesis_hash="00"), *rest]):
        rewrite(directory, replace(manifest, markets=tuple(markets), signer=None))
        assert "DIVERGENCE manifest.json: market " in verified(directory)


def test_whose_signature_counts(directory: Path) -> None:
    """An unsigned manifest is noted; a stranger's signature is refused until the stranger is trusted."""
    manifest = manifests.read(directory)
    rewrite(directory, replace(manifest, signer=None))
    assert "signed by nobody" in verified(directory)
    rewrite(directory, replace(manifest, signer=None), STRANGER)
    with pytest.raises(ExportError, match="which is not trusted"):
        verified(directory)
    assert f"signed by {STRANGER.public.hex()}" in verified(directory, trust=frozenset({STRANGER.public}))


def test_from_a_signed_checkpoint(topics: Topics, tmp_path: Path) -> None:
    """An outside party verifies an export, keeps a checkpoint, and verifies a later export from it and against it."""
    earlier = judged({partition: topics[COMMANDS.name][partition][:120] for partition in MARKETS})
    export(Memory(earlier), tmp_path / "day 1", OPERATOR)
    export(Memory(topics), tmp_path / "day 2", OPERATOR)
    mine = tmp_path / "mine.json"
    save(Credential(Role.AGENT, "default", "auditor", STRANGER, fingerprint(OPERATOR.public)), mine)
    kept = tmp_path / "checkpoint.json"
    assert "sound: 0" in verified(tmp_path / "day 1", write_checkpoint=kept, sign_with=mine)
    trust = frozenset({STRANGER.public})
    told = verified(tmp_path / "day 2", from_checkpoint=kept, trust=trust)
    assert "sound: 0 divergences" in told
    after = sum(len(topics[COMMANDS.name][p]) - 120 for p in MARKETS)
    assert f"commands judged again {after:>35,}" in told, "what came after it, and no more"
    assert "sound: 0 divergences" in verified(tmp_path / "day 2", against_checkpoint=kept, trust=trust)
    other = judged({partition: traffic(partition, 200, seed=1) for partition in MARKETS})
    export(Memory(other), tmp_path / "another past", OPERATOR)
    assert "sound: 0 divergences" in verified(tmp_path / "another past")
    for how in ("from_checkpoint", "against_checkpoint"):
        assert "DIVERGENCE" in verified(tmp_path / "another past", **{how: kept}, trust=trust)


def test_an_export_that_is_interrupted(topics: Topics, tmp_path: Path) -> None:
    """Whatever ends it, no directory of that name is there, and nothing is left beside it."""

    class Ending(Memory):
        error: BaseException = KeyboardInterrupt()

        def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[KeptRecord]:
            for number, record in enumerate(super().records(topic, partition, start, end)):
                if topic == NOTICES.name and number == 20:
                    assert list(tmp_path.glob(".export.*.partial/ledger-*.avro")), "it was under way"
                    raise self.error
                yield record

    for error in (KeyboardInterrupt(), OSError(28, "No space left on device"), ExportError("the broker is away")):
        Ending.error = error
        with pytest.raises((KeyboardInterrupt, ExportError)):
            export(Ending(topics), tmp_path / "export")
        assert list(tmp_path.iterdir()) == []


def test_a_manifest_is_written_last(topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed at any instant leaves a directory of another name, and without a manifest before all
    files are complete."""
    seen: list[set[str]] = []
    write = manifests.write

    def look(*arguments: object) -> None:
        [draft] = tmp_path.iterdir()
        seen.append({path.name for path in draft.iterdir()})
        assert draft.name.startswith(".export.")
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(manifests, "write", look)
    made = export(Memory(topics), tmp_path / "export")
    assert seen == [set(made.files)]


def test_nothing_is_overwritten(topics: Topics, tmp_path: Path) -> None:
    """A directory, also an empty one, a file, a link to nowhere; and a place that is not there."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("directory", "file", "link"):
        with pytest.raises(ExportError, match="overwrites nothing"):
            export(Memory(topics), tmp_path / name)
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(ExportError, match=r"cannot write .*: No such file"):
        export(Memory(topics), tmp_path / "no" / "such")
    assert len(list(tmp_path.iterdir())) == 3


def golden(version: int) -> Topics:
    """The golden session of a version of the rules, as its topics held it."""
    found: Topics = {topic.name: [[] for _ in range(town.PARTITIONS)] for topic in TOPICS}
    commands, ledger, notices = (found[t.name][town.PARTITION] for t in (COMMANDS, LEDGER, NOTICES))
    head = CHAIN_START
    for record in records(version):
        headers = [(name, unhex(value)) for name, value in record["headers"]]
        key, value = unhex(record["key"]), unhex(record["value"])
        commands.append(StoredRecord(record["offset"], record["stamped_at_ms"], key, value, headers))
        submission = open_record(*commands[-1])
        at_ms = record["stamped_at_ms"]
        for entry in map(bytes.fromhex, record["entries"]):
            source = decode_entry(entry).source
            at_ms = source.at_ms
            head = chain(head, town.PARTITION, source.offset, source.index, submission.digest, entry)
            key = (submission.market or "").encode()
            ledger.append(StoredRecord(len(ledger), at_ms, key, entry, [("chain", head)]))
        for notice in map(bytes.fromhex, record["notices"]):
            notices.append(StoredRecord(len(notices), at_ms, key, notice, []))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sessions_of_all_versions(version: int, tmp_path: Path) -> None:
    """What an older worker stored is exported, verified and replayed: no event is unknown, and verify agrees with the
    tables."""
    export(Memory(golden(version)), tmp_path / "export", OPERATOR)
    source, _ = opened(tmp_path / "export", frozenset({OPERATOR.public}), None)
    made = replay(ExportedLedger(source.export), tmp_path / "past" / "ledger.duckdb", Until(), None)
    assert (made.events, made.strange) == (len(golden(version)[LEDGER.name][town.PARTITION]), 0)
    assert said(tmp_path / "export", data_dir=tmp_path / "past") == ""


@pytest.mark.parametrize(
    ("before", "after", "notices", "wanted"),
    [
        ([5, 7], [], [(0, 5), (1, 7), (4, 7)], 9),
        ([5, 7], [8], [(0, 5), (1, 7), (4, 8), (5, 8)], 4),
        ([5, 7], [8], [(0, 5), (1, 7)], 9),
        ([5, 7], [9, 8], [(0, 5), (2, 8)], 2),
        ([5, 7], [7, 8], [(0, 5), (1, 7)], None),
        ([5, 9], [8], [(0, 5), (1, 8), (4, 9)], None),
        ([5, 7], [8], [(0, 8), (1, 7)], None),
        ([5, 7], [8], [(0, 8), (1, 9)], None),
        ([], [8], [(0, 8), (1, 9)], 0),
        ([5], [8], [], 9),
    ],
)
def test_where_notices_are_cut(
    before: list[int], after: list[int], notices: list[tuple[int, int]], wanted: int | None
) -> None:
    """Exactly the notices of the entries before a cut, or no answer."""
    assert boundary(before, after, notices, 9) == wanted
