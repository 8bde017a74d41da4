"""The broker's data on disk: formatting it without a second JVM, and refusing what another version wrote."""

from __future__ import annotations

import base64
import os
import uuid
from contextlib import suppress
from pathlib import Path

from broker.settings import KAFKA_VERSION
from contractnet.errors import BrokerDataError

# What `kafka-storage format` writes for 4.3.1: six feature levels, among them transaction.version 2. It holds nothing
# of a cluster or a machine, and spares the start of a second JVM (a test compares it with the tool's own output).
CHECKPOINT = Path(__file__).with_name("bootstrap.checkpoint")
_VERSION_FILE = "kafka.version"


def ensure_formatted(log_dir: Path, node_id: int, cluster_id: str | None = None) -> str:
    """Format a new log directory, or check an existing one; return its cluster id.

    `cluster_id` is needed only where several nodes have to agree on one. Errors: `BrokerDataError`.
    """
    if "," in str(log_dir):
        raise BrokerDataError(
            f"Kafka takes the comma in the path {log_dir} for its end. Choose a data directory without one (--data)."
        )
    meta = log_dir / "meta.properties"
    if not meta.is_file():
        _format(log_dir, meta, node_id, cluster_id or new_id())
    _check_version(log_dir)
    found = dict(line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line)
    if found.get("node.id") != str(node_id) or found.get("version") != "1" or not found.get("cluster.id"):
        raise BrokerDataError(
            f"{meta} is not that of broker node {node_id}, as written by contractnet. Choose another data directory "
            f"(--data), or move {log_dir} away to start with an empty broker."
        )
    return found["cluster.id"]


def new_id() -> str:
    """A random id in Kafka's text form: 16 bytes in URL-safe base64 without padding, never beginning with `-`."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Kafka's tools would read such an id as an option.
        if not text.startswith("-"):
            return text


def _format(log_dir: Path, meta: Path, node_id: int, cluster_id: str) -> None:
    log_dir.mkdir(parents=True, exist_ok=True)
    (log_dir / "bootstrap.checkpoint").write_bytes(CHECKPOINT.read_bytes())
    _version_path(log_dir).write_text(KAFKA_VERSION + "\n")
    # Last and in one step: with this file the directory counts as formatted. A link, because unlike a rename it fails
    # where another process was first, whose ids then hold.
    draft = log_dir.parent / f"meta.{os.getpid()}.draft"
    draft.write_text(f"version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={new_id()}\n")
    with suppress(FileExistsError):
        os.link(draft, meta)
    draft.unlink()


def _check_version(log_dir: Path) -> None:
    path = _version_path(log_dir)
    written_by = path.read_text().strip() if path.is_file() else "an unknown version"
    if written_by != KAFKA_VERSION:
        raise BrokerDataError(
            f"The data in {log_dir} was written by Kafka {written_by}, and this contractnet runs {KAFKA_VERSION}. "
            f"Use the contractnet that wrote it, or choose another data directory (--data)."
        )


def _version_path(log_dir: Path) -> Path:
    # Beside the log directory: Kafka takes every unknown entry inside for a partition and complains.
    return log_dir.parent / _VERSION_FILE
