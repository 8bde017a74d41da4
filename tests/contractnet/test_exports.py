"""Export files: every byte of a record comes back, and whatever is changed in a directory is named."""

from __future__ import annotations

import json
import random
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import pytest
from avro.datafile import DataFileReader
from avro.io import DatumReader

from contractnet.errors import ExportError
from contractnet.exports import manifest as manifests
from contractnet.exports.container import SCHEMA, TIMESTAMP_TYPES, KeptRecord
from contractnet.exports.reading import open_export
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS, LEDGER, NOTICES, TOPICS
from tests.contractnet.exported import edit_manifest, fix_up, rewrite, write_export

KEYS = KeyPair.from_seed(b"k" * 32)


def strange(seed: int, count: int = 120) -> list[KeptRecord]:
    """Random records with all that Kafka allows: nulls, empty bytes, no header, doubled ones, holes between offsets."""
    rng = random.Random(seed)
    offset = rng.randrange(3)
    found: list[KeptRecord] = []
    for _ in range(count):
        headers = [
            (rng.choice(("chain", "", "Ω", "sig")), rng.choice((None, b"", rng.randbytes(32))))
            for _ in range(rng.randrange(4))
        ]
        held: list[list[tuple[str, bytes | None]] | None] = [None, [], headers, headers]
        found.append(
            KeptRecord(
                offset,
                rng.choice((-1, 0, 1_800_000_000_000, 2**63 - 1)),
                rng.choice(TIMESTAMP_TYPES),
                rng.choice((None, b"", "Ω-market".encode(), rng.randbytes(5))),
                rng.choice((None, b"", rng.randbytes(rng.randrange(400)))),
                rng.choice(held),
            )
        )
        offset += rng.choice((1, 1, 1, 2, 900))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed export of two partitions, with several files each, one of them without commands."""
    directory = tmp_path_factory.mktemp("made") / "export"
    records = {topic.name: [strange(n), strange(100 + n)] for n, topic in enumerate(TOPICS)}
    write_export(directory, {**records, COMMANDS.name: [[], strange(9)]}, KEYS)
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(made, tmp_path / "export"))


def test_every_record_comes_back(directory: Path) -> None:
    """All parts of all records, in order, over the borders of files and from any offset on."""
    export = open_export(directory)
    assert export.manifest.signer == KEYS.public
    for n, topic in enumerate(TOPICS[1:], 1):
        for partition, wanted in enumerate((strange(n), strange(100 + n))):
            assert len(export.part(topic.name, partition).files) > 2
            assert list(export.records(topic.name, partition)) == wanted
            for start in (wanted[0].offset + 1, wanted[60].offset, wanted[-1].offset, wanted[-1].offset + 1):
                rest = [record for record in wanted if record.offset >= start]
                assert list(export.records(topic.name, partition, start)) == rest
    assert list(export.records(COMMANDS.name, 0)) == []


def test_another_library_reads_them(directory: Path) -> None:
    """Apache's own Avro library reads the same from a file."""
    file = open_export(directory).part(LEDGER.name, 0).files[0]
    with (directory / file.name).open("rb") as opened, DataFileReader(opened, DatumReader()) as reader:
        found: list[Any] = list(reader)
    first = strange(1)[: file.records]
    assert [(r["offset"], r["timestamp_type"], r["key"], r["value"]) for r in found] == [
        (r.offset, r.timestamp_type, r.key, r.value) for r in first
    ]


def test_only_the_owner_reads_them(directory: Path) -> None:
    """They show open bids: no right for anybody else on a directory or file."""
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def first_file(directory: Path, topic: str = LEDGER.name) -> Path:
    """The first file of a topic."""
    return directory / open_export(directory).part(topic, 1).files[0].name


def flip(path: Path, at: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
@pytest.mark.parametrize("place", ["first byte", "middle", "last byte"])
def test_a_changed_file_is_named(directory: Path, topic: str, place: str) -> None:
    """One bit, anywhere, in a file of any topic."""
    path = first_file(directory, topic)
    size = path.stat().st_size
    flip(path, {"first byte": 0, "middle": size // 2, "last byte": size - 1}[place])
    with pytest.raises(ExportError, match=f"{path.name} was changed: its SHA-256"):
        open_export(directory)


def test_files_that_are_missing_added_cut_or_elsewhere(directory: Path, tmp_path: Path) -> None:
    """Each is named."""
    path = first_file(directory)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ExportError, match=rf"{path.name} was changed: it has {len(data) - 1} bytes, not {len(data)}"):
        open_export(directory)
    path.unlink()
    with pytest.raises(ExportError, match=f"{path.name} is missing"):
        open_export(directory)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(data)
    path.symlink_to(elsewhere)
    with pytest.raises(ExportError, match=f"{path.name} was changed"):
        open_export(directory)
    path.unlink()
    path.write_bytes(data)
    for name in ("more.avro", ".hidden", "ledger-1-00000000000000999999.avro"):
        (directory / name).write_bytes(data)
        with pytest.raises(ExportError, match=f"{name} is no file of this export"):
            open_export(directory)
        (directory / name).unlink()
    open_export(directory)


def test_a_file_that_changes_while_it_is_read(directory: Path) -> None:
    """Written over after it was compared with the manifest, by records that are as many and have the same offsets: its
    end says so. One that was replaced as a whole, by a rename, is read to the end as it was."""
    export = open_export(directory)
    file = export.part(LEDGER.name, 1).files[0]
    path = directory / file.name
    kept, other = path.read_bytes(), directory / "other"
    with path.open("rb") as stored:
        forged: list[Any] = [record | {"timestamp": 7} for record in fastavro.reader(stored)]  # type: ignore[operator]
    with other.open("wb") as written:
        fastavro.writer(written, SCHEMA, forged, codec="deflate")
    path.write_bytes(other.read_bytes())
    with pytest.raises(ExportError, match=f"{path.name} was changed while it was read: .*Copy the export again"):
        list(export.records(LEDGER.name, 1))
    path.write_bytes(kept)
    records = export.records(LEDGER.name, 1)
    found = [next(records)]
    other.replace(path)
    assert [*found, *(next(records) for _ in range(file.records - 1))] == strange(101)[: file.records]


def test_what_is_no_export(directory: Path, tmp_path: Path) -> None:
    """A directory without manifest, a path without directory, a manifest without sense."""
    path = directory / manifests.FILE_NAME
    with pytest.raises(ExportError, match="is no export: it has no manifest"):
        open_export(tmp_path)
    with pytest.raises(ExportError, match="is no export"):
        open_export(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="Not a directory"):
        open_export(path)
    stored = path.read_bytes()
    for nonsense in (b"", b"{", b"[]", b"null", b'{"content":1}', b"[" * 100_000, b'"\\ud800"', stored[:-1], b"\xff"):
        path.write_bytes(nonsense)
        with pytest.raises(ExportError, match="is no manifest of an export"):
            open_export(directory)
    path.write_bytes(json.dumps(json.loads(stored)).encode())
    with pytest.raises(ExportError, match="canonical JSON"):
        open_export(directory)


def test_a_manifest_that_was_changed_after_it_was_signed(directory: Path) -> None:
    """Whatever is changed in it, the signature does not hold; nor that of another key."""

    def later(document: Any) -> None:
        document["content"]["made_at_ms"] += 1

    stored = (directory / manifests.FILE_NAME).read_bytes()
    edit_manifest(directory, later)
    with pytest.raises(ExportError, match="the signature does not hold"):
        open_export(directory)
    for other in (KeyPair.from_seed(b"o" * 32).public.hex(), "", "nonsense", 5, None):
        (directory / manifests.FILE_NAME).write_bytes(stored)
        edit_manifest(directory, lambda document, other=other: document.update(key=other))  # type: ignore[misc]
        with pytest.raises(ExportError, match="the signature does not hold"):
            open_export(directory)


def part_of(document: Any, topic: str = LEDGER.name) -> Any:
    """The part of a document that tells of partition 1."""
    return document["content"]["topics"][topic][1]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: part_of(d)["files"][0].update(name="../elsewhere"),
        lambda d: part_of(d)["files"][0].update(name=part_of(d)["files"][1]["name"]),
        lambda d: part_of(d)["files"][0].update(records="1"),
        lambda d: part_of(d)["files"][0].update(records=-1),
        lambda d: part_of(d)["files"][0].update(more=1),
        lambda d: part_of(d)["files"].reverse(),
        lambda d: part_of(d).update(records=7),
        lambda d: part_of(d).update(end=10),
        lambda d: part_of(d).update(low=10**9),
        lambda d: part_of(d).update(partition=0),
        lambda d: d["content"]["topics"].pop(NOTICES.name),
        lambda d: d["content"]["topics"][NOTICES.name].pop(),
        lambda d: d["content"]["topics"].update(more=[]),
        lambda d: d["content"].update(markets=[{"name": "m"}]),
        lambda d: d["content"].update(more=1),
        lambda d: d["content"].pop("rules"),
        lambda d: d["content"].update(made_at_ms=10**18),
    ],
)
def test_a_manifest_that_makes_no_sense(directory: Path, change: Callable[[Any], Any]) -> None:
    """Names that lead elsewhere, offsets out of order, other topics: refused before a file is opened."""
    edit_manifest(directory, lambda document: document.update(key=None, signature=None))
    open_export(directory)
    edit_manifest(directory, change)
    with pytest.raises(ExportError, match="is no manifest of an export"):
        open_export(directory)


def test_another_version(directory: Path) -> None:
    """The versions of both sides and the tool that wrote it are named."""
    for change in ({"version": 2}, {"record": "contractnet.export.v2.Record"}):
        stored = (directory / manifests.FILE_NAME).read_bytes()
        edit_manifest(directory, lambda document, c=change: document["content"].update(c))  # type: ignore[misc]
        with pytest.raises(ExportError, match=r"this version of contractnet reads 1 .*use the one that wrote it"):
            open_export(directory)
        (directory / manifests.FILE_NAME).write_bytes(stored)


def other_schema(path: Path) -> None:
    """The same records with one field more."""
    schema = {**SCHEMA, "fields": [*SCHEMA["fields"], {"name": "more", "type": "int", "default": 0}]}
    with path.open("rb") as file:
        records: list[Any] = list(fastavro.reader(file))
    with path.open("wb") as file:
        fastavro.writer(file, schema, records)


def other_codec(path: Path) -> None:
    """The same records, compressed otherwise."""
    with path.open("rb") as file:
        records: list[Any] = list(fastavro.reader(file))
    with path.open("wb") as file:
        fastavro.writer(file, SCHEMA, records, codec="bzip2")


def cut(path: Path) -> None:
    """The file without its end."""
    path.write_bytes(path.read_bytes()[:-40])


def cut_at_a_block(path: Path) -> None:
    """The file without its last block: what is left is a sound Avro file."""
    with path.open("rb") as file:
        reader = fastavro.block_reader(file)
        end = max(block.offset for block in reader)
    path.write_bytes(path.read_bytes()[:end])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_schema, "holds records of"),
        (other_codec, "compressed by 'bzip2'"),
        (cut, "is no Avro container file"),
        (cut_at_a_block, "the manifest"),
        (lambda path: path.write_bytes(b""), "is no Avro container file"),
        (lambda path: path.write_bytes(b"Obj\x01" + bytes(60)), "is no Avro container file"),
    ],
)
def test_a_broken_file_with_a_manifest_that_agrees(directory: Path, change: Callable[[Path], Any], why: str) -> None:
    """Hash and size are fixed up by hand: the file is found when it is read."""
    path = first_file(directory)
    change(path)
    fix_up(directory, path.name)
    export = open_export(directory)
    with pytest.raises(ExportError, match=why):
        list(export.records(LEDGER.name, 1))


def test_counts_and_offsets_are_those_of_the_manifest(directory: Path) -> None:
    """A manifest that tells other first or last offsets, or another number of records, is found out."""
    edit_manifest(directory, lambda document: document.update(key=None, signature=None))
    manifest = open_export(directory).manifest
    part = manifest.topics[LEDGER.name][1]
    end = part.files[-1]
    for forged_end in (end._replace(last=end.last + 1), end._replace(records=end.records + 1)):
        files = (*part.files[:-1], forged_end)
        records = sum(file.records for file in files)
        forged = replace(part, files=files, end=part.end + 1, records=records)
        topics = {**manifest.topics, LEDGER.name: (manifest.topics[LEDGER.name][0], forged)}
        rewrite(directory, replace(manifest, topics=topics))
        with pytest.raises(ExportError, match=r"records up to offset \d+, the manifest"):
            list(open_export(directory).records(LEDGER.name, 1))
