"""`python -m benchmarks [--short] [--sections speed,latency,...]`: prints tables, writes benchmarks/out/*.json."""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable

from benchmarks import (
    attribution,
    bargaining,
    engines,
    groups,
    judge,
    latency,
    negotiations,
    profiling,
    projection,
    reserve,
    restoring,
    scaling,
    segments,
    speed,
    tokens,
)
from benchmarks.record import OUT, Circumstances, write
from benchmarks.stage import start_faust_eos, start_peer, start_worker

PEER_BATCHES = (500, 4000)
FAUST = "Faust's exactly_once"


def bench_speed(*, short: bool) -> list[dict[str, object]]:
    """Alternating runs, medians, ratios to the better batch size of the peer."""
    runs, cfps = (1, 1_500) if short else (3, 5_000)
    rows: list[dict[str, object]] = []
    for signed in (False, True):
        found: dict[str, list[speed.Speed]] = {}
        for _ in range(runs):
            found.setdefault("worker", []).append(speed.run(start_worker, signed=signed, cfps=cfps))
            for batch in PEER_BATCHES:
                found.setdefault(f"loop, batches of {batch}", []).append(
                    speed.run(start_peer(batch), signed=signed, cfps=cfps)
                )
            if not signed:
                found.setdefault(FAUST, []).append(speed.run(start_faust_eos, signed=False, cfps=cfps, judges=False))
        best = max(statistics.median(s.commands_per_s for s in v) for k, v in found.items() if k.startswith("loop"))
        rows += [_speed_row(name, speeds, best, signed=signed) for name, speeds in found.items()]
    return rows


def _speed_row(name: str, speeds: list[speed.Speed], best: float, *, signed: bool) -> dict[str, object]:
    rate = statistics.median(s.commands_per_s for s in speeds)
    cpu = [s.cpu_s_per_10k_awards for s in speeds if s.cpu_s_per_10k_awards is not None]
    stored = [s.bytes_per_award for s in speeds if s.bytes_per_award is not None]
    return {
        "signed": signed,
        "what": name,
        "commands/s": round(rate),
        "to the best loop": round(rate / best, 2),
        "CPU s/10k awards": round(statistics.median(cpu), 2) if cpu else "-",
        "bytes on Kafka/award": round(statistics.median(stored)) if stored else "-",
        "runs": len(speeds),
        "commands": speeds[0].commands,
        "awards": speeds[0].awards,
    }


def bench_latency(*, short: bool) -> list[dict[str, object]]:
    """Command to receipt at two rates."""
    runs = 1 if short else 3
    rows: list[dict[str, object]] = []
    for rate in (200, 1_000):
        found: dict[str, list[latency.Latency]] = {}
        for _ in range(runs):
            found.setdefault("worker", []).append(latency.run(start_worker, rate=rate))
            for batch in PEER_BATCHES:
                found.setdefault(f"loop, batches of {batch}", []).append(latency.run(start_peer(batch), rate=rate))
        medians = {
            k: (statistics.median(x.p50_ms for x in v), statistics.median(x.p99_ms for x in v))
            for k, v in found.items()
        }
        best = [min(m[i] for k, m in medians.items() if k != "worker") for i in (0, 1)]
        for name, (p50_ms, p99_ms) in medians.items():
            rows.append(
                {
                    "commands/s": rate,
                    "what": name,
                    "p50 ms": round(p50_ms, 1),
                    "p99 ms": round(p99_ms, 1),
                    "p50 to the best loop": round(p50_ms / best[0], 2),
                    "p99 to the best loop": round(p99_ms / best[1], 2),
                    "runs": runs,
                    "n": found[name][0].n,
                }
            )
    return rows


def bench_scaling(*, short: bool) -> list[dict[str, object]]:
    """Cost of an award as the market grows, as a ratio to the smallest one of the same run."""
    runs = 1 if short else 5
    sizes = [(10, 10), (100, 10), (500, 10), (2_000, 10), (5_000, 10), (500, 100), (500, 1_000), (500, 10_000)]
    costs: dict[tuple[int, int], list[float]] = {size: [] for size in sizes}
    for _ in range(runs):
        for size in sizes:
            costs[size].append(scaling.us_per_award(*size))
    base = statistics.median(costs[sizes[0]])
    return [
        {
            "agents": agents,
            "open CFPs": cfps,
            "us/award": round(statistics.median(costs[agents, cfps])),
            "to the smallest": round(statistics.median(costs[agents, cfps]) / base, 2),
            "runs": runs,
        }
        for agents, cfps in sizes
    ]


def bench_sealing(*, short: bool) -> list[dict[str, object]]:
    """What private notices add to an award: the same rules without them (version 1) and with them, in turn."""
    runs = 3 if short else 9
    costs: dict[int, list[float]] = {1: [], 3: []}
    for _ in range(runs):
        for version, found in costs.items():
            found.append(scaling.us_per_award(500, 100, 800, version))
    base = statistics.median(costs[1])
    return [
        {
            "rules": version,
            "us/award": round(statistics.median(found)),
            "to version 1": round(statistics.median(found) / base, 2),
            "runs": runs,
        }
        for version, found in costs.items()
    ]


def bench_memory(*, short: bool) -> list[dict[str, object]]:
    """What a market keeps in memory."""
    agents, cfps = (500, 200) if short else (5_000, 2_000)
    per_agent, per_cfp = scaling.kib_of_memory(agents, cfps)
    return [
        {"what": "an agent, with account and credits", "KiB": round(per_agent, 2), "n": agents},
        {"what": "an open CFP, with five bids and holds", "KiB": round(per_cfp, 2), "n": cfps},
    ]


def bench_rebuild(*, short: bool) -> list[dict[str, object]]:
    """The projection from offset 0. The parts add up to more time than the whole, which does two of them at a time."""
    found = projection.rebuilds(1_500, 1) if short else projection.rebuilds(20_000, 3)
    return [
        {
            "what": what,
            "events/s": round(statistics.median(one.events / one.wall_s for one in passes)),
            "CPU us/event": round(statistics.median(one.cpu_s / one.events * 1e6 for one in passes), 2),
            "runs": len(passes),
            "events": passes[0].events,
        }
        for what, passes in found.items()
    ]


def bench_restore(*, short: bool) -> list[dict[str, object]]:
    """What snapshots save a worker that starts again. The states are equal, or this fails."""
    found = restoring.restores(30_000, 1) if short else restoring.restores(1_000_000, 3)
    return [
        {
            "restore": kind,
            "s": round(statistics.median(one.took_s for one in made), 2),
            "entries folded": round(statistics.median(one.entries for one in made)),
            "ledger events": found.events,
            "state KiB": made[0].state_kib,
            "states": "equal",
            "runs": len(made),
        }
        for kind, made in found.by_kind.items()
    ]


def bench_profile(*, short: bool) -> list[dict[str, object]]:
    """Where the worker's time goes."""
    return profiling.shares(1_500 if short else 5_000)


def bench_lag(*, short: bool) -> list[dict[str, object]]:
    """Readers of a live projection."""
    found = projection.lag(events_per_s=5_000, duration_s=15 if short else 1_230)
    return [
        {
            "events/s": round(found.events_per_s),
            "reads": found.reads,
            "age p50 ms": round(found.age_p50_ms),
            "age p99 ms": round(found.age_p99_ms),
            "by fifths": "/".join(str(round(p99)) for p99 in found.fifths_p99_ms),
            "errors": found.errors,
            "torn": found.torn,
            "kept open s": round(found.kept_open_s),
            "reads there": found.kept_reads,
            "cores": found.cores,
        }
    ]


def bench_bargaining(*, short: bool) -> list[dict[str, object]]:
    """Strategies over the same random domains, and through a market. Draws one negotiation of Zeuthen's into
    bargaining.svg."""
    domains = bargaining.domains(20 if short else 500)
    rows: list[dict[str, object]] = []
    for name, play in bargaining.PLAYS.items():
        played = [bargaining.measure(play, domain) for domain in domains]
        rounds, shares = [one.rounds for one in played], [one.to_nash for one in played]
        rows.append(
            {
                "strategy": name,
                "rounds p50": round(statistics.median(rounds)),
                "max": max(rounds),
                "messages p50": round(statistics.median(one.messages for one in played)),
                "wall ms p50": round(statistics.median(one.wall_ms for one in played), 3),
                "to Nash mean": round(statistics.mean(shares), 3),
                "least": round(min(shares), 3),
                "Nash exactly": f"{sum(one.exact for one in played)}/{len(played)}",
            }
        )
    (OUT / "bargaining.svg").write_text(bargaining.drawing())
    return rows + negotiations.rows(negotiations.measure(3 if short else 40))


def bench_groups(*, short: bool) -> list[dict[str, object]]:
    """The same markets with a group of bids and with a hold for each bid: what the bidder's slots are worth to it."""
    markets = range(20 if short else 400)
    rows: list[dict[str, object]] = []
    for closes, at_once in (("one after the other", False), ("all at once", True)):
        with_group, alone = ([groups.buys(n, grouped=g, at_once=at_once) for n in markets] for g in (True, False))
        value, other = (sum(one.value for one in found) for found in (with_group, alone))
        gain, other_gain = (sum(one.value - one.paid for one in found) for found in (with_group, alone))
        rows.append(
            {
                "CFPs close": closes,
                "value with a group": round(value / len(markets), 1),
                "with full holds": round(other / len(markets), 1),
                "full holds to group": round(other / value, 3),
                "value less price, full holds to group": round(other_gain / gain, 3),
                "markets": len(markets),
            }
        )
    return rows


def bench_tokens(*, short: bool) -> list[dict[str, object]]:
    """Requests to a provider with a limit, with tokens of a pool and without; AZURE_TRACES=folder has real demand."""
    runs, seconds = (1, 30.0) if short else (3, 60.0)
    # Two demands: one that the limit would serve were it even, and one that is more than the limit.
    scales = [tokens.Scale(seconds, speed=6.0, begin_s=600.0, limit_share=share) for share in (1.1, 0.8)]
    found, source = tokens.compare(scales, runs)
    return [tokens.row(source, share, name, made, found[share, tokens.ALONE]) for (share, name), made in found.items()]


def bench_reserve(*, short: bool) -> list[dict[str, object]]:
    """Value served with a reserve by opportunity cost, and without; OPENB_TRACE=file has real demand."""
    return reserve.compare((1.0, 1.5), 1) if short else reserve.compare((0.8, 1.0, 1.5, 3.0), 5)


def bench_segments(*, short: bool) -> list[dict[str, object]]:
    """The same rows in small and in merged segments."""
    return segments.costs(1_600_000, 3) if short else segments.costs(6_400_000, 9)


def bench_attribution(*, short: bool) -> list[dict[str, object]]:
    """Questions about spending, on ten million transfers."""
    return attribution.answers(200_000, 2) if short else attribution.answers(10_000_000, 5)


def bench_analytics(*, short: bool) -> list[dict[str, object]]:
    """DuckDB against SQLite over the same rows, and the published file against DuckDB's own tables."""
    return engines.compare(20_000, 1) if short else engines.compare(10_000_000, 3)


SECTIONS: dict[str, Callable[..., list[dict[str, object]]]] = {
    "scaling": bench_scaling,
    "sealing": bench_sealing,
    "latency": bench_latency,
    "speed": bench_speed,
    "profile": bench_profile,
    "memory": bench_memory,
    "restore": bench_restore,
    "rebuild": bench_rebuild,
    "segments": bench_segments,
    "attribution": bench_attribution,
    "analytics": bench_analytics,
    "lag": bench_lag,
    "bargaining": bench_bargaining,
    "groups": bench_groups,
    "tokens": bench_tokens,
    "reserve": bench_reserve,
    "judge": judge.rows,
}


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Print rows as tables, one for those in a row that have the same columns."""
    print(f"\n{title}")
    for _, alike in itertools.groupby(rows, key=tuple):
        table = list(alike)
        widths = {k: max(len(k), *(len(str(r[k])) for r in table)) for k in table[0]}
        print("  ".join(k.ljust(w) for k, w in widths.items()))
        for row in table:
            print("  ".join(str(row[k]).ljust(w) for k, w in widths.items()), flush=True)


def main() -> None:
    """Run the sections."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one small run of each: shows that it works, not how fast")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="which, separated by commas")
    options = parser.parse_args()
    if unknown := [name for name in options.sections.split(",") if name not in SECTIONS]:
        parser.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    OUT.mkdir(exist_ok=True)
    for name in options.sections.split(","):
        circumstances = Circumstances.now(short=options.short)
        rows = SECTIONS[name](short=options.short)
        show(f"{name} ({circumstances.line()})", rows)
        write(name, circumstances, rows)


if __name__ == "__main__":
    main()
