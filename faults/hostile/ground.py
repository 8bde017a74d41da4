"""A market under attack, as those inside and outside see it, and what they send to it."""

from __future__ import annotations

import hashlib
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import Producer

from contractnet.codec import encode
from contractnet.envelope import Headers, Sealed, seal
from contractnet.messages import Code, Command, Direction, Pricing
from contractnet.messages import commands as c
from contractnet.signing import NO_GENESIS, KeyPair
from faults.world import PARTITIONS, Market
from market.rules import RULES

ACCEPTED = str(Code.ACCEPTED)
REPEATED = "REPEATED"
"""A command that was answered before: it has no effect, whatever its first outcome was."""
CREDITS = 10**9
HONEST = 4
KEPT = 256
DAY_MS = 24 * 3600 * 1000

Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Shot:
    """One record and the outcomes that it may have. `hostile` shots are the attempts; the others prepare them.

    Shots of one `race` are sent at once, from two connections where there are connections; as many are accepted as
    `Ground.races` says of that number. 0: none.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    expected: Words
    hostile: bool = True
    race: int = 0


def words(*codes: Code | str) -> Words:
    """Outcomes by name."""
    return frozenset(map(str, codes))


@dataclass
class Ground(Market):
    """A market with honest members and an insider: `mallory` has an account and credits, `fence` a pool of its own.

    `neighbour` is another market of the same partition with the same members. All that is random comes from `rng`.
    """

    rng: random.Random = field(default_factory=random.Random)
    mallory: KeyPair = field(default_factory=KeyPair.generate)
    fence: KeyPair = field(default_factory=KeyPair.generate)
    neighbour: Ground | None = None
    history: deque[Sealed] = field(default_factory=lambda: deque(maxlen=KEPT))
    """What honest members have sent, as an eavesdropper on `commands` would have it."""
    results: list[bytes] = field(default_factory=list)
    """Values of other topics, as a reader of them would have them."""
    promised: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    """By call: the bid that has to win it, and the second best price."""
    open_ms: int = 100
    """How long honest calls take bids."""
    inbox_keys: dict[bytes, bytes] = field(default_factory=dict)
    """Of each member, by its public key."""
    races: dict[int, int] = field(default_factory=dict)
    """By race: how many of its shots have to be accepted."""
    clock_ms: Callable[[], int] = lambda: int(time.time() * 1000)
    """About the time of the market."""
    pass_ms: Callable[[int], None] = lambda ms: time.sleep(ms / 1000)
    """Let so much of it pass."""

    def pair(self) -> KeyPair:
        """A new key pair."""
        return KeyPair.from_seed(self.rng.randbytes(32))

    def sealed(
        self,
        command: Command,
        keys: KeyPair,
        *,
        sequence: int | None = None,
        market: str | None = None,
        genesis: bytes | None = None,
        salt: bytes | None = None,
    ) -> Sealed:
        """Sign a command, with the next sequence of the key unless told otherwise."""
        if sequence is None:
            self._sequences[keys.public] = sequence = self._sequences.get(keys.public, 0) + 1
        if genesis is None:
            genesis = NO_GENESIS if isinstance(command, c.OpenMarket) else self.genesis
        salt = self.rng.randbytes(16) if salt is None else salt
        return seal(command, market=market or self.name, genesis=genesis, keys=keys, sequence=sequence, salt=salt)

    def shot(self, command: Command, keys: KeyPair, *expected: Code | str, hostile: bool = True) -> Shot:
        """A command with a right signature."""
        return self.shot_of(self.sealed(command, keys), *expected, hostile=hostile)

    def shot_of(self, sealed: Sealed, *expected: Code | str, hostile: bool = True) -> Shot:
        """A sealed command, as it is."""
        return Shot(self.name.encode(), sealed.value, sealed.headers, words(*expected), hostile)

    def honest(self, command: Command, keys: KeyPair, *expected: Code | str) -> tuple[Shot, bytes]:
        """What an honest member sends, and its id. It is accepted, unless told otherwise."""
        sealed = self.sealed(command, keys)
        self.history.append(sealed)
        return self.shot_of(sealed, *(expected or (ACCEPTED,)), hostile=False), sealed.command_id

    def bytes_of(self, value: bytes, keys: KeyPair, *expected: Code | str) -> Shot:
        """Any bytes with a right signature."""
        from contractnet.signing import signed_bytes

        self._sequences[keys.public] = sequence = self._sequences.get(keys.public, 0) + 1
        salt = self.rng.randbytes(16)
        signature = keys.sign(signed_bytes(self.genesis, self.name, keys.public, salt, sequence, value))
        headers = [("key", keys.public), ("salt", salt), ("seq", sequence.to_bytes(8, "big", signed=True))]
        return Shot(self.name.encode(), value, [*headers, ("sig", signature)], words(*expected))

    def found(self) -> list[Shot]:
        """Open the market with all its members; in its order."""
        genesis = self.sealed(c.OpenMarket(self.bank.public, PARTITIONS, max(RULES), True), self.operator)
        self.genesis = hashlib.sha256(genesis.value).digest()
        self.accounts[self.bank.public] = genesis.command_id
        shots = [self.shot_of(genesis, ACCEPTED, hostile=False)]
        members = {"manager": self.manager, "mallory": self.mallory, "fence": self.fence}
        members |= {f"agent-{n}": keys for n, keys in enumerate(self.agents)}
        for name, keys in members.items():
            inbox_key = self.inbox_keys.setdefault(keys.public, self.rng.randbytes(32))
            shot, account = self.honest(c.OpenAccount(name, "project", name, keys.public, inbox_key), self.bank)
            self.accounts[keys.public] = account
            shots += [shot, self.honest(c.IssueCredits(account, CREDITS, "start"), self.bank)[0]]
        for pool, keys in (("gpu", self.manager), ("bait", self.fence)):
            shots.append(self.honest(c.CreatePool(pool, self.accounts[keys.public], 10_000), self.bank)[0])
        return shots

    def calling(self, pool: str, open_ms: int, reserve_ucr: int = 10) -> c.CallForProposals:
        """A call for one slot of one unit for half a second."""
        return c.CallForProposals(Direction.SELL, pool, 1, 500, 1, open_ms, reserve_ucr, Pricing.SECOND)


def new_ground(name: str, producer: Producer, operator: KeyPair, rng: random.Random) -> Ground:
    """A ground whose keys come from `rng`; nothing is sent yet."""
    pair: Callable[[], KeyPair] = lambda: KeyPair.from_seed(rng.randbytes(32))  # noqa: E731  (used once a line)
    agents = [pair() for _ in range(HONEST)]
    return Ground(
        name, producer, operator, bank=pair(), manager=pair(), agents=agents, rng=rng, mallory=pair(), fence=pair()
    )


def with_neighbour(ground: Ground, name: str) -> Ground:
    """A market beside `ground`, of the same members; returns it."""
    other = new_ground(name, ground.producer, ground.operator, ground.rng)
    other.agents, other.mallory, other.manager = ground.agents, ground.mallory, ground.manager
    other.inbox_keys = ground.inbox_keys
    ground.neighbour = other
    return other


def bid(cfp: bytes, price_ucr: int, task: str = "", delay_ms: int = 0) -> c.PlaceBid:
    """A bid without a claim."""
    return c.PlaceBid(cfp, price_ucr, delay_ms, task, bytes(32), None)


def encoded(command: Command) -> bytes:
    """A command's value."""
    return encode(command)


class Adversary(Protocol):
    """One kind of attack. A volley is complete in itself: what it opens it closes again."""

    @property
    def name(self) -> str:
        """Name of the kind."""

    def volley(self, ground: Ground) -> list[Shot]:
        """The next records to send, in this order."""
