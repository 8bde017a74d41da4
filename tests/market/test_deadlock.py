"""A cycle of waits, and what ends it (docs/guards.md): each waits for the other to move first, and holds what it has.

Ann and bob hold a lease each and claim the other's, with all their credits; neither joins before it has got what it
wants. Mia and leo have a call each, bid on the other's all that they have, and award only once they were awarded. And a
manager calls, and never awards.
"""

from __future__ import annotations

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from market.limits import LEASE_MS_MAX
from tests.market.cases_resales import claim
from tests.market.town import MANAGER, Town, call, key_pair, managed, small_town

CREDITS = 1_000
OWNERS = {"ann": "rack", "bob": "press", "mia": "forge", "leo": "mill"}
"""Who sells what: ann and bob are sold a slot of the other's pool first."""
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
DECIDE_MS, ROUND_MS = 10 * MINUTE_MS, 20 * MINUTE_MS


def locked(lease_ms: int) -> tuple[Town, dict[str, bytes]]:
    """The town in which all of them wait; ids of accounts, of leases and of bids that bind."""
    town, ids = small_town(*OWNERS, "dan", "eve", credits_ucr=CREDITS)
    for name, pool in OWNERS.items():
        town.pool(pool, ids[name], 1)
    leases = {}
    for name, seller in (("ann", "bob"), ("bob", "ann")):
        cfp = town.cfp(key_pair(seller), pool=OWNERS[seller], duration_ms=lease_ms, open_ms=50)
        leases[name] = town.bid(cfp, name, 20).id
        town.settle(cfp)
    for name, wanted in (("ann", "bob"), ("bob", "ann")):
        everything = town.state.accounts[ids[name]].available_ucr
        wish = claim(leases[wanted], everything, rounds_max=1, still_rounds_max=0, round_ms=ROUND_MS)
        assert town.send(wish, key_pair(name)).code is Code.ACCEPTED
    terms = {"duration_ms": MINUTE_MS, "decide_ms": DECIDE_MS, "open_ms": 1_000}
    calls = {name: town.send(managed(pool=OWNERS[name], **terms), key_pair(name)).id for name in ("mia", "leo")}
    calls["dan"] = town.send(managed(**terms), MANAGER).id
    ids |= {f"lease of {name}": lease for name, lease in leases.items()}
    for name, called in (("mia", "leo"), ("leo", "mia"), ("dan", "dan")):
        ids[f"bid of {name}"] = town.bid(calls[called], name, CREDITS).id
    town.at_ms += 1_000
    town.tick()
    assert len(town.state.cfps) == 3
    return town, ids


def pass_hours(town: Town, hours: int) -> None:
    """Time goes by, and nobody but the clock says anything."""
    for _ in range(hours * 60):
        town.at_ms += MINUTE_MS
        town.tick()


def held_ucr(town: Town) -> int:
    """What is held for anything."""
    return sum(account.held_ucr for account in town.state.accounts.values())


def nobody_gets_on(town: Town, ids: dict[str, bytes]) -> None:
    """Five have nothing left to spend, no bid can be taken back, and nobody else may ask for the leases."""
    for name in (*OWNERS, "dan"):
        assert town.state.accounts[ids[name]].available_ucr == 0
    for name in ("mia", "leo", "dan"):
        assert town.send(c.WithdrawBid(ids[f"bid of {name}"]), key_pair(name)).code is Code.BID_BINDING
    for name in ("ann", "bob"):
        assert town.send(claim(ids[f"lease of {name}"], 1), key_pair("eve")).code is Code.LEASE_IN_NEGOTIATION
    assert held_ucr(town) == 5 * CREDITS


def test_a_cycle_of_waits_ends_by_itself() -> None:
    """Nobody moves, and two hours later every hold is free, every call and claim has ended, every unit can be sold.
    Each has its end on the agenda, for which no command of anybody is needed."""
    town, ids = locked(HOUR_MS)
    nobody_gets_on(town, ids)
    pass_hours(town, 2)
    state = town.state
    assert held_ucr(town) == 0
    left = [state.holds, state.cfps, state.negotiations, state.bargained, state.leases, state.bids]
    assert left == [{}] * len(left)
    assert state.due_at_ms is None
    assert sum(state.accounts[ids[name]].balance_ucr for name in (*OWNERS, "dan")) == 5 * CREDITS
    for name, pool in OWNERS.items():
        again = town.send(call(pool=pool), key_pair(name)).id
        town.bid(again, "eve", 10)
        assert town.settle(again)


def test_without_ends_on_the_agenda_a_cycle_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same town in which nothing falls due: after two hours, and after a day, all of it is as it was."""
    town, ids = locked(LEASE_MS_MAX)
    monkeypatch.setattr("market.shard.DUE_PER_COMMAND_MAX", 0)
    for hours in (2, 22):
        pass_hours(town, hours)
        nobody_gets_on(town, ids)
        assert (len(town.state.cfps), len(town.state.negotiations), len(town.state.leases)) == (3, 2, 2)
