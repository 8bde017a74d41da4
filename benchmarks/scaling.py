"""The cost of one command in the rules and the codec, as agents and open CFPs grow. No Kafka: the growth is what
counts."""

from __future__ import annotations

import random
import time
import tracemalloc

from contractnet.codec import encode
from contractnet.messages import Credentials, Direction, Pricing, Submission
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.sealing import values_of
from market import Shard, told
from market.rules import RULES

NAME = "default"
PARTITION = 3
NOW_MS = 1_800_000_000_000
STEP_MS = 20
OPERATOR, BANK = b"o" * 32, b"b" * 32
MANAGERS = tuple(letter * 32 for letter in (b"m", b"n", b"p"))
"""Several, since one manager may have 5,000 open CFPs."""


def pool_of(manager: bytes) -> str:
    """The pool that a manager sells from."""
    return f"gpu-{manager[:1].decode()}"


class Town:
    """A market in memory, unsigned, with as many agents as asked for."""

    def __init__(self, agents: int, rules: int = max(RULES)) -> None:
        self.shard = Shard(PARTITION, 4, OPERATOR, lambda _submission, _genesis: True)
        self.offset = 0
        self.at_ms = NOW_MS
        self.calls = 0
        self.won: list[bytes] = []
        """The bids that have won."""
        self._sequences: dict[bytes, int] = {}
        self.keys = [i.to_bytes(32, "big") for i in range(1, agents + 1)]
        self.send(c.OpenMarket(BANK, 4, rules, False), OPERATOR)
        managers = [
            self.send(c.OpenAccount(f"manager-{pool_of(key)}", "p", pool_of(key), key, bytes(32)), BANK)
            for key in MANAGERS
        ]
        for i, key in enumerate(self.keys):
            account = self.send(c.OpenAccount(f"agent-{i}", "p", "p", key, bytes(32)), BANK)
            self.send(c.IssueCredits(account, 10**12, ""), BANK)
        for manager, key in zip(managers, MANAGERS, strict=True):
            self.send(c.CreatePool(pool_of(key), manager, 1_000_000), BANK)

    def send(self, command: c.Command, key: bytes) -> bytes:
        """Judge a command and encode the answers."""
        self._sequences[key] = sequence = self._sequences.get(key, 0) + 1
        credentials = Credentials(key, bytes(16), sequence, bytes(64))
        submission = Submission(self.offset, self.at_ms, NAME, command, None, credentials, b"", bytes(32))
        self.offset += 1
        entries = self.shard.apply(submission)
        for entry in entries:
            encode(entry)
            if isinstance(entry.event, e.AwardMade):
                self.won.append(entry.event.award)
        if entries:
            values_of(told(self.shard, NAME, entries))
        return submission.command_id

    def call(self, open_ms: int) -> bytes:
        """The managers call for proposals in turn."""
        self.calls += 1
        key = MANAGERS[self.calls % len(MANAGERS)]
        terms = c.CallForProposals(Direction.SELL, pool_of(key), 1, 500, 1, open_ms, 10, Pricing.SECOND)
        return self.send(terms, key)

    def bid(self, cfp: bytes, key: bytes, price_ucr: int) -> None:
        """An agent bids."""
        self.send(c.PlaceBid(cfp, price_ucr, 0, "t", bytes(32), None), key)


def us_per_award(agents: int, open_cfps: int, auctions: int = 1_500, rules: int = max(RULES)) -> float:
    """Microseconds of CPU time an award costs: its CFP, five bids and the settlement."""
    town = Town(agents, rules)
    rng = random.Random(1)
    for _ in range(open_cfps):
        town.call(open_ms=24 * 3600 * 1000)
        town.at_ms += 1
    assert sum(account.open_cfps for account in town.shard.markets[NAME].accounts.values()) == open_cfps
    town.won.clear()
    started = time.process_time()
    for _ in range(auctions):
        cfp = town.call(open_ms=100)
        for key in rng.sample(town.keys, 5):
            town.bid(cfp, key, rng.randrange(10, 10**6))
        town.at_ms += STEP_MS
    return (time.process_time() - started) / len(town.won) * 1e6


def kib_of_memory(agents: int, open_cfps: int) -> tuple[float, float]:
    """KiB of Python objects that an agent with an account and credits takes, and an open CFP with five bids."""
    tracemalloc.start()
    Town(10)
    empty = tracemalloc.get_traced_memory()[0]
    town = Town(agents)
    settled = tracemalloc.get_traced_memory()[0]
    rng = random.Random(1)
    for _ in range(open_cfps):
        cfp = town.call(open_ms=24 * 3600 * 1000)
        for key in rng.sample(town.keys, 5):
            town.bid(cfp, key, rng.randrange(10, 10**6))
        town.at_ms += 1
    full = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (settled - empty) / agents / 1024, (full - settled) / open_cfps / 1024
