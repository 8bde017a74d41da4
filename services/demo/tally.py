"""What the agents of one process saw, told to the parent again and again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from contractnet.errors import BudgetExceededError, RejectedError
from services.demo.plan import report


@dataclass(slots=True)
class Tally:
    """Counts and amounts. `bought` are pieces of work, `deals` leases bought from their holders by bargaining.

    `talks` and `agreed` count those that were begun and those that led to it, by how they were played; `over_budget`
    refusals of a budget, `groups_won` groups of bids of which one has won. `claimed_points` and `delivered_points` are
    what winners have claimed of their tasks, and what came of them: of agents that learn from it, and of others.
    """

    bids: int = 0
    lost: int = 0
    spent_ucr: int = 0
    tasks_done: int = 0
    tasks_late: int = 0
    over_budget: int = 0
    groups_won: int = 0
    work_gpu_s: float = 0.0
    stale_shown: int = 0
    stale_admitted: int = 0
    bought: int = 0
    bought_done: int = 0
    bought_paid_ucr: int = 0
    deals: int = 0
    deals_paid_ucr: int = 0
    deals_over_issues: int = 0
    claims: int = 0
    claims_joined: int = 0
    claims_won: int = 0
    calls: int = 0
    calls_late: int = 0
    calls_throttled: int = 0
    tokens_used: int = 0
    talks: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    claimed_points: Counter[str] = field(default_factory=Counter)
    delivered_points: Counter[str] = field(default_factory=Counter)
    not_admitted: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    awards: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def refuse(self, error: RejectedError) -> None:
        """Count what the market has refused."""
        if isinstance(error, BudgetExceededError):
            self.over_budget += 1
        else:
            self.rejections[error.code] += 1

    def tell(self, *, final: bool = False) -> None:
        """Report, and forget the latencies that have been told."""
        latencies, self.latencies_ms = self.latencies_ms, []
        numbers = {name: getattr(self, name) for name in NUMBERS}
        report(
            "bidders",
            final=final,
            **numbers,
            won=len(self.awards),
            **{name: dict(getattr(self, name)) for name in TABLES},
            latencies_ms=[round(latency, 1) for latency in latencies],
            awards=self.awards if final else [],
        )


TABLES = ("not_admitted", "rejections", "talks", "agreed", "claimed_points", "delivered_points")
NUMBERS = tuple(each.name for each in fields(Tally) if each.name not in (*TABLES, "awards", "latencies_ms"))
