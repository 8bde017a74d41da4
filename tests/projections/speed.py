"""How fast an export is replayed into tables: python -m tests.projections.speed [EVENTS]"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import encode
from contractnet.exports.container import FILE_BYTES_MAX, KeptRecord
from contractnet.topics import LEDGER
from projections.replay import run
from tests.contractnet.exported import write_export
from tests.projections.generator import History

PARTITIONS = 2


def ledger(partition: int) -> Iterator[KeptRecord]:
    """The endless ledger of a market with 200 accounts."""
    history, head, offset = History(f"market-{partition}", partition, accounts=200), CHAIN_START, 0
    while True:
        for entry in history.command():
            value = encode(entry)
            head = chain(head, partition, entry.source.offset, entry.source.index, bytes(32), value)
            key = history.market.encode()
            yield KeptRecord(offset, entry.source.at_ms, "CREATE_TIME", key, value, [("chain", head)])
            offset += 1


def main(events: int) -> None:
    """Make an export of so many events, and replay it."""
    with tempfile.TemporaryDirectory() as folder:
        directory, into = Path(folder) / "export", Path(folder) / "past.duckdb"
        records = {LEDGER.name: [list(islice(ledger(p), events // PARTITIONS)) for p in range(PARTITIONS)]}
        started_s = time.monotonic()
        made = write_export(directory, records, file_bytes_max=FILE_BYTES_MAX)
        took_s = time.monotonic() - started_s
        size_mb = sum(file.size_bytes for file in made.files.values()) / 1e6
        print(f"{events:,} events written in {took_s:.1f} s ({events / took_s:,.0f} records/s), {size_mb:.1f} MB")
        cpu_s = time.process_time()
        print(run(directory, into, None, market="market-0", out=sys.stderr)[0])
        cpu_s = time.process_time() - cpu_s
        size_mb, load = into.stat().st_size / 1e6, os.getloadavg()[0]
        print(f"{events / cpu_s * 60:,.0f} events a minute of CPU time; the file has {size_mb:.1f} MB; load {load:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
