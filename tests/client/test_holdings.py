"""What a wallet holds, by itself, and that a report is sent until the market has answered it."""

from __future__ import annotations

import asyncio

from contractnet.client.grants import Grant
from contractnet.client.holdings import Holdings
from contractnet.client.usage import Reporter
from contractnet.envelope import Sealed
from contractnet.errors import OutcomeTimeoutError
from tests.client.token_market import POOL, TokenMarket


def grant(number: int, tokens: int, ends_ms: int) -> Grant:
    return Grant(number.to_bytes(16, "big"), POOL, bytes(16), tokens, 0, ends_ms, False, 0)


def test_a_grant_that_is_told_later_may_end_earlier() -> None:
    """It is spent first, and what is over is over, whatever came before it."""
    held = Holdings()
    late, early = grant(1, 100, 2_000), grant(2, 50, 1_000)
    held.add(late, 0)
    held.add(early, 0)
    parts = held.set_aside(60, 0)
    assert parts is not None
    assert [(part.grant, part.tokens) for part in parts] == [(early.id, 50), (late.id, 10)]
    held.give_back(parts, 0)
    assert (held.free(1_000), held.expired) == (100, 50)


class Silent(TokenMarket):
    """Whose first answers to a report, and to its repetition, are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sealed] = []

    async def report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> Sealed | None:
        self.sent.append(Sealed("market", grant, b"report", []))
        return self.sent[-1]

    async def report_again(self, sealed: Sealed) -> None:
        self.sent.append(sealed)
        if len(self.sent) == 2:
            raise OutcomeTimeoutError("no answer", sealed.command_id, sealed)


def test_a_report_without_an_answer_is_sent_again() -> None:
    """The same command, which counts once, until an answer comes; then no more."""

    async def script() -> list[Sealed]:
        market, held = Silent(), Holdings()
        held.note_calls(bytes(16), "chat", 1, 0)
        reporter = Reporter(market, held, 60.0)
        for _ in range(4):
            await reporter.flush()
        return market.sent

    first, *again = asyncio.run(script())
    assert again == [first, first]


class Slow(TokenMarket):
    """Which takes its time for each report, and notes the calls that it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0
        self.asked = asyncio.Event()

    async def report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> Sealed | None:
        self.asked.set()
        await asyncio.sleep(0.05)
        self.told += calls
        return None


def test_what_is_used_while_the_last_report_is_under_way_is_reported() -> None:
    """A wallet that is closed in the middle of a report reports once more."""

    async def script() -> int:
        market, held = Slow(), Holdings()
        reporter = Reporter(market, held, 60.0)
        running = asyncio.create_task(reporter.run())
        held.note_calls(bytes(16), "chat", 1, 1)
        reporter.hurry()
        await market.asked.wait()
        held.note_calls(bytes(16), "chat", 2, 0)
        reporter.stop()
        await running
        return market.told

    assert asyncio.run(script()) == 3
