"""What handles look like in a log."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Gate, credits
from tests.client.stage import POOL, staged

pytestmark = pytest.mark.broker


def test_handles_show_names_and_ids_in_hex_and_no_secret(referee: Broker) -> None:
    """Agent, Cfp, Bid, Award and Admission, by repr and by str."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            market, account = stage.connection.market, alice.credential.account
            assert account is not None
            cfp = await stage.manager.call_for_proposals(POOL, 2, duration_s=30, open_s=0.5, reserve_ucr=7)
            bid = await alice.bid(cfp, credits(5))
            award = await bid.outcome(10)
            assert award is not None
            with Gate(POOL, referee.bootstrap, market=market) as gate:
                admission = gate.admit(award.id, award.token, award.secret, wait_s=5)
            assert str(alice) == f"Agent(name='bidder-0', market='{market}', account={account.hex()})"
            assert str(bid) == f"Bid(id={bid.id.hex()}, cfp={cfp.id.hex()}, price_ucr=5000000)"
            assert str(cfp).startswith(f"Cfp(id={cfp.id.hex()}, direction=SELL, pool='gpu', units=2, ")
            assert str(award).startswith(f"Award(id={award.id.hex()}, price_ucr=7, pool='gpu', units=2, ")
            assert str(admission).startswith(f"Admission(award={award.id.hex()}, pool='gpu', units=(0, 1), ")
            for handle in (alice, bid, cfp, award, admission, stage.bank):
                assert str(handle) == repr(handle)
                assert "=b'" not in repr(handle)
                for secret in (award.secret, alice.credential.keys.seed, alice.credential.inbox_key or b""):
                    assert secret.hex() not in repr(handle)

    asyncio.run(play())
