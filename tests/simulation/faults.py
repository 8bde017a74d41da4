"""What goes wrong with a process and its broker, at which step, and what that looks like from inside."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable

from confluent_kafka import KafkaError

from tests.simulation.memory import MemoryLog, MemoryProducer, failure


class Crash(BaseException):
    """The process is gone, here and now. Nothing may catch it but the one who started the process."""


CRASH_STEPS = ("poll", "begin", "produce", "commit", "committed", "init", "initialised", "read", "send")
"""Where a process can die. `begin` is right after it decided, `commit` before the broker has heard of it, `committed`
before the reply; `init`, `initialised` and `read` are while it takes over; `send` is a snapshot on its way."""

TROUBLE: dict[str, tuple[str, ...]] = {
    "crash": CRASH_STEPS,
    "retriable": ("commit", "committed"),
    "abortable": ("commit", "produce"),
    "queue full": ("produce",),
    "fatal": ("commit", "produce"),
    "replaced": ("begin", "produce", "commit"),
}
"""Kinds of trouble and the steps that they come at."""


class Trouble:
    """One thing armed at a time: at the n-th such step it happens."""

    def __init__(
        self,
        dice: random.Random,
        log: MemoryLog,
        replace: Callable[[], None],
        before_fence: Callable[[], None],
    ) -> None:
        self._dice, self._log = dice, log
        self._replace, self._before_fence = replace, before_fence
        self.happened: Counter[str] = Counter()
        self.enabled = True
        self._armed: tuple[str, str] | None = None
        self._left = 0
        log.on = self.step

    def arm(self) -> None:
        """Choose what happens next, and when; what was chosen before and has not happened is forgotten."""
        kind = self._dice.choice(("crash", "crash", "crash", *TROUBLE))
        step = self._dice.choice(TROUBLE[kind])
        self._armed = (kind, step)
        self._left = self._dice.choice((0, 0, 1, 2, 5, 20)) if step in {"produce", "read"} else self._dice.randrange(3)

    def step(self, name: str, producer: MemoryProducer | None) -> None:
        """Something is about to be done."""
        if name == "init" and producer is not None and producer.id != "stranger":
            self._before_fence()
        if not self.enabled or self._armed is None or self._armed[1] != name:
            return
        if producer is not None and producer.id == "stranger":
            return
        if self._left > 0:
            self._left -= 1
            return
        kind = self._armed[0]
        # A call that is repeated meets the same trouble a few times, and then no more.
        repeats = kind == "retriable" and self._dice.random() < 0.5
        self._armed = self._armed if repeats else None
        self.happened[f"{kind} at {name}"] += 1
        self._happen(kind, producer)

    def _happen(self, kind: str, producer: MemoryProducer | None) -> None:
        if kind == "crash":
            raise Crash
        if kind == "retriable":
            self._log.now_ms += self._dice.choice((10, 200, 1_000))
            raise failure(KafkaError._TIMED_OUT, "no answer in time", retriable=True)
        if kind == "abortable":
            if self._dice.random() < 0.5:  # and the abort does not go well either
                self._armed, self._left = (self._dice.choice(("crash", "retriable")), "abort"), 0
            raise failure(KafkaError._STATE, "the transaction failed", abort=True)
        if kind == "queue full":
            raise BufferError
        if kind == "fatal":
            raise failure(KafkaError._FATAL, "out of sequence", fatal=True)
        # Stopped for long, right here: another process takes over; then this one goes on as if nothing had happened.
        self._replace()

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.enabled, self._armed = False, None


def of_another_ledger(value: bytes) -> bytes:
    """A manifest that names another place of the ledger than its state was taken at; chunks stay as they are."""
    try:
        manifest = json.loads(value)
    except ValueError:  # a chunk, or damaged already
        return value[::-1]
    return json.dumps(manifest | {"ledger_offset": manifest.get("ledger_offset", 0) // 2}).encode()
