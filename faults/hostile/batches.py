"""Batches that no client library sends: header names, compressed and lying batches, bombs."""

from __future__ import annotations

from confluent_kafka import KafkaError

from contractnet.messages import commands as c
from contractnet.topics import COMMANDS
from faults.handmade import Codec, RawRecord, batch, bomb, gzipped, plain, record_bytes, send
from faults.hostile.ground import REPEATED, Ground, Shot, words
from faults.hostile.honest import negotiation
from faults.hostile.siege import Siege
from services.quotas import aiokafka_settings

NAME = "batches"
BOMB_BYTES = 1 << 23
TOO_LARGE, INVALID_RECORD = KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD
CONTROL = 0x20
"""Attribute of a batch that only a broker may write."""


def attack(siege: Siege, attempts: int) -> None:
    """Stored and answered, or refused by the broker."""
    made = 0
    while made < attempts:
        offers = _volley(siege.ground)
        made += sum(len(expected) for _, expected in offers)
        siege.fire(negotiation(siege.ground))
        siege.flush()
        answers = send(
            siege.arena.world.broker.bootstrap,
            COMMANDS.name,
            siege.ground.partition,
            [made for made, _ in offers],
            aiokafka_settings(siege.access),
        )
        for (_, expected), (error, offset) in zip(offers, answers, strict=True):
            for n, outcome in enumerate(expected):
                word = f"REFUSED_{error}"
                if error and word in outcome:
                    siege.refused.note(NAME, word, word)
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
