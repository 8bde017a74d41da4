"""A gate in front of a pool's units, on a real broker."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from broker.interface import Broker
from contractnet import Admission, Agent, Award, Gate
from contractnet.client.lease import Token
from contractnet.errors import BrokerUnreachableError, CredentialError, GateRefusedError, RejectedError
from contractnet.gate import Refusal
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker


async def win(stage: Stage, agent: Agent, units: int = 2, duration_s: float = 30, start_delay_s: float = 0) -> Award:
    """A lease of the pool for this agent, who bids alone."""
    cfp = await stage.manager.call_for_proposals(POOL, units, duration_s=duration_s, open_s=0.5)
    award = await (await agent.bid(cfp, 100, start_delay_s=start_delay_s)).outcome(10)
    assert award is not None
    return award


def refusal(gate: Gate, award: Award, wait_s: float = 0) -> str:
    """Why the gate does not admit the holder."""
    with pytest.raises(GateRefusedError) as caught:
        gate.admit(award.id, award.token, award.secret, wait_s=wait_s)
    return caught.value.reason


def test_only_the_holder_of_a_current_lease_gets_in(referee: Broker) -> None:
    """Unknown, wrong token, wrong secret, too early, after the end, after a release: refused, each by its name."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            with Gate(POOL, referee.bootstrap, market=stage.connection.market) as gate:
                award = await win(stage, alice, duration_s=1.5)
                token = award.token
                assert refusal(gate, replace(award, id=bytes(16))) == Refusal.UNKNOWN_LEASE
                admission = gate.admit(award.id, token, award.secret, wait_s=5)
                assert len(admission.units) == 2
                assert gate.admit(award.id, token, award.secret) == admission
                assert gate.current() == [admission]
                other = Token(token.partition, token.offset, token.index + 1)
                assert refusal(gate, replace(award, token=other)) == Refusal.WRONG_TOKEN
                assert refusal(gate, replace(award, secret=bytes(32))) == Refusal.WRONG_SECRET
                later = await win(stage, bob, start_delay_s=20)
                await asyncio.to_thread(refusal, gate, later, 0.3)
                assert refusal(gate, later) == Refusal.NOT_STARTED
                await asyncio.sleep(1.6)
                assert refusal(gate, award) == Refusal.ENDED
                assert gate.current() == []
                released = await win(stage, bob)
                gate.admit(released.id, released.token, released.secret, wait_s=5)
                await bob.release(released)
                await asyncio.sleep(0.3)
                assert refusal(gate, released) == Refusal.ENDED

    asyncio.run(play())


def test_units_change_hands_only_when_the_former_holder_is_out(referee: Broker) -> None:
    """On a pool of one unit the callback for the old lease returns before the new one is in."""

    async def play() -> None:
        log: list[str] = []

        def evict(admission: Admission) -> None:
            time.sleep(0.2)
            log.append("out")

        async with staged(referee.bootstrap, units=1) as stage:
            with Gate(POOL, referee.bootstrap, market=stage.connection.market, on_revoked=evict) as gate:
                for agent in (*stage.bidders, *stage.bidders):
                    award = await win(stage, agent, units=1)
                    admission = await asyncio.to_thread(gate.admit, award.id, award.token, award.secret, wait_s=5)
                    log.append("in")
                    assert admission.units == (0,)
                    assert gate.current() == [admission]
                    await agent.release(award)
        assert log == ["in", "out"] * 4

    asyncio.run(play())


def test_a_gate_that_starts_late_knows_current_leases(referee: Broker) -> None:
    """A gate reads all notices first: it admits a lease from before its start, and none that was released meanwhile."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            stays, gone = await win(stage, stage.bidders[0]), await win(stage, stage.bidders[1])
            await stage.bidders[1].release(gone)
            gate = Gate(POOL, referee.bootstrap, market=stage.connection.market)
            with gate:
                gate.admit(stays.id, stays.token, stays.secret)
                assert refusal(gate, gone) == Refusal.ENDED
            assert refusal(gate, stays) == Refusal.GATE_DOWN

    asyncio.run(play())


def test_a_callback_that_fails_takes_the_gate_down(referee: Broker) -> None:
    """When a holder could not be ended nobody else is admitted, for the units may still be in use."""
    failed: list[type[BaseException] | None] = []
    hook, threading.excepthook = threading.excepthook, lambda args: failed.append(args.exc_type)

    def stuck(admission: Admission) -> None:
        raise OSError("the process does not end")

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            gate = Gate(POOL, referee.bootstrap, market=stage.connection.market, on_revoked=stuck).start()
            award = await win(stage, stage.bidders[0])
            gate.admit(award.id, award.token, award.secret, wait_s=5)
            await stage.bidders[0].release(award)
            next_award = await win(stage, stage.bidders[1])
            assert await asyncio.to_thread(refusal, gate, next_award, 1) == Refusal.GATE_DOWN
            with pytest.raises(OSError, match="does not end"):
                gate.close()

    try:
        asyncio.run(play())
    finally:
        threading.excepthook = hook
    assert failed == [OSError]


def test_a_gate_of_another_genesis_or_without_broker_does_not_start(referee: Broker) -> None:
    """Both are told apart, and neither leaves a gate that admits."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            with pytest.raises(CredentialError, match="another genesis"):
                Gate(POOL, referee.bootstrap, market=stage.connection.market, genesis=bytes(32)).start()
        with pytest.raises(BrokerUnreachableError):
            Gate(POOL, "127.0.0.1:1", timeout_s=0.5).start()

    asyncio.run(play())


@pytest.mark.slow
def test_under_load_no_unit_ever_has_two_holders(referee: Broker) -> None:
    """Six agents fight for three units in leases of 0.2 s, half given back early: no unit is used twice at once."""
    busy: dict[int, bytes] = {}
    conflicts: list[int] = []
    left: set[bytes] = set()
    lock = threading.Lock()
    used = 0

    def leave(admission: Admission) -> None:
        with lock:
            left.add(admission.award)
            for unit in admission.units:
                if busy.pop(unit, admission.award) != admission.award:
                    conflicts.append(unit)

    async def use(stage: Stage, gate: Gate, agent: Agent, number: int) -> None:
        async for cfp in agent.cfps(POOL):
            # A CFP may close while the bid is on its way, and a lease of 0.2 s end before its holder gets to the gate.
            with suppress(RejectedError, GateRefusedError):
                award = await (await agent.bid(cfp, 1000 + number)).outcome(10)
                if award is None:
                    continue
                admission = await asyncio.to_thread(gate.admit, award.id, award.token, award.secret, wait_s=1)
                enter(admission)
                if used % 2:
                    await agent.release(award)

    def enter(admission: Admission) -> None:
        nonlocal used
        with lock:
            used += 1
            # It may be over already when this thread gets to use what it was given.
            for unit in admission.units if admission.award not in left else ():
                if busy.setdefault(unit, admission.award) != admission.award:
                    conflicts.append(unit)

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=6, units=3) as stage:
            market = stage.connection.market
            with Gate(POOL, referee.bootstrap, market=market, on_revoked=leave) as gate:
                users = [asyncio.create_task(use(stage, gate, a, i)) for i, a in enumerate(stage.bidders)]
                for _ in range(40):
                    await stage.manager.call_for_proposals(POOL, duration_s=0.2, open_s=0.1)
                    await asyncio.sleep(0.05)
                await asyncio.sleep(1)
                for agent in stage.bidders:
                    await agent.close()
                await asyncio.gather(*users)

    asyncio.run(play())
    assert conflicts == []
    assert used >= 10
