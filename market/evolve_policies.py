"""How the operator's policy changes a market. Part of `evolve`."""

from __future__ import annotations

from contractnet.messages import Source
from contractnet.messages import events as e
from market.policy import Policy
from market.state import State


def policy_set(state: State, source: Source, event: e.PolicySet) -> None:
    """What was issued is counted anew."""
    policy = Policy(event.issue_limit_ucr, event.issue_window_ms, event.round_fee_ucr, starts_at_ms=0)
    policy.starts_at_ms = policy.window_of(source.at_ms)
    state.policy = policy


def issued(state: State, source: Source, event: e.CreditsTransferred) -> None:
    """The bank gives new credits, by a command or as an allowance."""
    if state.policy is not None and event.debit == state.bank:
        state.policy.issue(event.amount_ucr, source.at_ms)
        left_ucr = state.policy.left_ucr(source.at_ms)
        assert left_ucr is None or left_ucr >= 0, "the bank issues no more than the policy leaves"


def deposit_set(state: State, _: Source, event: e.DepositSet) -> None:
    """For CFPs that open from now on."""
    state.deposit_hourly_permille = event.hourly_permille
    state.deposit_floor_ucr = event.floor_ucr


def resale_call_set(state: State, _: Source, event: e.ResaleCallSet) -> None:
    """For deals that are made from now on."""
    state.resale_call_ms = event.call_ms


def is_deposit(state: State, event: e.HoldPlaced) -> bool:
    """Whether a new hold is the deposit of a CFP, with what is due."""
    cfp = state.cfps.get(event.cfp)
    if cfp is None or (cfp.terms is not None and not cfp.deposit_hourly_permille) or event.hold != cfp.deposit_hold:
        return False
    assert (event.account, event.amount_ucr) == (cfp.manager, cfp.deposit_ucr), "a manager deposits what is due"
    return True
