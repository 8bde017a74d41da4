"""What people get wrong: the market answers with a code, or the SDK refuses before anything is sent."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Claim, Code, Priority, credits
from contractnet.errors import CommandUnsendableError, RejectedError
from contractnet.messages.commands import PlaceBid
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker

MAX = 2**63 - 1


async def code_of_bid(stage: Stage, price_ucr: int, task: str = "") -> Code:
    """The code that a bid on a fresh CFP is rejected with. A plain command: `bid` itself refuses a low price."""
    cfp = await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=5)
    bidder = stage.bidders[0]
    command = PlaceBid(cfp=cfp.id, price_ucr=price_ucr, start_delay_ms=0, task=task, pass_hash=bytes(32), claim=None)
    with pytest.raises(RejectedError) as caught:
        await bidder.submit(bidder.prepare(command))
    return caught.value.code


async def code_of_name(stage: Stage, name: str, project: str = "p") -> Code:
    """The code that a new account is rejected with."""
    with pytest.raises(RejectedError) as caught:
        await stage.bank.enroll(name, project)
    return caught.value.code


def test_amounts_and_names_outside_their_limits_have_a_code(referee: Broker) -> None:
    """0, negative, the largest integer; names with NUL, right-to-left override, 10 KB, empty; a task of 10 KB."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            for price_ucr in (0, -1, -MAX - 1, MAX):
                assert await code_of_bid(stage, price_ucr) is Code.BAD_AMOUNT
            assert await code_of_bid(stage, credits(100) + 1) is Code.INSUFFICIENT_CREDIT
            assert await code_of_bid(stage, 1, task="x" * 10_000) is Code.BAD_NAME
            for name in ("a\0b", "a\u202eb", "x" * 10_000, "", "e\u0301"):
                assert await code_of_name(stage, name) is Code.BAD_NAME
                assert await code_of_name(stage, "fine", name or "\n") is Code.BAD_NAME

    asyncio.run(play())


def test_a_hundred_bids_at_the_limit_never_hold_more_than_there_is(referee: Broker) -> None:
    """100 bids at once, of 2 credits each, by an account of 100 credits: 50 stand and 50 lack credit."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1, units=1) as stage:
            (alice,) = stage.bidders
            offers = [stage.manager.call_for_proposals(POOL, duration_s=0.1, open_s=10) for _ in range(100)]
            cfps = await asyncio.gather(*offers)
            answers = await asyncio.gather(*(alice.bid(cfp, credits(2)) for cfp in cfps), return_exceptions=True)
            codes = [answer.code for answer in answers if isinstance(answer, RejectedError)]
            assert codes == [Code.INSUFFICIENT_CREDIT] * 50

    asyncio.run(play())


def test_a_payload_of_a_megabyte_is_answered_and_a_larger_one_is_not_sent(referee: Broker) -> None:
    """1 MB reaches the market, which answers UNREADABLE; 3 MB no broker stores."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            account = stage.bidders[0].credential
            with pytest.raises(RejectedError) as caught:
                await stage.bank.issue(account, 1, memo="x" * 1_000_000)
            assert caught.value.code is Code.UNREADABLE
            with pytest.raises(CommandUnsendableError, match="3000"):
                await stage.bank.issue(account, 1, memo="x" * 3_000_000)
            await stage.bank.issue(account, 1)

    asyncio.run(play())


def test_a_price_below_the_reserve_is_not_sent(referee: Broker) -> None:
    """`bid(cfp, 5)`, meant as 5 credits: both numbers and `credits()` are named, the right bid is still possible."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=0.5, reserve_ucr=credits(1))
            for known in (cfp, cfp.id):
                with pytest.raises(CommandUnsendableError, match=r"price of 5 .* reserve of 1000000 .*credits\(\)"):
                    await alice.bid(known, 5)
            assert await (await alice.bid(cfp, credits(5))).outcome(10) is not None

    asyncio.run(play())


def test_what_has_no_exact_encoding_is_refused(referee: Broker) -> None:
    """A float (which would be cut), a truth value, 2^63, a lone surrogate, an id of the wrong size."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            bank, (alice,) = stage.bank, stage.bidders
            account = alice.credential
            for amount in (1.5, True, "1", None):
                with pytest.raises(CommandUnsendableError, match="whole number"):
                    await bank.issue(account, amount)  # type: ignore[arg-type]  # what is tested
            claim = Claim(Priority.HIGH, 1.5, 1)  # type: ignore[arg-type]  # what is tested
            with pytest.raises(CommandUnsendableError, match=r"Claim\.deadline_at_ms"):
                await alice.bid(bytes(16), 1, claim=claim)
            for price_ucr in (MAX + 1, -MAX - 2, 10**5000):
                with pytest.raises(CommandUnsendableError, match=rf"price_ucr .* to {MAX} \(64 bits\)"):
                    await alice.bid(bytes(16), price_ucr)
            for sending in (bank.issue(account, 1, "\ud800"), bank.issue(b"short", 1)):
                with pytest.raises(CommandUnsendableError, match="cannot be encoded"):
                    await sending

    asyncio.run(play())
