"""Formatting without Kafka's tool gives what the tool gives, and foreign data is refused."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from broker.jars import ensure_jars
from broker.java import find_java
from broker.ports import find_free
from broker.settings import as_properties, loopback, node_settings
from broker.storage import CHECKPOINT, ensure_formatted, new_id
from contractnet.errors import BrokerDataError


def without_times(batches: bytes) -> bytes:
    """Kafka record batches with their checksums and timestamps set to zero (Kafka's record batch format, v2)."""
    blank, start = bytearray(batches), 0
    while start < len(batches):
        (length,) = struct.unpack_from(">i", batches, start + 8)
        blank[start + 17 : start + 21] = bytes(4)
        blank[start + 27 : start + 43] = bytes(16)
        start += 12 + length
    return bytes(blank)


def test_the_checkpoint_is_that_of_kafkas_own_tool(tmp_path: Path) -> None:
    """`kafka-storage format` of the locked jars writes the same feature levels, byte for byte but for the time."""
    port, controller = find_free(), find_free()
    node = loopback(1, port, controller, [f"1@127.0.0.1:{controller}"], str(tmp_path / "data"))
    properties = tmp_path / "server.properties"
    properties.write_text(as_properties(node_settings(node)))
    class_path = os.pathsep.join(str(jar) for jar in ensure_jars())
    tool = [str(find_java().launcher), "-cp", class_path, "kafka.tools.StorageTool"]
    subprocess.run([*tool, "format", "-t", new_id(), "-c", str(properties)], check=True, timeout=60)
    written = (tmp_path / "data" / "bootstrap.checkpoint").read_bytes()
    assert without_times(written) == without_times(CHECKPOINT.read_bytes())


def test_formatting_is_done_once(tmp_path: Path) -> None:
    """A second call keeps the cluster id of the first, and each node has a directory id of its own."""
    first = ensure_formatted(tmp_path / "a" / "data", 1)
    assert ensure_formatted(tmp_path / "a" / "data", 1) == first
    assert ensure_formatted(tmp_path / "b" / "data", 2, first) == first
    lines = [(tmp_path / name / "data" / "meta.properties").read_text().splitlines() for name in "ab"]
    assert lines[0][1] == lines[1][1] == f"cluster.id={first}"
    assert lines[0][3] != lines[1][3]


def test_an_interrupted_format_is_done_again(tmp_path: Path) -> None:
    """A directory without meta.properties counts as not formatted."""
    ensure_formatted(tmp_path / "data", 1)
    (tmp_path / "data" / "meta.properties").unlink()
    assert ensure_formatted(tmp_path / "data", 1)


@pytest.mark.parametrize("text", ["", "version=0\ncluster.id=x\nnode.id=1\n", "version=1\ncluster.id=x\nnode.id=7\n"])
def test_foreign_metadata_is_refused(tmp_path: Path, text: str) -> None:
    """Metadata of another format or node is refused by name, and left as it is."""
    ensure_formatted(tmp_path / "data", 1)
    meta = tmp_path / "data" / "meta.properties"
    meta.write_text(text)
    with pytest.raises(BrokerDataError, match=r"meta\.properties"):
        ensure_formatted(tmp_path / "data", 1)
    assert meta.read_text() == text


def test_ids_are_what_kafka_takes() -> None:
    """22 characters of URL-safe base64, and none begins with a dash, which Kafka's tools read as an option."""
    ids = {new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert {len(each) for each in ids} == {22}
    assert not any(each.startswith("-") for each in ids)
