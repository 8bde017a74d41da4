"""Whatever arrives on `commands` gets a precise answer in the ledger, and the work beside it goes on."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from contractnet.codec import MAGIC, encode
from contractnet.envelope import Headers, seal
from contractnet.messages import Cause, Code, Direction, Pricing, Unreadable
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from tests.integration.checker import check
from tests.integration.world import CREDITS, PARTITIONS, Market, World, new_world

HOLD_MS = 4_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One broker with one worker for all of these tests."""
    with new_world(tmp_path_factory.mktemp("bad-input")) as running:
        running.start_worker(0)
        yield running


@pytest.fixture(scope="module")
def market(world: World) -> Market:
    """An open market with agents."""
    opened = world.market("default")
    opened.open(agents=5, units=8)
    return opened


def rejections(world: World, market: Market, first: int) -> dict[bytes, Code]:
    """Code of each command rejected at or after a commands offset."""
    return {
        x.source.command: x.event.code
        for x in world.entries(market)
        if isinstance(x.event, e.CommandRejected) and x.source.offset >= first
    }


def settle(world: World, market: Market) -> None:
    """Wait until everything sent so far is answered."""
    marker = market.send(c.RevokeKey(bytes(16), bytes(32)), market.agents[4])
    world.wait_for("the marker is answered", lambda: marker in rejections(world, market, 0))


def test_bytes_that_are_no_command_are_answered_as_unreadable(world: World, market: Market) -> None:
    """Null, empty, garbage, truncated, unknown schema, an event in place of a command, 1 MB: each with its reason."""
    key = market.name.encode()
    bid = encode(c.PlaceBid(bytes(16), 100, 0, "t", bytes(32), None))
    notice = encode(c.Tick())[:2] + b"\x00" * 8 + b"body"
    cases: list[tuple[bytes | None, Unreadable]] = [
        (None, Unreadable.EMPTY),
        (b"", Unreadable.EMPTY),
        (b"\xff" * 50, Unreadable.BAD_FRAMING),
        (b"C3", Unreadable.BAD_FRAMING),
        (bid[:-10], Unreadable.BAD_BODY),
        (bid + b"more", Unreadable.BAD_BODY),
        (MAGIC + os.urandom(8) + b"x", Unreadable.UNKNOWN_SCHEMA),
        (notice, Unreadable.UNKNOWN_SCHEMA),
        (os.urandom(1_000_000), Unreadable.TOO_LARGE),
    ]
    settle(world, market)
    first = world.end_of("commands", market.partition)
    for value, _ in cases:
        market.send_raw(key, value, [])
    honest = market.call(open_ms=HOLD_MS)
    settle(world, market)
    found = [x for x in world.entries(market) if x.source.offset >= first]
    assert [x.event.reason for x in found if isinstance(x.event, e.CommandUnreadable)] == [r for _, r in cases]
    assert honest in [x.source.command for x in found if isinstance(x.event, e.CfpOpened)]


def test_headers_and_keys_that_prove_nothing_are_rejected(world: World, market: Market) -> None:
    """Missing, malformed, swapped and doubled headers, a foreign signature, an unknown key, the wrong market."""
    agent, stranger = market.agents[0], KeyPair.generate()
    command = c.WithdrawBid(bytes(16))
    good = market.seal(command, agent)
    foreign = seal(command, market="another", genesis=market.genesis, keys=agent, sequence=10**6)
    other_genesis = seal(command, market=market.name, genesis=bytes(32), keys=agent, sequence=10**6)
    unknown = seal(command, market=market.name, genesis=market.genesis, keys=stranger, sequence=1)

    def replaced(name: str, value: bytes) -> Headers:
        return [(n, value if n == name else v) for n, v in good.headers]

    cases: list[tuple[bytes, Headers, Code]] = [
        (good.value, [], Code.MISSING_SIGNATURE),
        (good.value, good.headers[:3], Code.MISSING_SIGNATURE),
        (good.value, [*good.headers, good.headers[0]], Code.MISSING_SIGNATURE),
        (good.value, replaced("sig", b"short"), Code.MISSING_SIGNATURE),
        (good.value, replaced("sig", bytes(64)), Code.BAD_SIGNATURE),
        (good.value, replaced("seq", struct.pack(">q", 2**63 - 1)), Code.BAD_SIGNATURE),
        (good.value, replaced("key", stranger.public), Code.BAD_SIGNATURE),
        (encode(c.WithdrawBid(b"\x01" * 16)), good.headers, Code.BAD_SIGNATURE),
        (foreign.value, foreign.headers, Code.BAD_SIGNATURE),
        (other_genesis.value, other_genesis.headers, Code.BAD_SIGNATURE),
        (unknown.value, unknown.headers, Code.UNKNOWN_KEY),
    ]
    settle(world, market)
    first = world.end_of("commands", market.partition)
    for value, headers, _ in cases:
        market.send_raw(market.name.encode(), value, headers)
    settle(world, market)
    found = [
        x.event.code
        for x in world.entries(market)
        if isinstance(x.event, e.CommandRejected) and first <= x.source.offset < first + len(cases)
    ]
    assert found == [code for _, _, code in cases]


def test_a_market_answers_on_its_own_partition_only(world: World, market: Market) -> None:
    """A signed command on another partition, an unknown market, and a record key that is no name."""
    agent = market.agents[0]
    elsewhere = (market.partition + 1) % PARTITIONS
    first = world.end_of("commands", elsewhere)
    sealed = market.seal(c.WithdrawBid(bytes(16)), agent)
    market.send_raw(market.name.encode(), sealed.value, sealed.headers, elsewhere)
    unknown = seal(c.WithdrawBid(bytes(16)), market="nobody", genesis=bytes(32), keys=agent, sequence=1)
    market.send_raw(b"tenant-42" if elsewhere == 2 else b"\xff\xfe", unknown.value, unknown.headers, elsewhere)
    market.send_raw("a\u202eb".encode(), unknown.value, unknown.headers, elsewhere)

    def codes() -> list[Code]:
        found = [x for x in world.entries_of(elsewhere) if x.source.offset >= first]
        return [x.event.code for x in found if isinstance(x.event, e.CommandRejected)]

    world.wait_for("three answers", lambda: len(codes()) == 3)
    assert codes() == [Code.WRONG_PARTITION, Code.BAD_MARKET_NAME, Code.BAD_MARKET_NAME]


def test_commands_that_break_a_rule_are_rejected_by_code(world: World, market: Market) -> None:
    """Amounts, names, deadlines, ids of others, one's own CFP, units beyond the pool, repeats and revoked keys."""
    manager, a, b = market.manager, market.agents[0], market.agents[1]
    spare = KeyPair.generate()
    market.send(c.RegisterKey(market.accounts[a.public], spare.public), a)
    cfp = market.call(open_ms=HOLD_MS)
    closed = market.call(open_ms=50)
    others = market.bid(cfp, b, 500)
    settle(world, market)
    world.wait_for(
        "the short CFP ended",
        lambda: any(isinstance(x.event, e.CfpClosed) and x.event.cfp == closed for x in world.entries(market)),
    )

    def bid(price: int, task: str = "t", on: bytes = cfp, keys: KeyPair = a) -> bytes:
        return market.send(c.PlaceBid(on, price, 0, task, bytes(32), None), keys)

    def call(units: int, reserve: int, pool: str = "gpu") -> bytes:
        terms = c.CallForProposals(Direction.SELL, pool, units, 1000, 1, 1000, reserve, Pricing.SECOND)
        return market.send(terms, manager)

    expected = {
        bid(0): Code.BAD_AMOUNT,
        bid(-5): Code.BAD_AMOUNT,
        bid(2**63 - 1): Code.BAD_AMOUNT,
        bid(CREDITS + 1): Code.INSUFFICIENT_CREDIT,
        bid(100, "a\x00b"): Code.BAD_NAME,
        bid(100, "a\u202eb"): Code.BAD_NAME,
        bid(100, "x" * 10_000): Code.BAD_NAME,
        bid(100, on=closed): Code.CFP_CLOSED,
        bid(100, on=os.urandom(16)): Code.UNKNOWN_CFP,
        bid(100, keys=manager): Code.OWN_CFP,
        market.send(c.WithdrawBid(others), a): Code.NOT_OWNER,
        market.send(c.CancelCfp(cfp), a): Code.NOT_OWNER,
        market.send(c.IssueCredits(market.accounts[a.public], 100, ""), a): Code.NOT_PERMITTED,
        market.send(c.OpenAccount("me", "p", "p", os.urandom(32), bytes(32)), a): Code.NOT_PERMITTED,
        market.send(c.ActivateRules(2), market.bank): Code.NOT_PERMITTED,
        market.send(c.ActivateRules(99), market.operator): Code.UNKNOWN_RULES,
        call(9, 10): Code.UNITS_EXCEED_POOL,
        call(0, 10): Code.BAD_UNITS,
        call(1, 0): Code.BAD_AMOUNT,
        call(1, 10, "p" * 10_000): Code.UNKNOWN_POOL,
    }
    first = bid(700)
    expected[bid(800)] = Code.ALREADY_BID
    market.send(c.RevokeKey(market.accounts[a.public], spare.public), a)
    expected[market.send(c.WithdrawBid(first), spare)] = Code.REVOKED_KEY
    settle(world, market)
    found = rejections(world, market, 0)
    assert {k: found.get(k) for k in expected} == expected


def test_a_repeated_command_has_one_effect(world: World, market: Market) -> None:
    """The same signed bytes three times: one acceptance, two repeats that name the first outcome."""
    sealed = market.seal(c.IssueCredits(market.accounts[market.agents[2].public], 7, "once"), market.bank)
    for _ in range(3):
        market.send_raw(market.name.encode(), sealed.value, sealed.headers)
    settle(world, market)
    entries = [x for x in world.entries(market) if x.source.command == sealed.command_id]
    # The end of a CFP of another test may fall due at the same record.
    events = [x.event for x in entries if x.source.cause is Cause.COMMAND]
    names = [type(event).__name__ for event in events]
    assert names == ["CommandAccepted", "CreditsTransferred", "CommandRepeated", "CommandRepeated"]
    assert [event.code for event in events if isinstance(event, e.CommandRepeated)] == [Code.ACCEPTED] * 2


def test_a_hundred_bids_at_the_limit_never_overspend(world: World, market: Market) -> None:
    """An agent with all its credits in one bid sends a hundred of them: one is taken, 99 lack the credit."""
    agent = market.agents[3]
    cfps = [market.call(open_ms=HOLD_MS) for _ in range(100)]
    bids = [market.bid(cfp, agent, CREDITS) for cfp in cfps]
    settle(world, market)
    found = rejections(world, market, 0)
    assert [found.get(bid) for bid in bids] == [None] + [Code.INSUFFICIENT_CREDIT] * 99


def test_the_log_is_sound_after_all_of_this(world: World, market: Market) -> None:
    """Nothing lost, doubled or torn beside the bad input, and judging all of it again gives the same bytes."""
    settle(world, market)
    world.stop_all()
    for partition in range(PARTITIONS):
        verdict = check(world.broker.bootstrap, partition, PARTITIONS, world.operator.public)
        assert verdict.sound, verdict
