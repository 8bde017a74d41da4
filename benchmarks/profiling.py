"""Where the interpreter of a busy worker is: `py-spy` looks at the real worker while it judges a full log, signed.

Only samples count in which a thread held the interpreter's lock. Left out, therefore: the process that checks
signatures, what librdkafka's own threads do, and waiting for the broker. Garbage collection shows in the function that
set it off.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.stage import ledger_end, load, open_markets, settle_all, stage, start_worker, wait_until_judged

RATE_HZ, LIMIT_S = 100, 300
MOSTLY = 3
PLACES = {
    "contractnet/codec.py": "codec",
    "fastavro": "codec",
    "contractnet/sealing.py": "sealed notices",
    "market/notices": "notices",
    "contractnet/chain.py": "chain",
    "contractnet/envelope.py": "opening commands",
    "contractnet/signing.py": "signatures",
    "streams/signatures.py": "signatures",
    "market/invariants.py": "invariants",
    "market/": "rules",
    "streams/writer.py": "producing and committing",
    "streams/": "the worker's own rest",
    "aiokafka": "aiokafka",
    "faust": "Faust",
    "mode/": "Faust",
    "asyncio": "asyncio",
}
"""Whose time a sample is: that of the innermost function of its stack whose file has one of these in its path."""
_FRAME = re.compile(r"(?P<function>.+) \((?P<file>.+?)(:\d+)?\)")


def shares(cfps: int) -> list[dict[str, object]]:
    """The places by their share of the samples, each with the functions that took most of it."""
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder:
        stacks = _sampled(cfps, Path(folder, "stacks"))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        place, function = place_of(stack.split(";"))
        found[place][function] += int(samples)
    total = sum(functions.total() for functions in found.values())
    return [
        {
            "where": place,
            "share": f"{functions.total() / total:.1%}",
            "mostly": ", ".join(f"{name} {count / total:.1%}" for name, count in functions.most_common(MOSTLY)),
            "samples": functions.total(),
        }
        for place, functions in sorted(found.items(), key=lambda item: -item[1].total())
    ]


def place_of(stack: list[str]) -> tuple[str, str]:
    """The place of a stack, outermost function first, and the function that makes it so."""
    for frame in reversed(stack):
        match = _FRAME.fullmatch(frame)
        for part, place in PLACES.items() if match else ():
            if match and part in match["file"]:
                return place, match["function"]
    return "rest", stack[-1]


def _sampled(cfps: int, file: Path) -> str:
    with stage() as world:
        markets = open_markets(world, signed=True)
        load(markets, cfps)
        settle_all(markets)
        worker = start_worker(world)
        world.wait_for("the worker judges", lambda: ledger_end(world) > cfps)
        options = ["--gil", "--format", "raw", "--rate", str(RATE_HZ), "--duration", "unlimited"]
        spy = subprocess.Popen([_spy(), "record", *options, "--output", str(file), "--pid", str(worker.pid)])
        wait_until_judged(world, LIMIT_S)
        spy.send_signal(signal.SIGINT)
        assert spy.wait(30) == 0, "py-spy needs the right to trace: be root, or set kernel.yama.ptrace_scope=0"
    return file.read_text()


def _spy() -> str:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which("py-spy", path=places)
    assert found is not None, "there is no py-spy: `make setup` installs it"
    return found
