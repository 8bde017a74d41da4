"""What a run shows while it goes on: a table on a terminal, else a line every few seconds."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from services.demo.children import Message

_LINE_S = 3.0
_RATE_WINDOW_S = 5.0
_RATE_SPAN_S = 1.0
"""A rate over less would be noise."""


def quantile(values: list[float], share: float) -> float | None:
    """The value below which `share` of the values lie, None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def as_ms(value: float | None) -> str:
    """Milliseconds for people."""
    return "-" if value is None else f"{value:.0f} ms"


@dataclass(slots=True)
class Score:
    """The newest facts of every process, added up when asked for."""

    by_child: dict[str, dict[str, Any]] = field(default_factory=dict)
    managers: dict[str, Any] = field(default_factory=dict)
    gates: list[dict[str, Any]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    won_in_time: int = 0
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, message: Message) -> None:
        """Take a message in."""
        match message.kind:
            case "bidders":
                self.latencies_ms += message.facts.pop("latencies_ms")
                self.by_child[message.child] = message.facts
                self.recent.append((time.monotonic(), self.total("won")))
                while self.recent[0][0] < time.monotonic() - _RATE_WINDOW_S:
                    self.recent.popleft()
            case "managers":
                self.managers = message.facts
            case "resource":
                self.gates.append(message.facts)
            case "event":
                self.events.append(message.facts["text"])

    def total(self, name: str) -> int:
        """The sum of a number over the processes of bidders."""
        return sum(facts[name] for facts in self.by_child.values())

    def counted(self, name: str) -> Counter[str]:
        """The sum of a table of counts over the processes of bidders."""
        found: Counter[str] = Counter()
        for facts in self.by_child.values():
            found.update(facts[name])
        return found

    def awards(self) -> set[str]:
        """Ids of all awards that the agents saw; complete once they have ended."""
        return {award for facts in self.by_child.values() for award in facts["awards"]}

    def gate_total(self, name: str) -> int:
        """The sum of a number over the gates."""
        return sum(facts[name] for facts in self.gates)

    def rate(self) -> float:
        """Awards a second over the last seconds."""
        if not self.recent or self.recent[-1][0] - self.recent[0][0] < _RATE_SPAN_S:
            return 0.0
        (then_s, before), (now_s, after) = self.recent[0], self.recent[-1]
        return (after - before) / (now_s - then_s)


class Show:
    """Shows a score again and again. Use as a context manager."""

    def __init__(self, console: Console, score: Score, duration_s: float) -> None:
        self._console = console
        self._score = score
        self._duration_s = duration_s
        self._begun = time.monotonic()
        self._next_line_s = _LINE_S
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Show:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        """Show the score as it is now, when it is time."""
        elapsed_s = time.monotonic() - self._begun
        if self._live is not None:
            self._live.update(self._table(elapsed_s))
        elif elapsed_s >= self._next_line_s:
            self._next_line_s += _LINE_S
            self._console.print(
                "  ".join(f"{name} {value}" for name, value in self._facts(elapsed_s)), markup=False, soft_wrap=True
            )

    def _facts(self, elapsed_s: float) -> list[tuple[str, str]]:
        score = self._score
        return [
            ("time", f"{elapsed_s:3.0f} of {self._duration_s:.0f} s"),
            ("awards", f"{score.total('won'):,}"),
            ("awards/s", f"{score.rate():.1f}"),
            ("open CFPs", str(score.managers.get("open", 0))),
            ("bids", f"{score.total('bids'):,}"),
            ("close->notice p50", as_ms(quantile(score.latencies_ms, 0.5))),
            ("p99", as_ms(quantile(score.latencies_ms, 0.99))),
            ("work", f"{score.total('bought_done'):,}"),
            ("resold", f"{score.total('deals'):,}"),
            ("tokens", f"{score.total('tokens_used'):,}"),
            ("spent", f"{score.total('spent_ucr') / 1e6:,.1f} credits"),
        ]

    def _table(self, elapsed_s: float) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, value in self._facts(elapsed_s):
            table.add_row(name, value)
        return table
