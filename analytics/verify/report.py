"""What verify found: counts of what was checked, and the first divergence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class DivergenceError(Exception):
    """Two things that have to agree do not. `topic` is a topic, or the DuckDB table; `offset` is the record's."""

    def __init__(self, topic: str, partition: int | None, offset: int | None, what: str) -> None:
        place = f"{topic}" if partition is None else f"{topic}[{partition}]"
        super().__init__(f"{place} at offset {offset}: {what}" if offset is not None else f"{place}: {what}")
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.what = what

    def __reduce__(self) -> tuple[type[DivergenceError], tuple[str, int | None, int | None, str]]:
        """How it comes back from another process."""
        return DivergenceError, (self.topic, self.partition, self.offset, self.what)


@dataclass(slots=True)
class Report:
    """Counts per kind of check, and the time it took."""

    counts: Counter[str] = field(default_factory=Counter)
    divergence: DivergenceError | None = None
    duration_s: float = 0.0
    cpu_s: float = 0.0
    """CPU seconds of the re-run's own process."""
    signature_cpu_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing diverged."""
        return self.divergence is None

    def lines(self) -> list[str]:
        """The report for people."""
        counted = [f"  {name:<44} {count:>12,}" for name, count in self.counts.items()]
        events, signatures = self.counts["ledger records compared"], self.counts["signatures checked"]
        rate = f"{events / self.duration_s:,.0f} events/s" if self.duration_s else "no events"
        busy = f"{signatures / self.signature_cpu_s:,.0f} signatures/s and core" if self.signature_cpu_s else "none"
        overall = f"{signatures / self.duration_s:,.0f} signatures/s" if self.duration_s else "none"
        own = f"{events / self.cpu_s:,.0f} events/s of CPU time here" if self.cpu_s else "no CPU time"
        rates = f"rates: {rate} in {self.duration_s:.1f} s ({own}), {overall} ({busy})"
        lines = ["checked:", *counted, rates]
        lines += [f"note: {note}" for note in self.notes]
        if self.divergence is None:
            return [*lines, "sound: 0 divergences"]
        return [*lines, f"DIVERGENCE {self.divergence}"]
