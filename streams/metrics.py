"""What a worker tells Prometheus, at /metrics of its web port."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.writer import Outcome, PartitionWriter


class Metrics:
    """Counters of one worker. A registry of its own: Faust may register other things in the default one."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        by_partition = ("partition",)
        self.commands = Counter("contractnet_commands", "Commands judged.", by_partition, registry=registry)
        self.entries = Counter("contractnet_ledger_entries", "Entries committed.", by_partition, registry=registry)
        self.awards = Counter("contractnet_awards", "Awards made.", by_partition, registry=registry)
        self.rejections = Counter("contractnet_rejections", "Commands rejected.", ("code",), registry=registry)
        self.lag = Gauge("contractnet_commands_lag", "Commands not judged yet.", by_partition, registry=registry)
        sizes = (1, 10, 100, 500, 1000, 2000, 4000)
        self.batch = Histogram(
            "contractnet_batch_commands", "Commands in a transaction.", buckets=sizes, registry=registry
        )
        times = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)
        self.commit = Histogram("contractnet_commit_seconds", "Time to commit.", buckets=times, registry=registry)

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
