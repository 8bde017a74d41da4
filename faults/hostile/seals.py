"""The kind `seals`: what a reader of `notices` can try on the sealed ones of others, and these in other places.

Its attempts are boxes that must not open, not records: an agent may read every notice that there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from contractnet.access import client_settings
from contractnet.codec import decode_notice
from contractnet.errors import UnsealableError
from contractnet.messages import commands as c
from contractnet.messages.notices import SealedNotice
from contractnet.sealing import nonce_of, open_notice, tag_of
from contractnet.topics import NOTICES
from faults.hostile.attempts import Door
from faults.hostile.ground import Ground, Shot, bid
from faults.hostile.honest import negotiation
from faults.hostile.judge import Verdict
from faults.hostile.rights import NAMED
from faults.hostile.rounds import managed
from faults.hostile.siege import Siege
from streams.reading import new_consumer

NAME = "seals"
UNSEALABLE = "UNSEALABLE"


@dataclass(frozen=True, slots=True)
class Trial:
    """A box, and how somebody would open it."""

    what: str
    sealed: SealedNotice
    inbox_key: bytes
    genesis: bytes
    market: str


def private_trade(ground: Ground) -> list[Shot]:
    """Honest trade of which most is told under seal: balances, invitations, the bids that a manager may see."""
    invited = tuple(ground.accounts[keys.public] for keys in ground.agents)
    closed, cfp = ground.honest(replace(ground.calling("gpu", ground.open_ms), invited=invited), ground.manager)
    chosen, choice = ground.honest(managed(ground, "gpu", ground.open_ms), ground.manager)
    bids = [ground.honest(bid(x, 20 + n), keys)[0] for x in (cfp, choice) for n, keys in enumerate(ground.agents)]
    gift = c.IssueCredits(ground.accounts[ground.mallory.public], 1, "gift")
    return [closed, chosen, *bids, ground.honest(gift, ground.bank)[0], *negotiation(ground)]


def break_open(notices: Iterable[SealedNotice], ground: Ground, verdict: Verdict) -> None:
    """Try everything on each of a market's notices; and that who it is for can open it."""
    own = None
    for sealed in notices:
        keys = [k for k, inbox_key in ground.inbox_keys.items() if tag_of(inbox_key, sealed.nonce) == sealed.tag]
        reader = keys[0] if keys else None
        if reader is not None:
            verdict.honest += 1
            whose = _account_in(Trial("its own", sealed, ground.inbox_keys[reader], ground.genesis, ground.name))
            verdict.honest_lost += whose != ground.accounts[reader]
        if reader == ground.mallory.public:
            own = sealed
            continue
        for trial in (*_strange(sealed, reader, own, ground), *_moved(sealed, reader, ground)):
            verdict.note(trial.what, UNSEALABLE if _account_in(trial) is None else None, UNSEALABLE)


def _account_in(trial: Trial) -> bytes | None:
    """Whose the notice is, as it says itself; None where the box does not open."""
    try:
        notice = open_notice(trial.sealed, trial.inbox_key, trial.genesis, trial.market)
    except UnsealableError:
        return None
    return getattr(notice, "account", b"")


def _strange(sealed: SealedNotice, reader: bytes | None, own: SealedNotice | None, ground: Ground) -> Iterator[Trial]:
    """With keys that are not its reader's: the insider's, each other member's, and what anybody can think of."""
    here, mine = (ground.genesis, ground.name), ground.inbox_keys[ground.mallory.public]
    yield Trial("under a tag of mine", replace(sealed, tag=tag_of(mine, sealed.nonce)), mine, *here)
    if own is not None:
        yield Trial("in a notice of mine", replace(own, box=sealed.box), mine, *here)
    for public, inbox_key in ground.inbox_keys.items():
        if public != reader:
            yield Trial("with another member's key", sealed, inbox_key, *here)
    public = ground.mallory.public if reader is None else reader
    for guess in (bytes(32), b"\xff" * 32, ground.genesis, public, sealed.tag * 4, ground.rng.randbytes(32)):
        yield Trial("with a key that was guessed", sealed, guess, *here)


def _moved(sealed: SealedNotice, reader: bytes | None, ground: Ground) -> Iterator[Trial]:
    """With the very key, where the box does not belong: what whoever writes `notices` could tell a member."""
    other = ground.neighbour
    if reader is None or other is None:
        return
    key, rng = ground.inbox_keys[reader], ground.rng
    place = nonce_of(ground.partition, rng.randrange(2**40), rng.randrange(100))
    bent = bytearray(sealed.box)
    bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
    yield Trial("in another market", sealed, key, other.genesis, other.name)
    yield Trial("in another market of this name", sealed, key, other.genesis, ground.name)
    yield Trial(
        "at another place", SealedNotice(tag_of(key, place), place, sealed.box), key, ground.genesis, ground.name
    )
    yield Trial("bent", replace(sealed, box=bytes(bent)), key, ground.genesis, ground.name)
    cut = rng.randrange(len(sealed.box))
    yield Trial("cut", replace(sealed, box=sealed.box[:cut]), key, ground.genesis, ground.name)


def attack(siege: Siege, attempts: int) -> None:
    """On the wire: trade, and then read `notices` with an agent's credentials."""
    start = 0
    while siege.refused.attempts < attempts:
        siege.fire(private_trade(siege.ground))
        siege.flush()
        siege.wait()
        found, start = _heard(siege, start)
        break_open(found, siege.ground, siege.refused)


def _heard(siege: Siege, start: int) -> tuple[list[SealedNotice], int]:
    """The sealed notices of the siege's market from an offset on, and where to go on."""
    bootstrap, place = siege.arena.world.broker.bootstrap, siege.ground.partition
    # It is closed while it still looks for its group's coordinator, which librdkafka would tell of.
    quiet = {"group.id": NAMED, "log_level": 0, "error_cb": Door()}
    consumer = new_consumer(bootstrap, **client_settings(bootstrap, siege.access), **quiet)
    found: list[SealedNotice] = []
    try:
        consumer.assign([TopicPartition(NOTICES.name, place, start)])
        while True:
            for message in consumer.consume(5_000, 1.0):
                error, value, offset = message.error(), message.value(), message.offset()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return found, start
                    raise KafkaException(error)
                assert value is not None
                assert offset is not None
                start = offset + 1
                notice = decode_notice(value)
                if isinstance(notice, SealedNotice) and message.key() == siege.ground.name.encode():
                    found.append(notice)
    finally:
        consumer.close()
