"""Every kind of adversary on the wire, each against a market of its own, while honest members trade in it."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message

from contractnet.codec import decode_entry
from contractnet.messages import Entry
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.partition import partition_of
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from faults.arena import Arena
from faults.handmade import Codec, RawRecord, batch, bomb, gzipped, plain, record_bytes, send
from faults.hostile.forgeries import CrossTopic
from faults.hostile.ground import REPEATED, Ground, Shot, new_ground, with_neighbour, words
from faults.hostile.honest import negotiation
from faults.hostile.judge import Verdict, judge
from faults.hostile.kinds import NAMES, adversary
from faults.records import stored
from faults.world import PARTITIONS, World
from streams.reading import read_partition

HONEST_EVERY = 25
OPEN_MS = 2_000
"""Long enough for bids that are sent right after their call, on a machine that does much else."""
ANSWERED_S = 180.0
BATCHES = "batches"
WORKERS = 2
BOMB_BYTES = 1 << 23
TOO_LARGE, INVALID_RECORD = KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD
CONTROL = 0x20
"""Attribute of a batch that only a broker may write."""


class Ledger:
    """What has been read of the ledger, by partition."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._entries: dict[int, list[Entry]] = {}
        self._next: dict[int, int] = {}

    def entries(self, partition: int) -> list[Entry]:
        """All entries up to now."""
        found = self._entries.setdefault(partition, [])
        start = self._next.get(partition, 0)
        for record in read_partition(self._world.broker.bootstrap, LEDGER.name, partition, start):
            found.append(decode_entry(record.value))
            self._next[partition] = record.offset + 1
        return found


class Siege:
    """One kind against one market: what was sent, by offset."""

    def __init__(self, arena: Arena, kind: str, ledger: Ledger) -> None:
        self.arena, self.kind, self.ledger = arena, kind, ledger
        world, rng = arena.world, arena.rng
        self.ground = new_ground(f"{kind} 0", world.producer, world.operator, rng)
        self.ground.open_ms = OPEN_MS
        names = (f"{kind} {n}" for n in range(1, 1000))
        self.neighbour = with_neighbour(self.ground, next(x for x in names if self.is_near(x)))
        self.shots: dict[int, Shot] = {}
        self.refused: dict[str, int] = {}

    def is_near(self, name: str) -> bool:
        """Whether a market of this name would be of the same partition."""
        return partition_of(name, PARTITIONS) == self.ground.partition

    def fire(self, shots: list[Shot]) -> None:
        """Send, and remember at which offsets they are stored."""
        for shot in shots:
            self.arena.world.producer.produce(
                COMMANDS.name,
                shot.value,
                key=shot.key,
                headers=list(shot.headers),
                partition=self.ground.partition,
                on_delivery=self._noting(shot),
            )
            self.arena.world.producer.poll(0)

    def _noting(self, shot: Shot) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None, f"the broker did not store an attempt: {error}"
            offset = message.offset()
            assert offset is not None
            self.shots[offset] = shot

        return note

    def flush(self) -> None:
        """Wait until all is stored."""
        assert self.arena.world.producer.flush(60) == 0

    def begin(self) -> None:
        """Open both markets, and trade once."""
        self.fire([*self.neighbour.found(), *self.ground.found(), *negotiation(self.ground)])

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
            entries = self.ledger.entries(self.ground.partition)
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
                self.fire(negotiation(self.ground))
        self.flush()

    def verdict(self) -> Verdict:
        """What the ledger says."""
        found = judge(self.kind, self.shots, self.wait(), self.ground)
        for code, count in self.refused.items():
            found.attempts += count
            found.codes[code] += count
        return found


def run(arena: Arena) -> None:
    """Each kind in turn, and then batches that no client library sends. No process of the market dies of any."""
    attempts = arena.plan.pick(25, 500)
    arena.start_market(WORKERS)
    ledger = Ledger(arena.world)
    sieges = [Siege(arena, kind, ledger) for kind in (*NAMES, BATCHES)]
    for siege in sieges:
        siege.begin()
    sieges[0].flush()
    for siege in sieges:
        siege.wait()
        if siege.kind == CrossTopic.name:
            siege.learn()
    for n, siege in enumerate(sieges):
        if siege.kind == BATCHES:
            _send_batches(siege, attempts)
        else:
            siege.attack(attempts)
        arena.demand_alive(siege.kind)
        arena.plan.progress(n + 1, len(sieges), "kinds have attacked")
    verdicts = [_told(arena, siege.verdict()) for siege in sieges]
    counts = {name: sum(int(getattr(v, name)) for v in verdicts) for name in ("attempts", "accepted", "honest_lost")}
    told = " ".join(f"{name}={count}" for name, count in counts.items())
    arena.plan.say(f"hostile: kinds={len(verdicts)} {told} least_per_kind={min(v.attempts for v in verdicts)}")


def _told(arena: Arena, verdict: Verdict) -> Verdict:
    arena.plan.say(f"  {verdict.line()}")
    arena.tally.other[f"hostile_{verdict.kind}"] += verdict.attempts
    if not verdict.sound:
        arena.tally.problems.append(f"{verdict.line()} | {verdict.wrong}")
    return verdict


def _send_batches(siege: Siege, attempts: int) -> None:
    """Header names that no client reads, compressed and lying batches, bombs: stored and answered, or refused."""
    made = 0
    while made < attempts:
        offers = _volley(siege.ground)
        made += sum(len(expected) for _, expected in offers)
        siege.fire(negotiation(siege.ground))
        siege.flush()
        answers = send(
            siege.arena.world.broker.bootstrap, COMMANDS.name, siege.ground.partition, [made for made, _ in offers]
        )
        for (_, expected), (error, offset) in zip(offers, answers, strict=True):
            for n, outcome in enumerate(expected):
                word = f"REFUSED_{error}"
                if error and word in outcome:
                    siege.refused[word] = siege.refused.get(word, 0) + 1
                else:
                    # Stored although it should have been refused: no outcome of the ledger is the expected one.
                    siege.shots[offset + n if not error else -1] = Shot(None, None, [], outcome)


def _volley(ground: Ground) -> list[tuple[bytes, list[frozenset[str]]]]:
    """Batches, and for each of their records what may come of it."""
    rng, key = ground.rng, ground.name.encode()
    own = [ground.sealed(c.WithdrawBid(rng.randbytes(16)), ground.mallory) for _ in range(4)]
    headers = [[(name.encode(), value) for name, value in sealed.headers] for sealed in own]
    unread, unsigned, unknown = words("UNREADABLE"), words("MISSING_SIGNATURE"), words("UNKNOWN_BID")
    named = [
        RawRecord(key, own[0].value, (*headers[0], (rng.choice((b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80")), b"x"))),
        RawRecord(key, own[1].value, tuple((name + b"\0" + rng.randbytes(4), value) for name, value in headers[1])),
        RawRecord(key, own[2].value, (*headers[2], (b"sig\0again", b""))),
        RawRecord(key, own[3].value, ((b"", b""), *headers[3])),
        RawRecord(key, b"", ((b"\x1b[2J", b"\0"),)),
        RawRecord(key, rng.randbytes(50)),
    ]
    history = rng.choice(ground.history)
    replay = RawRecord(key, history.value, tuple((name.encode(), value) for name, value in history.headers))
    one = record_bytes(RawRecord(key, b"x"), 0)
    too_large = words(f"REFUSED_{TOO_LARGE}")
    # A batch that is none is refused by one of several names.
    invalid = words(*(f"REFUSED_{code}" for code in (INVALID_RECORD, KafkaError.INVALID_MSG, KafkaError.UNKNOWN)))
    control = bytearray(batch(one, 1))
    control[22] |= CONTROL
    # The checksum is not right any more, which is as good a reason to refuse it.
    return [
        (plain(named), [unsigned, unknown, unsigned, unsigned, unread, unread]),
        (gzipped([replay, RawRecord(key, b"packed")]), [words(REPEATED, "STALE_SEQUENCE"), unread]),
        (bomb(key, BOMB_BYTES), [too_large]),
        (batch(one, 2), [invalid]),
        (batch(b"\xff" * 40, 1), [invalid]),
        (batch(b"\x1f\x8b" + rng.randbytes(60), 1, Codec.GZIP), [invalid]),
        (bytes(control), [invalid]),
    ]
