"""How entries of CFPs that buy, and of the work they bought, change a market. Part of `evolve`."""

from __future__ import annotations

from contractnet.messages import Progress, Source
from contractnet.messages import events as e
from market.state import State
from market.works import Terms, Work


def purchase_opened(state: State, _: Source, event: e.PurchaseOpened) -> None:
    """The CFP that was just opened buys."""
    cfp = state.cfps[event.cfp]
    assert cfp.terms is None
    assert not cfp.bids
    cfp.terms = Terms(event.delay_cost_per_s_ucr, event.bond_ucr, event.start_within_ms, event.grace_ms)


def units_offered(state: State, _: Source, event: e.UnitsOffered) -> None:
    """The bid that was just placed is an ask."""
    bid = state.bids[event.bid]
    assert not bid.pool
    assert state.cfps[bid.cfp].terms is not None
    bid.pool = event.pool


def begin(state: State, source: Source, event: e.AwardMade, terms: Terms) -> None:
    """An ask has won."""
    assert event.award not in state.works
    bid, cfp = state.bids[event.award], state.cfps[event.cfp]
    assert bid.price_ucr <= event.price_ucr <= cfp.reserve_price_ucr, "between the ask and the ceiling"
    state.works[event.award] = Work(
        award=event.award,
        cfp=cfp.id,
        manager=cfp.manager,
        account=bid.account,
        price_ucr=event.price_ucr,
        bond_ucr=terms.bond_ucr,
        delay_cost_per_s_ucr=terms.delay_cost_per_s_ucr,
        promised_ms=bid.start_delay_ms,
        awarded_at_ms=source.at_ms,
        task=bid.task,
    )


def reported(state: State, _: Source, event: e.WorkReported) -> None:
    """Work has started, or ends: it is there until its bond is resolved, later in the record."""
    work = state.works[event.award]
    if event.progress is Progress.STARTED:
        assert work.delay_ms is None, "work starts once"
        assert event.delay_ms is not None
        work.delay_ms = event.delay_ms
        return
    assert event.delay_ms == work.delay_ms
    assert 0 <= event.paid_ucr <= work.price_ucr, "escrow pays no more than it has"


def end(state: State, award: bytes) -> None:
    """The last hold of work is resolved."""
    work = state.works.pop(award)
    assert work.escrow not in state.holds, "the escrow is resolved before the bond"
    assert award not in state.leases, "the units are free by then"
