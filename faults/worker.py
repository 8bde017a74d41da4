"""A worker that kills itself at a named point: `faust -A faults.worker worker`.

It is `streams.app` with a PartitionWriter and a Referee that pass the points on their way. The seam is here, and not
in streams/, so that what runs in earnest has no way to be told to die. CONTRACTNET_FAULT_CLOCK_S puts its Python wall
clock off by so many seconds (librdkafka's stays right).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from contractnet.topics import LEDGER
from faults.points import VARIABLE, FaultPoint
from streams import referee
from streams.referee import Referee
from streams.writer import CommandRecord, Outcome, PartitionWriter

_true_time = time.time
_off_s = float(os.environ.get("CONTRACTNET_FAULT_CLOCK_S", "0"))
time.time = lambda: _true_time() + _off_s
fault_point = FaultPoint(os.environ.get(VARIABLE, "after_poll:0:0:0"))


class StruckWriter(PartitionWriter):
    """A writer that passes the points of a batch."""

    def process(self, records: Sequence[CommandRecord], *, sought: int | None) -> Outcome:
        fault_point.passed("after_poll")
        return super().process(records, sought=sought)

    def _produce(
        self, topic: str, key: bytes, value: bytes, at_ms: int, headers: list[tuple[str, str | bytes | None]]
    ) -> None:
        if topic == LEDGER.name:
            fault_point.passed("after_decide")
        super()._produce(topic, key, value, at_ms, headers)

    def _commit(self) -> None:
        fault_point.passed("after_produce")
        fault_point.passed("committing")
        super()._commit()
        fault_point.passed("after_commit")


class StruckReferee(Referee):
    """A referee that passes the point after the group's offsets were committed."""

    async def publish_positions(self, consumer: Any) -> None:
        await super().publish_positions(consumer)
        fault_point.passed("after_acknowledge")


# The app is to be made with these; setattr, because a module does not offer its imports for assignment.
setattr(referee, "PartitionWriter", StruckWriter)  # noqa: B010
setattr(referee, "Referee", StruckReferee)  # noqa: B010

from streams.app import app  # noqa: E402  (made from the classes above)

__all__ = ["app"]
