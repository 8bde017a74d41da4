"""One kind of adversary against one market on a broker: who sends what with which credentials, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from threading import Barrier

from confluent_kafka import KafkaError, Message, Producer

from contractnet.access import Access, load_access, role_file
from contractnet.codec import decode_entry
from contractnet.messages import Entry
from contractnet.messages import events as e
from contractnet.messages.partition import partition_of
from contractnet.principals import Principals
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from faults.arena import Arena
from faults.hostile.ground import HONEST, Shot, new_ground, with_neighbour, words
from faults.hostile.honest import negotiation
from faults.hostile.judge import Verdict, judge
from faults.hostile.kinds import TRADING, adversary
from faults.records import stored
from faults.world import PARTITIONS, World, new_producer
from streams.reading import read_partition

HONEST_EVERY = 25
OPEN_MS = 2_000
"""Long enough for bids that are sent right after their call, on a machine that does much else."""
ANSWERED_S = 180.0


class Field:
    """What all sieges share: the ledger as far as it has been read, and who has which Kafka user.

    Each honest member has an agent's user of its own, which serves it in all markets; so has each kind of adversary.
    The banks send as the operator.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.principals = Principals(world.broker.bootstrap, load_access(role_file(world.data, "operator")))
        self.honest = [self.producer(access) for access in self.principals.new_agents(HONEST + 1)]
        self._entries: dict[int, list[Entry]] = {}
        self._next: dict[int, int] = {}

    def producer(self, access: Access) -> Producer:
        """A producer of an agent."""
        return new_producer(self.world.broker.bootstrap, access)

    def entries(self, partition: int) -> list[Entry]:
        """All entries of a partition of the ledger up to now."""
        found = self._entries.setdefault(partition, [])
        start = self._next.get(partition, 0)
        for record in read_partition(self.world.broker.bootstrap, LEDGER.name, partition, start):
            found.append(decode_entry(record.value))
            self._next[partition] = record.offset + 1
        return found


class Siege:
    """One kind against one market: what was sent, by offset, and what the broker refused at once.

    The attempts, and what prepares them, come from `attacker`; what honest members send from their own clients. Records
    are stored in the order in which they were given, also where their senders change.
    """

    def __init__(self, arena: Arena, kind: str, field: Field) -> None:
        self.arena, self.kind, self.field = arena, kind, field
        world, rng = arena.world, arena.rng
        self.ground = new_ground(f"{kind} 0", world.producer, world.operator, rng)
        self.ground.open_ms = OPEN_MS
        names = (f"{kind} {n}" for n in range(1, 1000))
        self.neighbour = with_neighbour(self.ground, next(x for x in names if self.is_near(x)))
        (self.access,) = field.principals.new_agents(1)
        self.attacker = field.producer(self.access)
        banks = (world.operator, self.ground.bank, self.neighbour.bank)
        members = (*self.ground.agents, self.ground.manager)
        self._clients = {keys.public: world.producer for keys in banks}
        self._clients |= {keys.public: client for keys, client in zip(members, field.honest, strict=True)}
        self._last = world.producer
        self.shots: dict[int, Shot] = {}
        self.refused = Verdict(kind)
        """What no ledger tells of."""
        self._rival: Producer | None = None
        """A second connection of the attacker's user."""

    def is_near(self, name: str) -> bool:
        """Whether a market of this name would be of the same partition."""
        return partition_of(name, PARTITIONS) == self.ground.partition

    def fire(self, shots: Iterable[Shot]) -> None:
        """Send, and remember at which offsets they are stored."""
        for race, together in groupby(shots, lambda shot: shot.race):
            if race:
                self._race(list(together))
                continue
            for shot in together:
                client = self._client_of(shot)
                if client is not self._last:
                    self.flush()
                    self._last = client
                self._send(client, shot)

    def _send(self, client: Producer, shot: Shot) -> None:
        client.produce(
            COMMANDS.name,
            shot.value,
            key=shot.key,
            headers=list(shot.headers),
            partition=self.ground.partition,
            on_delivery=self.noting(shot),
        )
        client.poll(0)

    def _race(self, shots: list[Shot]) -> None:
        """Send from two connections at once, each key's shots from one of them. All before is stored by then."""
        if self._rival is None:
            self._rival = self.field.producer(self.access)
        self.flush()
        first = dict(shots[0].headers)["key"]
        begin = Barrier(2)

        def run(client: Producer, own: list[Shot]) -> None:
            begin.wait()
            for shot in own:
                self._send(client, shot)
            assert client.flush(60) == 0

        parts = (
            [s for s in shots if dict(s.headers)["key"] == first],
            [s for s in shots if dict(s.headers)["key"] != first],
        )
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(run, *each) for each in zip((self.attacker, self._rival), parts, strict=True)]:
                done.result()

    def _client_of(self, shot: Shot) -> Producer:
        if shot.hostile:
            return self.attacker
        return self._clients.get(dict(shot.headers)["key"], self.attacker)

    def noting(self, shot: Shot) -> Callable[[KafkaError | None, Message], None]:
        """A delivery report that remembers the shot by its offset."""

        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None, f"the broker did not store an attempt: {error}"
            offset = message.offset()
            assert offset is not None
            self.shots[offset] = shot

        return note

    def flush(self) -> None:
        """Wait until all is stored."""
        assert self._last.flush(60) == 0

    def begin(self) -> None:
        """Open both markets, and trade once."""
        self.fire([*self.neighbour.found(), *self.ground.found(), *negotiation(self.ground)])
        self.flush()

    def learn(self) -> None:
        """Look at what other topics hold by now."""
        for topic in (LEDGER.name, NOTICES.name, SNAPSHOTS.name):
            found = stored(self.arena.world.broker.bootstrap, self.ground.partition, topic)
            self.ground.results += [r.value for r in found[-200:] if r.value]

    def wait(self) -> list[Entry]:
        """Wait until everything has its outcome and every honest call has ended; the partition's ledger."""
        last = max(offset for offset, shot in self.shots.items() if shot.expected != words(""))
        give_up_at = time.monotonic() + ANSWERED_S
        while True:
            entries = self.field.entries(self.ground.partition)
            ended = {x.event.cfp for x in entries if isinstance(x.event, e.CfpClosed)}
            answered = bool(entries) and entries[-1].source.offset >= last
            if (answered and set(self.ground.promised) <= ended) or time.monotonic() > give_up_at:
                return entries
            time.sleep(0.5)

    def attack(self, attempts: int) -> None:
        """Volley after volley, with honest trade in between."""
        attacker, made, calm = adversary(self.kind), 0, 0
        while made < attempts:
            shots = attacker.volley(self.ground)
            count = sum(shot.hostile for shot in shots)
            made, calm = made + count, calm + count
            self.fire(shots)
            if calm >= HONEST_EVERY:
                calm = 0
                self.fire(() if self.kind in TRADING else negotiation(self.ground))
        self.flush()

    def verdict(self) -> Verdict:
        """What the ledger says, and what the broker said at once."""
        found = judge(self.kind, self.shots, self.wait(), self.ground)
        found.add(self.refused)
        return found
