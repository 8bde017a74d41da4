"""Workers are killed under load; no award is made twice, lost or torn."""

from __future__ import annotations

import random
import statistics
import threading
import time
from pathlib import Path

from contractnet.messages import events as e
from faults.watch import Watch
from tests.integration.checker import check
from tests.integration.world import PARTITIONS, Market, World, new_world

KILLS = 10
MARKETS = ("default", "tenant-42", "Ω-market", "llm-tokens")
CFPS_PER_S = 60


def test_ten_kills_under_load_leave_every_award_made_exactly_once(tmp_path: Path) -> None:
    """kill -9 at random instants, one worker with the snapshotter beside it as `up` has it, markets on several
    partitions; the log is judged by a pass of its own."""
    with new_world(tmp_path) as world:
        markets = [world.market(name) for name in MARKETS]
        for market in markets:
            market.open(agents=10)
        cfps: list[bytes] = []
        stop = threading.Event()
        load = threading.Thread(target=_load, args=(markets, cfps, stop))
        load.start()
        world.start("streams.snapshotter")
        watch = Watch(world.broker.bootstrap, PARTITIONS)
        try:
            recovery = _kill_repeatedly(world, watch)
        finally:
            stop.set()
            load.join()
            watch.stop()
        assert world.producer.flush(30) == 0
        world.wait_for("every CFP is closed", lambda: _open(world, markets, cfps) == 0)
        world.stop_all()
        verdicts = [
            check(world.broker.bootstrap, p, PARTITIONS, world.operator.public, world.acknowledged.on(p))
            for p in range(PARTITIONS)
        ]
        awards = sum(v.awards for v in verdicts)
        print(
            f"\ncrashes: kills={KILLS} commands={sum(v.commands for v in verdicts)} awards={awards} "
            f"duplicate={sum(v.duplicate for v in verdicts)} lost={sum(v.lost for v in verdicts)} "
            f"torn={sum(v.torn for v in verdicts)} diverged={sum(v.diverged for v in verdicts)} "
            f"recovery_p50_s={statistics.median(recovery):.2f} (n={len(recovery)})"
        )
        assert all(v.sound for v in verdicts), verdicts
        assert awards > KILLS, "the load has to reach the workers"


def _load(markets: list[Market], cfps: list[bytes], stop: threading.Event) -> None:
    rng = random.Random(7)
    while not stop.wait(1 / CFPS_PER_S):
        market = rng.choice(markets)
        cfp = market.call(open_ms=rng.randrange(100, 600), duration_ms=500)
        cfps.append(cfp)
        for keys in rng.sample(market.agents, 4):
            market.bid(cfp, keys, rng.randrange(10, 10**6))


def _kill_repeatedly(world: World, watch: Watch) -> list[float]:
    """Kill the worker at random instants after it has made an award, and start it again at once; it lives in the end.

    Returns the seconds from each kill to the first award after it, at read_committed.
    """
    rng = random.Random(11)
    recovery: list[float] = []
    watch.wait_for_award()
    killed_at: float | None = None
    for _ in range(KILLS + 1):
        worker = world.start_worker(0)
        world.wait_for("a restarted worker makes an award", lambda: watch.award_after is not None)
        awarded_at = watch.award_after
        assert awarded_at is not None
        if killed_at is not None:
            recovery.append(awarded_at - killed_at)
        if len(recovery) == KILLS:
            break
        time.sleep(rng.uniform(0.0, 1.0))
        worker.kill()
        worker.wait()
        killed_at = time.monotonic()
        watch.wait_for_award()
    return recovery


def _open(world: World, markets: list[Market], cfps: list[bytes]) -> int:
    """CFPs that were called for and have not ended."""
    entries = [entry.event for p in {m.partition for m in markets} for entry in world.entries_of(p)]
    closed = {event.cfp for event in entries if isinstance(event, e.CfpClosed)}
    return len(set(cfps) - closed)


def test_a_worker_that_starts_while_the_broker_is_away_waits_for_it(tmp_path: Path) -> None:
    """It does not end, and judges once the broker is there."""
    with new_world(tmp_path) as world:
        market = world.market("default")
        market.open(agents=2)
        assert world.producer.flush(30) == 0
        world.broker.stop()
        worker = world.start_worker(0)
        log = tmp_path / "processes.log"
        world.wait_for("it says that it waits", lambda: "waiting for the broker" in log.read_text("utf-8"))
        time.sleep(2)
        world.broker.start()
        world.wait_for("the market is open", lambda: len(world.entries(market)) > 0)
        assert worker.poll() is None
