"""The kind `seals` in memory: two markets of the same members, and everything that is told of them."""

from __future__ import annotations

from contractnet.codec import decode_notice
from contractnet.messages.notices import SealedNotice
from contractnet.topics import NOTICES
from faults.hostile.judge import Verdict
from faults.hostile.seals import NAME, break_open, private_trade
from tests.hostile.life import Life
from tests.market.town import PARTITION


def live(seed: int, attempts: int) -> Verdict:
    """So many attempts at the boxes of both markets."""
    life, noted, start = Life(NAME, seed), Verdict(NAME), 0
    life.begin()
    life.neighbour.neighbour = life.ground
    while noted.attempts < attempts:
        for ground in (life.ground, life.neighbour):
            for shot in private_trade(ground):
                life.fire(shot)
            life.pass_time(ground.open_ms)
            told = life.log.committed(NOTICES.name, PARTITION, start)
            start = told[-1].offset + 1
            boxes = [
                n for s in told if s.key == ground.name.encode() and isinstance(n := _notice(s.value), SealedNotice)
            ]
            break_open(boxes, ground, noted)
    verdict = life.end()
    verdict.add(noted)
    return verdict


def _notice(value: bytes | None) -> object:
    assert value is not None
    return decode_notice(value)
