"""What is measured, and against what: the real worker and the peer, each on a broker of its own with the same load."""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS, LEDGER
from faults.world import PARTITIONS, Market, World, new_world

MARKETS = ("Ω-market", "tenant-1", "tenant-42", "default")
AGENTS = 50
BIDS_PER_CFP = 5

Starter = Callable[[World], "subprocess.Popen[bytes]"]


def start_worker(world: World) -> subprocess.Popen[bytes]:
    """The real thing."""
    return world.start_worker(0)


def start_peer(batch: int) -> Starter:
    """The hand-written loop with batches of this size."""
    return lambda world: world.start("benchmarks.peer", PEER_BATCH=str(batch))


def start_faust_eos(world: World) -> subprocess.Popen[bytes]:
    """Faust's own exactly_once, which does less."""
    return world.start("faust", "-A", "benchmarks.faust_eos", "worker", "-l", "warn")


@contextmanager
def stage() -> Iterator[World]:
    """A fresh broker in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder, new_world(Path(folder)) as world:
        yield world


def open_markets(world: World, *, signed: bool, agents: int = AGENTS) -> list[Market]:
    """One market on each partition, with agents; not judged yet."""
    markets = [world.market(name) for name in MARKETS]
    for market in markets:
        market.open(agents, units=1_000_000, signed=signed)
    return markets


def load(markets: list[Market], cfps: int, seed: int = 7) -> int:
    """CFPs with bids, interleaved over all markets, as fast as possible; returns the number of commands."""
    rng = random.Random(seed)
    open_cfps: list[tuple[Market, bytes]] = []
    for _ in range(cfps):
        market = rng.choice(markets)
        open_cfps.append((market, market.call(open_ms=1_000, duration_ms=500)))
        if len(open_cfps) >= 16:
            _bid(rng, *open_cfps.pop(rng.randrange(len(open_cfps))))
    for market, cfp in open_cfps:
        _bid(rng, market, cfp)
    return cfps * (1 + BIDS_PER_CFP)


def settle_all(markets: list[Market]) -> None:
    """After every deadline, one more command a market, so that every CFP is settled whether there is a clock or not."""
    markets[0].producer.flush(60)
    time.sleep(1.5)
    for market in markets:
        for _ in range(200):
            market.send(c.IssueCredits(market.accounts[market.agents[0].public], 1, ""), market.bank)
    markets[0].producer.flush(60)


def _bid(rng: random.Random, market: Market, cfp: bytes) -> None:
    bidders: list[KeyPair] = rng.sample(market.agents, BIDS_PER_CFP)
    for keys in bidders:
        market.bid(cfp, keys, rng.randrange(10, 10**6))


def wait_until_judged(world: World, limit_s: float) -> None:
    """Until the worker has answered every command that is there now, as its /health says."""
    ends = {p: world.end_of(COMMANDS.name, p) for p in range(PARTITIONS)}

    def done() -> bool:
        health = json.loads(world.health(0) or "{}").get("next_offset", {})
        return all(health.get(str(p), 0) >= end for p, end in ends.items())

    world.wait_for("every command is answered", done, limit_s)


def ledger_end(world: World) -> int:
    """Committed ledger records and markers of all partitions."""
    return sum(world.end_of(LEDGER.name, p) for p in range(PARTITIONS))


def cpu_s(pid: int) -> float:
    """User and system seconds so far of a process and of those that it started, such as the worker's signer."""
    root = psutil.Process(pid)
    spent = 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent
