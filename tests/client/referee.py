"""A real referee for tests: one Faust worker as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.ports import find_free
from contractnet.topics import PARTITIONS_DEFAULT
from streams.topics import create_topics

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 20


@contextmanager
def worker(bootstrap: str, operator_key: bytes, data: Path) -> Iterator[None]:
    """Create the topics and run a worker that trusts this operator; its log is `data`/worker.log."""
    create_topics(bootstrap, PARTITIONS_DEFAULT, 1)
    environment = os.environ | {
        "CONTRACTNET_BOOTSTRAP": bootstrap,
        "CONTRACTNET_DATA": str(data),
        "CONTRACTNET_OPERATOR_KEY": operator_key.hex(),
        "CONTRACTNET_WEB_PORT": str(find_free()),
    }
    with (data / "worker.log").open("wb") as log:
        command = [sys.executable, "-m", "faust", "-A", "streams.app", "worker", "-l", "info"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
