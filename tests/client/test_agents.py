"""Agents, the bank and the operator against the market's rules on a real broker."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from broker.interface import Broker
from contractnet import Agent, CfpOutcome, Code, Connection, Operator, Pricing, credits, operator_credential
from contractnet.client.book import Subscription
from contractnet.client.cfp import Cfp
from contractnet.credentials import load
from contractnet.errors import (
    BrokerUnreachableError,
    ConnectionClosedError,
    CredentialError,
    MarketNotFoundError,
    OutcomeTimeoutError,
    RejectedError,
)
from tests.client.stage import POOL, Stage, new_market, staged

pytestmark = pytest.mark.broker


async def first(cfps: Subscription) -> Cfp:
    """The first CFP of an iterator."""
    async with asyncio.timeout(10):
        return await anext(cfps)


async def offer(stage: Stage, open_s: float = 0.4) -> Cfp:
    """A CFP of the manager for two units, with a reserve of 10."""
    return await stage.manager.call_for_proposals(POOL, 2, duration_s=30, open_s=open_s, reserve_ucr=10)


def cfp_has_ended(stage: Stage, cfp: Cfp) -> bool:
    """Whether the notices said so."""
    return cfp.id in stage.connection.book.settled


def critical(loser_ucr: int) -> tuple[int, int]:
    """What a winner pays against this bid, by who would win a tie."""
    return loser_ucr, loser_ucr + 1


def test_the_highest_bid_wins_and_pays_the_second_price(referee: Broker) -> None:
    """Two bids of 5 and 3 credits: the first gets the slot for 3, the second gets nothing, and everybody hears it."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            cfp = await offer(stage)
            seen = await first(alice.cfps(POOL))
            assert seen.id == cfp.id
            assert (seen.pool, seen.units, seen.duration_ms, seen.pricing) == (POOL, 2, 30_000, Pricing.SECOND)
            high = await alice.bid(seen, credits(5), task="train")
            low = await bob.bid(seen, credits(3))
            award, nothing = await asyncio.gather(high.outcome(10), low.outcome(10))
            assert nothing is None
            assert award is not None
            assert (award.id, award.pool, award.units) == (high.id, POOL, 2)
            assert award.price_ucr in critical(credits(3))
            assert award.ends_at_ms - award.starts_at_ms == 30_000
            assert award.token.partition == stage.connection.partition
            assert award.secret.hex() not in repr(award)
            settled = await cfp.outcome()
            assert settled.outcome is CfpOutcome.AWARDED
            assert [(w.bid, w.price_ucr) for w in settled.winners] == [(high.id, award.price_ucr)]
            (lease,) = stage.connection.leases
            assert lease.pass_hash == hashlib.sha256(award.secret).digest()
            await alice.release(award)
            assert stage.connection.leases == []

    asyncio.run(play())


def test_rejections_carry_the_markets_code(referee: Broker) -> None:
    """One's own CFP, too little credit, a second bid, an ended CFP, a name that is taken: each its own code."""

    async def code_of(sending: object) -> Code:
        with pytest.raises(RejectedError) as caught:
            await sending  # type: ignore[misc]  # any awaitable
        return caught.value.code

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, _ = stage.bidders
            cfp = await offer(stage, open_s=3)
            assert await code_of(stage.manager.bid(cfp, 100)) is Code.OWN_CFP
            assert await code_of(alice.bid(cfp, credits(101))) is Code.INSUFFICIENT_CREDIT
            assert await code_of(alice.bid(bytes(16), 100)) is Code.UNKNOWN_CFP
            assert await code_of(stage.enroll("bidder-0")) is Code.NAME_TAKEN
            await alice.bid(cfp, 100)
            with pytest.raises(RejectedError, match=r"ALREADY_BID: .* withdraw that one first"):
                await alice.bid(cfp, 200)
            await cfp.outcome(10)
            assert await code_of(alice.bid(cfp, 100)) is Code.CFP_CLOSED

    asyncio.run(play())


def test_a_bid_can_be_withdrawn_and_a_cfp_cancelled(referee: Broker) -> None:
    """A withdrawn bid wins nothing, which is known at once; nor does any bid on a cancelled CFP."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            cfp = await offer(stage, open_s=2)
            gone, stays = await alice.bid(cfp, 500), await bob.bid(cfp, 400)
            await gone.withdraw()
            assert await gone.outcome(0) is None
            assert not cfp_has_ended(stage, cfp)
            award = await stays.outcome(10)
            assert award is not None
            assert award.price_ucr == 10
            other = await offer(stage, open_s=60)
            bid = await alice.bid(other, 500)
            await stage.manager.cancel(other)
            assert (await other.outcome(10)).outcome is CfpOutcome.CANCELLED
            assert await bid.outcome(10) is None

    asyncio.run(play())


def test_a_prepared_command_is_submitted_twice_with_one_effect(referee: Broker) -> None:
    """After a crash an agent sends the same sealed bid again: one bid, and its award reaches the new handle."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            cfp = await offer(stage, open_s=1.5)
            sealed = alice.prepare_bid(cfp, 700)
            await alice.submit_bid(sealed)
            await bob.bid(cfp, 300)
            async with Agent.connect(alice.credential, referee.bootstrap) as restarted:
                bid = await restarted.submit_bid(sealed)
                assert bid.id == sealed.command_id
                award = await bid.outcome(10)
            assert award is not None
            assert award.price_ucr in critical(300)
            # And once more, when everything is over.
            async with Agent.connect(alice.credential, referee.bootstrap) as late:
                assert await (await late.submit_bid(sealed)).outcome(10) == award

    asyncio.run(play())


def test_a_late_joiner_sees_what_is_open(referee: Broker) -> None:
    """Who connects after the announcements gets pools and open CFPs, but none that ended or was cancelled."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            ended, cancelled, still = await offer(stage), await offer(stage, 60), await offer(stage, 60)
            await stage.manager.cancel(cancelled)
            await ended.outcome(10)
            for genesis in (stage.bank.credential.genesis, None):
                async with Connection.open(
                    referee.bootstrap, market=stage.connection.market, genesis=genesis
                ) as joiner:
                    assert joiner.genesis == stage.bank.credential.genesis
                    assert joiner.pools == {POOL: 4}
                    assert [cfp.id for cfp in joiner.open_cfps] == [still.id]
                    assert (await first(joiner.cfps())).id == still.id
                    assert await joiner.cfp_outcome(ended.id) == await ended.outcome()

    asyncio.run(play())


def test_iterators_see_every_announcement_once_and_end_with_the_agent(referee: Broker) -> None:
    """Iterators of all pools, of the pool and of another one; closing the agent ends its own, and leaves the rest."""

    async def collect(cfps: Subscription) -> list[bytes]:
        return [cfp.id async for cfp in cfps]

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            tasks = [asyncio.create_task(collect(cfps)) for cfps in (alice.cfps(), alice.cfps(POOL), alice.cfps("x"))]
            other = asyncio.create_task(collect(bob.cfps()))
            made = [(await offer(stage, 60)).id for _ in range(5)]
            await alice.close()
            assert await asyncio.gather(*tasks) == [made, made, []]
            assert not other.done()
        assert await other == made

    asyncio.run(play())


def test_keys_rotate_and_the_file_follows(referee: Broker, tmp_path: Path) -> None:
    """After a rotation the file holds the new key, the old one is refused, and old passes still derive."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            path = tmp_path / "agent.json"
            await stage.bank.enroll("carol", "project", path)
            before = load(path)
            assert before.account is not None
            await stage.bank.issue(before.account, credits(1))
            async with Agent.connect(path, referee.bootstrap) as carol:
                cfp = await offer(stage)
                bid = await carol.bid(cfp, 1000)
                await carol.rotate_key()
                award = await bid.outcome(10)
                assert award is not None
                await carol.release(award)
                assert carol.secret_of(bid.sealed) == award.secret
                assert load(path) == carol.credential
            assert load(path).keys != before.keys
            with pytest.raises(RejectedError) as caught:
                await stage.connection.agent(before).release(award)
            assert caught.value.code is Code.REVOKED_KEY

    asyncio.run(play())


@pytest.mark.parametrize("sent", [False, True])
def test_a_rotation_that_a_crash_interrupted_is_finished_at_the_next_start(
    referee: Broker, tmp_path: Path, sent: bool
) -> None:
    """Whether or not the market had accepted the pending key, the next connect ends with it."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=0) as stage:
            path = tmp_path / "agent.json"
            await stage.bank.enroll("dave", "project", path)
            async with Agent.connect(path, referee.bootstrap) as dave:
                with pytest.raises(OutcomeTimeoutError):
                    await dave.rotate_key(timeout_s=0)
                pending = load(path).pending
                assert pending is not None
                if sent:
                    await asyncio.sleep(0.5)
            async with Agent.connect(path, referee.bootstrap) as dave:
                assert dave.credential.keys.seed == pending.seed
                await dave.rotate_key()
            assert load(path).pending is None

    asyncio.run(play())


def test_no_answer_in_time_is_transient_and_a_repeat_is_safe(market_broker: Broker) -> None:
    """Without a referee nobody answers; the error says that the command may still take effect."""

    async def play() -> None:
        credential = operator_credential("nobody-answers")
        async with Operator.connect(credential, market_broker.bootstrap) as operator:
            sealed = operator.prepare_market(bytes(32))
            for _ in range(2):
                with pytest.raises(OutcomeTimeoutError, match="may still take effect") as caught:
                    await operator.submit(sealed, timeout_s=0)
                assert caught.value.transient

    asyncio.run(play())


def test_what_was_not_answered_in_time_can_be_sent_again(referee: Broker) -> None:
    """A CFP and a bid that got no answer: the error carries the sealed command, which counts once; a wait has none."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            with pytest.raises(OutcomeTimeoutError) as caught:
                await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=2, timeout_s=0)
            assert caught.value.sealed is not None
            await stage.manager.submit(caught.value.sealed)
            cfp = await first(alice.cfps())
            assert cfp.id == caught.value.command_id == caught.value.sealed.command_id
            with pytest.raises(OutcomeTimeoutError) as caught:
                await alice.bid(cfp, 100, timeout_s=0)
            assert caught.value.sealed is not None
            bid = await alice.submit_bid(caught.value.sealed)
            assert bid.id == caught.value.command_id
            for waiting, ident in ((bid.outcome(0), bid.id), (cfp.outcome(0), cfp.id)):
                with pytest.raises(OutcomeTimeoutError) as caught:
                    await waiting
                assert (caught.value.sealed, caught.value.command_id) == (None, ident)
            assert await bid.outcome(10) is not None

    asyncio.run(play())


def test_what_cannot_be_reached_says_so(referee: Broker) -> None:
    """No broker, no market, another genesis, another operator: an error of its own each."""

    async def play() -> None:
        with pytest.raises(BrokerUnreachableError, match="contractnet up"):
            await Connection.open("127.0.0.1:1", timeout_s=1)
        async with Connection.open(referee.bootstrap, market="nowhere") as connection:
            with pytest.raises(MarketNotFoundError, match="nowhere"):
                _ = connection.genesis
        banker = await new_market(referee.bootstrap)
        async with Connection.open(referee.bootstrap, market=banker.market, genesis=bytes(32)) as connection:
            with pytest.raises(CredentialError, match="another one"):
                _ = connection.genesis
        with pytest.raises(CredentialError, match="role is bank, needed is agent"):
            await Agent.connect(banker, referee.bootstrap)

    asyncio.run(play())


def test_closing_ends_everything_that_waits(referee: Broker) -> None:
    """Whoever waits for a CFP or a bid hears that the connection was closed; what is sent later is refused."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            cfp = await offer(stage, open_s=60)
            bid = await stage.bidders[0].bid(cfp, 100)
            waiting = [asyncio.create_task(bid.outcome()), asyncio.create_task(cfp.outcome())]
            await asyncio.sleep(0)
            await stage.connection.close()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(r) for r in results] == [ConnectionClosedError, ConnectionClosedError]
            with pytest.raises(ConnectionClosedError):
                await stage.bidders[0].bid(cfp, 100)
            with pytest.raises(ConnectionClosedError):
                stage.bidders[0].cfps()

    asyncio.run(play())


def test_many_agents_share_one_connection(referee: Broker) -> None:
    """Fifty agents bid at once over one producer and one consumer; one wins, and every outcome arrives."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=50) as stage:
            cfp = await offer(stage, open_s=2)
            bids = await asyncio.gather(*(a.bid(cfp, 1000 + i) for i, a in enumerate(stage.bidders)))
            outcomes = await asyncio.gather(*(bid.outcome(10) for bid in bids))
            won = [award for award in outcomes if award is not None]
            assert [award.id for award in won] == [bids[-1].id]
            assert won[0].price_ucr in critical(1000 + 48)

    asyncio.run(play())
