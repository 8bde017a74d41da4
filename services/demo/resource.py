"""The resource side of one pool: its units, each a process of its own, behind a Gate.

    python -m services.demo.resource PLAN POOL

A holder of a lease connects to the pool's port on loopback and shows its pass. The gate admits it to units; a unit's
process is told who uses it, and counts a conflict whenever somebody comes in while another is still there.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.demo.plan import Plan, on_parent_end, report

if TYPE_CHECKING:
    from contractnet.gate import Admission, Gate

ADMIT_WAIT_S = 2.0
_THREADS = 32


class Unit:
    """One GPU slot: a process that one holder may use at a time."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve_unit, args=(theirs,), name=f"unit-{number}", daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, *message: object) -> Any:
        """Send a message and return the answer."""
        self._pipe.send(message)
        return self._pipe.recv()

    def end(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def serve_unit(pipe: Pipe) -> None:
    """The life of a unit's process: knows who uses it, and counts who came too early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = os.getppid()
    user: bytes | None = None
    uses = conflicts = 0
    while True:
        # Brothers hold copies of the other end, so its closing says nothing: look who our parent is.
        if not pipe.poll(1.0):
            if os.getppid() != parent:
                return
            continue
        try:
            what, *rest = pipe.recv()
        except EOFError:
            return
        if what == "enter":
            conflicts += user not in (None, rest[0])
            uses += 1
            user = rest[0]
        elif what == "leave" and user == rest[0]:
            user = None
        pipe.send((uses, conflicts))


class Desk:
    """Where holders show their passes. `enter` and `leave` of one lease never overtake each other."""

    def __init__(self, units: list[Unit]) -> None:
        self._units = units
        self._lock = threading.Lock()
        self._over: set[bytes] = set()
        self._inside: set[bytes] = set()
        self.refused: Counter[str] = Counter()
        self.admitted = 0

    def admit(self, gate: Gate, request: dict[str, str]) -> dict[str, object]:
        """The answer to a pass."""
        from contractnet.client.lease import Token
        from contractnet.errors import GateRefusedError

        award = bytes.fromhex(request["award"])
        try:
            admission = gate.admit(
                award, Token.parse(request["token"]), bytes.fromhex(request["secret"]), wait_s=ADMIT_WAIT_S
            )
        except GateRefusedError as error:
            self.refused[error.reason] += 1
            return {"admitted": False, "reason": error.reason}
        with self._lock:
            # Between the gate's answer and here the lease may have ended; its units may be another's by now.
            if award in self._over:
                self.refused["ENDED"] += 1
                return {"admitted": False, "reason": "ENDED"}
            if award not in self._inside:
                self._inside.add(award)
                self.admitted += 1
                for number in admission.units:
                    self._units[number].tell("enter", award)
        return {"admitted": True, "units": admission.units}

    def revoked(self, admission: Admission) -> None:
        """The gate says that a lease is over: put its holder out. The units are free when this returns."""
        with self._lock:
            self._over.add(admission.award)
            if admission.award in self._inside:
                self._inside.discard(admission.award)
                for number in admission.units:
                    self._units[number].tell("leave", admission.award)

    def facts(self) -> dict[str, object]:
        """What the units counted."""
        with self._lock:
            counts = [unit.tell("count") for unit in self._units]
        return {
            "uses": sum(uses for uses, _ in counts),
            "conflicts": sum(conflicts for _, conflicts in counts),
            "admitted": self.admitted,
            "refused": dict(self.refused),
        }


async def serve(gate: Gate, desk: Desk, port: int, pool: str) -> None:
    """Answer passes until the parent is done."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    on_parent_end(lambda: loop.call_soon_threadsafe(done.set))
    threads = ThreadPoolExecutor(_THREADS)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            answer = await loop.run_in_executor(threads, desk.admit, gate, request)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError, KeyError):
            desk.refused["BAD_REQUEST"] += 1
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", port):
        report("ready", pool=pool)
        await done.wait()
    threads.shutdown(wait=True)


def main() -> None:
    """Run one pool's resource side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan, pool = Plan.read(Path(sys.argv[1])), sys.argv[2]
    from services.demo.demand import POOLS

    # Forked before any thread exists and before the Kafka library is loaded.
    units = [Unit(number) for number in range(next(p for p in POOLS if p.name == pool).units)]
    from contractnet.gate import Gate

    desk = Desk(units)
    with Gate(pool, plan.bootstrap, credential=plan.managers[pool], on_revoked=desk.revoked) as gate:
        asyncio.run(serve(gate, desk, plan.gates[pool], pool))
    report("resource", pool=pool, **desk.facts())
    for unit in units:
        unit.end()


if __name__ == "__main__":
    main()
