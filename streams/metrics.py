"""What a worker tells Prometheus, at /metrics of its web port."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.writer import Outcome, PartitionWriter


class Metrics:
    """Counters of one worker. A registry of its own: Faust may register other things in the default one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common = {"namespace": "contractnet", "registry": self.registry}
        labels = ("partition",)
        self.commands = Counter("commands", "Commands judged.", labels, **common)  # type: ignore[arg-type]
        self.entries = Counter("ledger_entries", "Ledger entries committed.", labels, **common)  # type: ignore[arg-type]
        self.awards = Counter("awards", "Awards made.", labels, **common)  # type: ignore[arg-type]
        self.rejections = Counter("rejections", "Commands rejected.", ("code",), **common)  # type: ignore[arg-type]
        self.batch = Histogram(
            "batch_commands", "Commands in a transaction.", buckets=(1, 10, 100, 500, 1000, 2000, 4000), **common
        )  # type: ignore[arg-type]
        self.commit = Histogram(
            "commit_seconds", "Time to commit.", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5), **common
        )  # type: ignore[arg-type]
        self.lag = Gauge("commands_lag", "Commands not judged yet.", labels, **common)  # type: ignore[arg-type]

    def count(self, writer: PartitionWriter, outcome: Outcome) -> None:
        """Count a batch."""
        partition = str(writer.partition)
        self.commands.labels(partition).inc(outcome.commands)
        self.entries.labels(partition).inc(outcome.entries)
        self.awards.labels(partition).inc(outcome.awards)
        for code, n in outcome.rejections.items():
            self.rejections.labels(code).inc(n)
        if outcome.commands:
            self.batch.observe(outcome.commands)
        if outcome.entries:
            self.commit.observe(outcome.commit_s)
