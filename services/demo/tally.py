"""What the agents of one process saw, told to the parent again and again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from services.demo.plan import report


@dataclass(slots=True)
class Tally:
    """Counts and amounts. `bought` are pieces of work, `deals` leases bought from their holders by bargaining."""

    bids: int = 0
    lost: int = 0
    spent_ucr: int = 0
    tasks_done: int = 0
    work_gpu_s: float = 0.0
    stale_shown: int = 0
    stale_admitted: int = 0
    bought: int = 0
    bought_done: int = 0
    bought_paid_ucr: int = 0
    deals: int = 0
    deals_paid_ucr: int = 0
    calls: int = 0
    calls_late: int = 0
    tokens_used: int = 0
    not_admitted: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    awards: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def tell(self, *, final: bool = False) -> None:
        """Report, and forget the latencies that have been told."""
        latencies, self.latencies_ms = self.latencies_ms, []
        numbers = {name: getattr(self, name) for name in NUMBERS}
        report(
            "bidders",
            final=final,
            **numbers,
            won=len(self.awards),
            not_admitted=dict(self.not_admitted),
            rejections=dict(self.rejections),
            latencies_ms=[round(latency, 1) for latency in latencies],
            awards=self.awards if final else [],
        )


NUMBERS = (
    "bids",
    "lost",
    "spent_ucr",
    "tasks_done",
    "work_gpu_s",
    "stale_shown",
    "stale_admitted",
    "bought",
    "bought_done",
    "bought_paid_ucr",
    "deals",
    "deals_paid_ucr",
    "calls",
    "calls_late",
    "tokens_used",
)
