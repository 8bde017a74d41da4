"""A whole market in memory, for tests: real keys, real signatures, real bytes, no Kafka.

Every record goes through `Shard.apply`; its entries are encoded, decoded and folded by a second shard, and after every
record the invariants hold and both shards have the same state, derived parts included.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

from contractnet import codec
from contractnet.chain import chain
from contractnet.envelope import Headers, is_proven, open_record
from contractnet.messages import Awarder, Code, Command, Direction, Entry, Event, Pricing, Submission
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import NO_GENESIS, KeyPair, signed_bytes
from market import Shard
from market.capacity import Timeline
from market.invariants import violations
from market.rules import RULES
from market.snapshot import dump, load
from market.state import State

NAME, PARTITION, PARTITIONS = "default", 3, 4
START_MS = 1_800_000_000_000
UNKNOWN_ID = b"\xee" * 16
INBOX_KEY = bytes(32)
GROUP = b"\xaa" * 16

E = TypeVar("E", bound=Event)
Record = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""


def key_pair(label: str) -> KeyPair:
    """The same key pair for the same label, on every run."""
    return KeyPair.from_seed(hashlib.sha256(label.encode()).digest())


def inbox_key(name: str) -> bytes:
    """The same inbox key for the same name, on every run."""
    return hashlib.sha256(b"inbox of " + name.encode()).digest()


OPERATOR, BANK, MANAGER, ANN = map(key_pair, ("operator", "bank", "manager", "ann"))


def as_plain(value: Any, *, past: bool = True) -> Any:
    """A state as nested builtins and immutable parts, derived parts included, so that two of them can be compared.

    Without `past`, what a snapshot need not restore is left out: steps of a timeline, and things in the agenda that
    ended early.
    """
    kind: Any = type(value)
    if kind in LEAVES:
        return value
    if kind is dict:
        return [(key, item if type(item) in LEAVES else as_plain(item, past=past)) for key, item in value.items()]
    if kind is list:
        return [as_plain(item, past=past) for item in value]
    if kind is Timeline:
        return [value.times, value.used] if past else None
    names = names_of(kind)
    if not names:
        return value
    plain = {name: as_plain(getattr(value, name), past=past) for name in names}
    if kind is State and not past:
        plain["agenda"] = sorted(filter(value.is_pending, value.agenda))
        # Looked up only: a restored market has them CFP by CFP, or by the last change, a live one in order of arrival.
        for name in ("bids", "token_orders", "token_grants", "root_weights"):
            plain[name] = sorted(plain[name], key=lambda item: item[0])
    return plain


LEAVES = {int, bytes, str, bool, tuple, type(None)}


@cache
def names_of(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass that can change; of anything else none."""
    if not is_dataclass(kind) or kind.__dataclass_params__.frozen:  # type: ignore[union-attr]
        return ()
    return tuple(f.name for f in fields(kind))


def outcome_of(event: Event) -> Code | None:
    """The outcome that an event gives its command, if it is one that does."""
    if isinstance(event, e.CommandAccepted):
        return Code.ACCEPTED
    if isinstance(event, e.CommandRejected | e.CommandRepeated):
        return event.code
    return Code.UNREADABLE if isinstance(event, e.CommandUnreadable) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the market said to one record."""

    submission: Submission
    entries: list[Entry]

    @property
    def id(self) -> bytes:
        """The command's id."""
        return self.submission.command_id

    @property
    def events(self) -> list[Event]:
        """The events in order."""
        return [entry.event for entry in self.entries]

    @property
    def code(self) -> Code:
        """The outcome; exactly one event gives it."""
        (code,) = [code for code in map(outcome_of, self.events) if code is not None]
        return code

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Town:
    """A market, its clock and its records. `at_ms` is the broker's clock: move it, then send."""

    def __init__(
        self,
        *,
        market: str = NAME,
        partition: int = PARTITION,
        open_market: bool = True,
        rules: int = max(RULES),
    ) -> None:
        self.market = market
        self.rules = rules
        self.shard = Shard(partition, PARTITIONS, OPERATOR.public, is_proven)
        self.twin = Shard(partition, PARTITIONS, OPERATOR.public, is_proven)
        self.at_ms = START_MS
        self.offset = 0
        self.sequences: dict[bytes, int] = {}
        self.salts = 0
        self.records: list[Record] = []
        self.answers: list[Answer] = []
        self.heads: list[bytes] = []
        self.checked_every = 1
        """One record in so many is followed by a look at the whole state, which in a long life costs the most."""
        if open_market:
            self.genesis()

    @property
    def state(self) -> State:
        """The market's state."""
        return self.shard.markets[self.market]

    @property
    def genesis_hash(self) -> bytes:
        """What signatures in this market cover."""
        return self.state.genesis_hash if self.market in self.shard.markets else NO_GENESIS

    def genesis(self, *, signed: bool = True) -> Answer:
        """Open the market."""
        return self.send(c.OpenMarket(BANK.public, PARTITIONS, self.rules, signed), OPERATOR)

    def next_sequence(self, keys: KeyPair) -> int:
        """The sequence after the last one of a key."""
        self.sequences[keys.public] = self.sequences.get(keys.public, 0) + 1
        return self.sequences[keys.public]

    def seal(
        self, command: Command, keys: KeyPair, *, sequence: int | None = None, genesis: bytes | None = None
    ) -> Record:
        """A signed record, not yet sent."""
        if genesis is None:
            genesis = NO_GENESIS if isinstance(command, c.OpenMarket) else self.genesis_hash
        sequence = self.next_sequence(keys) if sequence is None else sequence
        return self.seal_bytes(codec.encode(command), keys, sequence, genesis)

    def seal_bytes(self, value: bytes, keys: KeyPair, sequence: int, genesis: bytes | None = None) -> Record:
        """Any bytes with a signature; without `genesis`, a right one."""
        self.salts += 1
        salt = struct.pack(">QQ", 0, self.salts)
        genesis = self.genesis_hash if genesis is None else genesis
        signature = keys.sign(signed_bytes(genesis, self.market, keys.public, salt, sequence, value))
        proof = [("key", keys.public), ("salt", salt), ("seq", struct.pack(">q", sequence)), ("sig", signature)]
        return self.market.encode(), value, proof

    def send(self, command: Command, keys: KeyPair, *, sequence: int | None = None) -> Answer:
        """Sign a command and have it judged."""
        return self.post(*self.seal(command, keys, sequence=sequence))

    def tick(self) -> Answer:
        """Send the clock's command."""
        return self.post(self.market.encode(), codec.encode(c.Tick()), [])

    def post(self, key: bytes | None, value: bytes | None, headers: Headers) -> Answer:
        """Have a record judged, whatever is in it."""
        submission = open_record(self.offset, self.at_ms, key, value, headers)
        self.offset += 1
        self.records.append((key, value, headers))
        entries = self.shard.apply(submission)
        for shard in (self.shard, self.twin):
            for entry in entries:
                stored = codec.encode(entry)
                if shard is self.twin:
                    assert codec.decode_entry(stored) == entry
                    shard.fold(submission.market or "", codec.decode_entry(stored))
                place = (shard.partition, entry.source.offset, entry.source.index)
                shard.head = chain(shard.head, *place, submission.digest, stored)
        if self.offset % self.checked_every == 0:
            self.check()
        self.answers.append(Answer(submission, entries))
        self.heads.append(self.shard.head)
        return self.answers[-1]

    def check(self) -> None:
        """The invariants hold, the fold alone gives the same state, and so does a snapshot of it."""
        for state in self.shard.markets.values():
            assert violations(state) == []
            self.check_capacity(state)
        assert as_plain(self.shard.markets) == as_plain(self.twin.markets)
        # A snapshot costs as much as all the rest: every fourth record has one.
        if self.offset % (4 * self.checked_every) == 0:
            self.check_snapshot(self.canonical())

    def check_snapshot(self, canonical: bytes) -> None:
        """The canonical bytes are those of the fold, and a shard restored from them has the same state."""
        assert canonical == dump(self.twin)
        restored = self.restored(canonical)
        assert canonical == dump(restored)
        assert as_plain(restored.markets, past=False) == as_plain(self.shard.markets, past=False)
        for state in restored.markets.values():
            self.check_capacity(state)

    def check_capacity(self, state: State) -> None:
        """From now on, each pool's timeline says at every step what its leases use."""
        for pool in state.pools.values():
            leases = [lease for lease in state.leases.values() if lease.pool == pool.name]
            steps = {state.now_ms, *(x.starts_at_ms for x in leases), *(x.ends_at_ms for x in leases)}
            for at_ms in (step for step in steps if step >= state.now_ms):
                used = sum(x.units for x in leases if x.starts_at_ms <= at_ms < x.ends_at_ms)
                assert pool.timeline.peak(at_ms, at_ms + 1) == used

    def canonical(self) -> bytes:
        """The canonical bytes of the shard."""
        return dump(self.shard)

    def restored(self, canonical: bytes) -> Shard:
        """A shard that starts from a snapshot."""
        shard = Shard(self.shard.partition, PARTITIONS, OPERATOR.public, is_proven)
        load(shard, canonical)
        return shard

    def account(self, name: str, keys: KeyPair | None = None, credits_ucr: int = 0, root: str = "root") -> bytes:
        """Open an account with a key of its name, and give it credits; its id."""
        public = (keys or key_pair(name)).public
        answer = self.send(c.OpenAccount(name, "project", root, public, inbox_key(name)), BANK)
        assert answer.code is Code.ACCEPTED, answer
        if credits_ucr:
            assert self.send(c.IssueCredits(answer.id, credits_ucr, ""), BANK).code is Code.ACCEPTED
        return answer.id

    def pool(self, name: str, owner: bytes, units: int) -> None:
        """Create a pool."""
        assert self.send(c.CreatePool(name, owner, units), BANK).code is Code.ACCEPTED

    def cfp(self, keys: KeyPair = MANAGER, **changes: Any) -> bytes:
        """Open a CFP like `call()`; its id."""
        answer = self.send(call(**changes), keys)
        assert answer.code is Code.ACCEPTED, answer
        return answer.id

    def bid(self, cfp: bytes, name: str, price_ucr: int, start_delay_ms: int = 0) -> Answer:
        """Bid with the key of a name."""
        return self.send(bid(cfp, price_ucr, start_delay_ms), key_pair(name))

    def settle(self, cfp: bytes) -> list[e.AwardMade]:
        """Move the clock to a CFP's deadline and tick; its awards in rank order."""
        self.at_ms = self.state.cfps[cfp].closes_at_ms
        return [award for award in self.tick().of(e.AwardMade) if award.cfp == cfp]


def call(**changes: Any) -> c.CallForProposals:
    """A call for one slot of one unit of `gpu` for 1 s, open for 100 ms, reserve 10, second price; with `changes`."""
    usual: dict[str, Any] = {
        "direction": Direction.SELL,
        "pool": "gpu",
        "units": 1,
        "duration_ms": 1000,
        "slots": 1,
        "open_ms": 100,
        "reserve_price_ucr": 10,
        "pricing": Pricing.SECOND,
    }
    return c.CallForProposals(**(usual | changes))


def managed(**changes: Any) -> c.CallForProposals:
    """The same, first price, whose manager has a second to award it; with `changes`."""
    return call(**({"pricing": Pricing.FIRST, "award": Awarder.MANAGER, "decide_ms": 1000} | changes))


def bid(cfp: bytes, price_ucr: int, start_delay_ms: int = 0, task: str = "") -> c.PlaceBid:
    """A bid without a claim."""
    return c.PlaceBid(cfp, price_ucr, start_delay_ms, task, bytes(32), None)


def grouped(cfp: bytes, price_ucr: int, wins_max: int = 1, group: bytes = GROUP, start_delay_ms: int = 0) -> c.PlaceBid:
    """A bid of a group."""
    return c.PlaceBid(cfp, price_ucr, start_delay_ms, "", bytes(32), None, group, wins_max)


def budget(account: bytes | None = None, project: str = "", /, **changes: Any) -> c.SetBudget:
    """A budget with a limit of 100 in windows of a minute that start with the minute, and nothing else; with
    `changes`."""
    usual: dict[str, Any] = {
        "limit_ucr": 100,
        "allowance_ucr": 0,
        "window_ms": 60_000,
        "offset_ms": 0,
        "decay_permille": 0,
        "cap_allowances": 0,
        "warn_permille": 800,
    }
    return c.SetBudget(account, project, **(usual | changes))


def token_pool(
    name: str, owner: bytes, *, resize: bool = False, **changes: int
) -> c.CreateTokenPool | c.ResizeTokenPool:
    """A pool of 100 tokens a minute, burst 100, of which a fifth is reserved, cleared each second; with `changes`."""
    usual = {
        "tokens_per_minute": 100,
        "burst_tokens": 100,
        "reserve_permille": 200,
        "interval_ms": 1_000,
        "reserve_per_1000_ucr": 0,
        "grant_ms": 5_000,
    }
    terms = usual | changes
    return c.ResizeTokenPool(name, **terms) if resize else c.CreateTokenPool(name, owner, **terms)


def small_town(
    *agents: str, units: int = 1, credits_ucr: int = 10**9, rules: int = max(RULES), strangers: bool = False
) -> tuple[Town, dict[str, bytes]]:
    """A town with a manager who owns the pool `gpu`, and agents with credits, under one budget root or, as strangers,
    each under its own; the ids of all by name."""
    town = Town(rules=rules)
    ids = {"manager": town.account("manager", MANAGER)}
    town.pool("gpu", ids["manager"], units)
    for name in agents:
        ids[name] = town.account(name, credits_ucr=credits_ucr, root=f"root of {name}" if strangers else "root")
    return town, ids
