"""What the benchmarks say of themselves: what they were measured on, whose CPU time, whose share of a profile."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.profiling import place_of
from benchmarks.projection import Kept, kept_open
from benchmarks.record import Circumstances, write
from benchmarks.stage import cpu_s
from projections.publish import Publisher
from tests.projections.test_store import opened, settings_of, two_markets

# A little more than is demanded: the kernel counts in ticks of 10 ms.
BURN = "import time\nwhile time.process_time() < 0.45: pass\nprint(flush=True)\ninput()"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"


def test_a_short_run_does_not_replace_a_full_one(tmp_path: Path) -> None:
    """Each has a file of its own, which says what it was measured on."""
    full, short = (write("speed", Circumstances.now(short=s), [{"what": s}], tmp_path) for s in (False, True))
    found = [json.loads(path.read_text()) for path in (full, short)]
    assert [(one["short"], one["rows"]) for one in found] == [(False, [{"what": False}]), (True, [{"what": True}])]
    assert set(found[0]) == {"commit", "date", "cores", "load", "short", "rows"}
    assert found[0]["cores"] > 0


def test_cpu_time_counts_the_processes_that_a_process_started() -> None:
    """A process that only waits for its child has the child's CPU time, while the child lives."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert cpu_s(process.pid) >= 0.4
    process.communicate(b"\n")


def test_a_sample_belongs_to_the_innermost_place() -> None:
    """The codec called by the writer is the codec's; a library below it too, and what is nobody's is the rest."""
    judged = ["run (faust/worker.py:1)", "process (/x/streams/writer.py:2)", "encode (/x/contractnet/codec.py:3)"]
    assert place_of(judged) == ("codec", "encode")
    assert place_of([*judged, "dumps (json/__init__.py:4)"]) == ("codec", "encode")
    assert place_of(judged[:2]) == ("producing and committing", "process")
    assert place_of(["<module> (x.py:1)"]) == ("rest", "<module> (x.py:1)")


def test_a_file_that_cannot_be_opened_is_an_error_of_the_open_connection(tmp_path: Path) -> None:
    """It is counted, and the connection reads on: a thread that has ended would say 0 errors for ever."""
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply(two_markets(1, 100)[0])
    Publisher(store, settings).publish()
    link = store.layout.published
    file = link.readlink()
    with kept_open(settings.data_dir) as kept:
        link.unlink()
        link.write_bytes(b"no database")
        _wait_for(kept, reads=2)
        link.unlink()
        link.symlink_to(file)
        errors = kept.errors
        _wait_for(kept, reads=kept.reads + 2)
    store.close()
    assert errors >= 1
    assert kept.errors <= errors + 1, "a read may have been under way when the file came back"
    assert kept.torn == 0


def _wait_for(kept: Kept, reads: int) -> None:
    deadline_s = time.monotonic() + 20
    while kept.reads < reads:
        assert time.monotonic() < deadline_s, f"{kept} does not read on"
        time.sleep(0.05)
