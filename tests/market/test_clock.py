"""Market time: the broker's stamps, deadlines to the millisecond, ticks, and what falls due."""

from __future__ import annotations

import pytest

from contractnet.messages import Cause, Code, LeaseEnd
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import shard
from market.limits import CLOCK_ADVANCE_MS, CLOCK_STEP_MS_MAX, DUE_PER_COMMAND_MAX
from tests.market.town import MANAGER, START_MS, UNKNOWN_ID, Answer, Town, bid, key_pair, small_town

ANN = key_pair("ann")


def poke(town: Town) -> Answer:
    """Send a command that changes nothing but time."""
    return town.send(c.WithdrawBid(UNKNOWN_ID), ANN)


# Deadlines.


@pytest.mark.parametrize(("late_ms", "code"), [(-1, Code.ACCEPTED), (0, Code.CFP_CLOSED), (1, Code.CFP_CLOSED)])
def test_a_bid_counts_before_the_deadline_only(late_ms: int, code: Code) -> None:
    """One millisecond before counts; the deadline itself does not, and settles the CFP before the bid is judged."""
    town, _ = small_town("ann", "bob")
    cfp = town.cfp()
    town.bid(cfp, "bob", 20)
    town.at_ms = START_MS + 100 + late_ms
    answer = town.bid(cfp, "ann", 30)
    assert answer.code is code
    assert len(answer.of(e.AwardMade)) == (late_ms >= 0)
    assert [entry.source.cause for entry in answer.entries if isinstance(entry.event, e.AwardMade)] in (
        [],
        [Cause.DUE],
    )


@pytest.mark.parametrize(("late_ms", "code"), [(-1, Code.ACCEPTED), (0, Code.UNKNOWN_BID)])
def test_a_withdrawal_counts_before_the_deadline_only(late_ms: int, code: Code) -> None:
    """At the deadline the bid is settled already."""
    town, _ = small_town("ann")
    cfp = town.cfp()
    placed = town.bid(cfp, "ann", 20)
    town.at_ms = START_MS + 100 + late_ms
    assert town.send(c.WithdrawBid(placed.id), ANN).code is code


@pytest.mark.parametrize(("late_ms", "code"), [(-1, Code.ACCEPTED), (0, Code.CFP_CLOSED)])
def test_a_cancel_counts_before_the_deadline_only(late_ms: int, code: Code) -> None:
    """At the deadline the award stands."""
    town, ids = small_town("ann")
    cfp = town.cfp()
    town.bid(cfp, "ann", 20)
    town.at_ms = START_MS + 100 + late_ms
    answer = town.send(c.CancelCfp(cfp), MANAGER)
    assert answer.code is code
    assert town.state.accounts[ids["ann"]].held_ucr == 0
    assert town.state.accounts[ids["ann"]].balance_ucr == 10**9 - (0 if code is Code.ACCEPTED else 10)


@pytest.mark.parametrize(("late_ms", "code"), [(-1, Code.ACCEPTED), (0, Code.UNKNOWN_LEASE)])
def test_a_lease_can_be_released_before_its_end_only(late_ms: int, code: Code) -> None:
    """Its units are free from the release, or from its end, on: to the millisecond."""
    town, _ = small_town("ann", "bob")
    first = town.cfp()
    award = town.bid(first, "ann", 20).id
    town.settle(first)
    town.at_ms += 1000 + late_ms
    answer = town.send(c.ReleaseLease(award), ANN)
    assert answer.code is code
    (ended,) = answer.of(e.LeaseEnded)
    assert ended.reason is (LeaseEnd.RELEASED if code is Code.ACCEPTED else LeaseEnd.EXPIRED)
    second = town.cfp()
    town.bid(second, "bob", 20)
    assert len(town.settle(second)) == 1


def test_a_slot_starts_where_another_ends() -> None:
    """Intervals are half-open: a lease that ends at an instant leaves its unit to one that starts there."""
    # The taken interval is [1000, 1500) from the first close; the second CFP closes 100 ms later.
    for delay_ms, fits in ((399, True), (400, True), (401, False), (1_399, False), (1_400, True)):
        town, _ = small_town("ann", "bob")
        one = town.cfp(duration_ms=500)
        town.bid(one, "ann", 20, start_delay_ms=1_000)
        town.settle(one)
        two = town.cfp(duration_ms=500)
        town.bid(two, "bob", 20, start_delay_ms=delay_ms)
        assert bool(town.settle(two)) == fits, delay_ms


# The clock.


def test_time_never_runs_back() -> None:
    """A record stamped earlier than the one before it happens at the same market time."""
    town, _ = small_town("ann")
    town.at_ms += 500
    poke(town)
    town.at_ms -= 400
    answer = poke(town)
    assert answer.entries[0].source.at_ms == town.state.now_ms == START_MS + 500


def test_a_wrong_stamp_moves_time_by_a_minute_at_most() -> None:
    """A stamp a year ahead is told, advances the market by 60 s, and expires only what is due by then."""
    town, _ = small_town("ann")
    near, far = town.cfp(open_ms=60_000), town.cfp(open_ms=60_001)
    town.at_ms += 365 * 24 * 3600 * 1000
    answer = poke(town)
    (jumped,) = answer.of(e.ClockJumped)
    assert jumped.stamped_at_ms == town.at_ms
    assert town.state.now_ms == START_MS + CLOCK_STEP_MS_MAX
    assert [closed.cfp for closed in answer.of(e.CfpClosed)] == [near]
    assert list(town.state.cfps) == [far]
    # The broker's clock was put right: market time waits for it.
    town.at_ms = START_MS + 10
    assert not poke(town).of(e.ClockJumped)
    assert town.state.now_ms == START_MS + CLOCK_STEP_MS_MAX


@pytest.mark.parametrize(("ahead_ms", "jumps"), [(CLOCK_STEP_MS_MAX, 0), (CLOCK_STEP_MS_MAX + 1, 1)])
def test_a_jump_is_more_than_a_minute(ahead_ms: int, jumps: int) -> None:
    """Exactly 60 s of silence is silence."""
    town, _ = small_town("ann")
    town.at_ms += ahead_ms
    assert len(poke(town).of(e.ClockJumped)) == jumps


def test_a_tick_with_nothing_due_leaves_no_trace() -> None:
    """No entry, no change of state, and the same record may be read again."""
    town, _ = small_town("ann")
    town.at_ms += 1_000
    before = town.canonical()
    assert town.tick().entries == []
    assert town.canonical() == before


@pytest.mark.parametrize(("silence_ms", "entries"), [(CLOCK_ADVANCE_MS - 1, 0), (CLOCK_ADVANCE_MS, 1)])
def test_a_tick_after_long_silence_advances_the_clock(silence_ms: int, entries: int) -> None:
    """Every 30 s a tick is recorded, so that market time cannot fall 60 s behind."""
    town, _ = small_town("ann")
    town.at_ms += silence_ms
    answer = town.tick()
    assert len(answer.of(e.ClockAdvanced)) == len(answer.entries) == entries
    assert town.state.now_ms == START_MS + silence_ms * entries


def test_ticks_are_for_their_market() -> None:
    """A tick for a market that does not exist, or with a key that is no name, does nothing."""
    town = Town()
    value = town.tick().submission.value
    assert town.post(b"gpu-us-east", value, []).entries == []
    assert town.post(None, value, []).entries == []


def test_more_than_a_record_may_settle_waits_for_the_next() -> None:
    """64 things due are settled by one record, in the order of their deadlines; the others by the next."""
    town, _ = small_town("ann", units=100)
    cfps = [town.cfp(open_ms=50 + number % 7) for number in range(DUE_PER_COMMAND_MAX + 6)]
    deadlines = {cfp: town.state.cfps[cfp].closes_at_ms for cfp in cfps}
    order = sorted(cfps, key=lambda cfp: (deadlines[cfp], cfp))
    town.at_ms += 100
    first, second, third = town.tick(), town.tick(), town.tick()
    assert [closed.cfp for closed in first.of(e.CfpClosed)] == order[:DUE_PER_COMMAND_MAX]
    assert [closed.cfp for closed in second.of(e.CfpClosed)] == order[DUE_PER_COMMAND_MAX:]
    assert third.entries == []


def test_a_record_settles_no_more_once_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one record leads to fits one transaction: it stops after the CFP with which it has enough entries."""
    monkeypatch.setattr(shard, "DUE_ENTRIES_PER_COMMAND_MAX", 6)
    town, _ = small_town("ann", "bob")
    for _ in range(3):
        cfp = town.cfp()
        town.bid(cfp, "ann", 20)
        town.bid(cfp, "bob", 30)
    town.at_ms += 100
    # Seven entries where there is an award, five where there is none: no record needs a third CFP.
    assert [len(town.tick().of(e.CfpClosed)) for _ in range(3)] == [1, 2, 0]


def test_an_overdue_cfp_takes_no_bid_while_it_waits() -> None:
    """Past its deadline and not settled yet, a CFP is closed all the same."""
    town, _ = small_town("ann", units=100)
    for _ in range(DUE_PER_COMMAND_MAX):
        town.cfp(open_ms=50)
    waiting = town.cfp(open_ms=51)
    town.at_ms += 51
    answer = town.bid(waiting, "ann", 20)
    assert answer.code is Code.CFP_CLOSED
    assert waiting in town.state.cfps
    assert [closed.cfp for closed in town.tick().of(e.CfpClosed)] == [waiting]


def test_whatever_comes_first_settles_what_is_due() -> None:
    """Also a rejected command, or bytes that are no command, let happen what is due."""
    for send in ("rejected", "garbage", "stranger"):
        town, _ = small_town("ann")
        cfp = town.cfp()
        town.bid(cfp, "ann", 20)
        town.at_ms += 100
        if send == "rejected":
            answer = poke(town)
        elif send == "garbage":
            answer = town.post(b"default", b"garbage", [])
        else:
            answer = town.send(bid(cfp, 20), key_pair("stranger"))
        assert len(answer.of(e.AwardMade)) == 1
