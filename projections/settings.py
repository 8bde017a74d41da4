"""What the projector is told, and the limits it keeps, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contractnet.topics import LEDGER


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """Where the ledger is, where the files go, and how often things happen."""

    bootstrap: str
    """Address of the broker, `host:port[,host:port]`."""
    data_dir: Path
    """The project's data directory; `ledger.duckdb` appears in it."""
    topic: str = LEDGER.name
    """The ledger topic; tests use topics of their own."""
    batch_events_max: int = 20_000
    """A larger transaction is hardly faster and delays publication: 20,000 events take about 0.2 s."""
    publish_interval_s: float = 0.5
    """How long events are gathered for one transaction, which is then published. Transaction and publication take about
    60 ms and 40-200 ms, mostly whatever the number of events, so smaller steps would only burn CPU."""
    seal_rows: int = 25_000
    """Rows of one table that leave the mutable part for a Parquet segment. More rows make every publication slower
    (they are copied each time), fewer make queries slower (more files)."""
    merge_files: int = 8
    """So many segments of one table and size become one (projections/merge.py): a query takes as long as its files are
    many, and every row is written again once a level."""
    seal_grace_offsets: int = 5_000
    """A row stays mutable until the ledger is this much further: events of one command may fall into two batches, and
    a command yields far fewer events."""
    generation_kept_s: float = 120.0
    """How long an older generation file can still be opened. A process that has it open is not affected: the file
    lives until it is closed, and its segments longer than that (docs/decisions/0102)."""
    segment_kept_s: float = 3600.0
    """How long a segment that no current table names stays, for processes that read an older generation."""
    connect_timeout_s: float = 30.0
    """How long the start waits for the broker and the topic before the supervisor is asked for another try."""
