"""Groups of bids through the SDK: one hold for several bids, and what drops when the group has won."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker.interface import Broker
from contractnet import BidGroup, Code, credits
from contractnet.client.book import BidWatch
from contractnet.errors import RejectedError
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker


async def told_nothing_is_held(stage: Stage) -> None:
    """Return once the market has told the first bidder that it holds nothing."""
    async with asyncio.timeout(20):
        while (balance := stage.bidders[0].balance()) is None or balance.held_ucr:
            await asyncio.sleep(0.02)


def test_a_group_wins_once(referee: Broker) -> None:
    """100 credits back three bids of 90 of which one wins; the others drop, also one that a manager may choose."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=2) as stage:
            manager, (alice, bob) = stage.manager, stage.bidders
            terms: dict[str, Any] = {"award": "MANAGER", "duration_s": 5, "open_s": 5, "decide_s": 60}
            choosing, soon = [await manager.call_for_proposals(POOL, **terms) for _ in range(2)]
            later = await manager.call_for_proposals(POOL, duration_s=5, open_s=60)
            group = alice.bid_group(wins_max=1)
            bids = [await alice.bid(cfp, credits(90), group=group) for cfp in (choosing, soon, later)]
            assert {bid.group for bid in bids} == {group}
            with pytest.raises(RejectedError) as no:
                await alice.bid(later, credits(5))
            assert no.value.code is Code.ALREADY_BID
            other = await manager.call_for_proposals(POOL, duration_s=5, open_s=60)
            with pytest.raises(RejectedError) as differs:
                await alice.bid(other, credits(5), group=BidGroup(group.id, 2, lambda *_: None))
            assert differs.value.code is Code.GROUP_DIFFERS
            await bob.bid(choosing, credits(1))
            assert (await manager.proposals(choosing, 20))[0].id == bids[0].id
            await manager.proposals(soon, 20)  # its deadline is some milliseconds later
            await manager.award(bids[1].id)
            award = await bids[1].outcome(20)
            assert award is not None
            assert (group.wins, group.wins_max) == (1, 1)
            # The CFP of the last one takes bids for long yet.
            assert [await bid.outcome(5) for bid in (bids[0], bids[2])] == [None, None]
            await told_nothing_is_held(stage)
            left = await manager.proposals(choosing, 20)
            assert [proposal.agent for proposal in left] == ["bidder-1"]
            with pytest.raises(RejectedError) as late:
                await alice.bid(later, credits(5), group=group)
            assert late.value.code is Code.GROUP_WON
            assert (await alice.bid(later, credits(5))).group is None
            await manager.award(left[0])

    asyncio.run(play())


def test_a_group_counts_each_win_once() -> None:
    """A bid that is sent again after a crash is the same bid; one that was rejected is none."""

    async def play() -> None:
        lost: list[bytes] = []
        group = BidGroup(bytes(16), 2, lambda _, bid: lost.append(bid))
        watches: list[BidWatch] = [asyncio.get_running_loop().create_future() for _ in range(5)]
        for number, watch in enumerate(watches):
            group.add(b"cfp", bytes([number]), watch)
            group.add(b"cfp", bytes([number]), watch)
        group.forget(bytes([4]))
        watches[0].set_result(None)
        for watch in watches[1:3]:
            watch.set_result((None, None))  # type: ignore[arg-type]  # that it won is all that counts
            await asyncio.sleep(0)
        group.add(b"cfp", bytes([2]), watches[2])
        await asyncio.sleep(0)
        assert (group.wins, lost) == (2, [bytes([3])])
        watches[3].cancel()
        watches[4].cancel()
        await asyncio.sleep(0)

    asyncio.run(play())
