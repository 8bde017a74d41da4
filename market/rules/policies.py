"""The operator's policy: a bound on what the bank issues in a window of time, and a fee for each offer in a negotiation
(docs/guards.md)."""

from __future__ import annotations

from contractnet.messages import Code, Event, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.rejection import require
from market.rules import accounts, negotiations
from market.rules.context import Context, check_range


def set_policy(ctx: Context, command: c.SetPolicy) -> list[Event]:
    """The operator sets the market's policy, or another one."""
    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    if command.issue_limit_ucr is not None:
        check_range(Code.BAD_AMOUNT, "limit", command.issue_limit_ucr, 0, limits.ISSUED_UCR_MAX)
    window = (limits.ISSUE_WINDOW_MS_MIN, limits.ISSUE_WINDOW_MS_MAX)
    check_range(Code.BAD_DURATION, "window", command.issue_window_ms, *window)
    check_range(Code.BAD_AMOUNT, "fee", command.round_fee_ucr, 0, limits.AMOUNT_UCR_MAX)
    return [
        e.PolicySet(
            issue_limit_ucr=command.issue_limit_ucr,
            issue_window_ms=command.issue_window_ms,
            round_fee_ucr=command.round_fee_ucr,
        )
    ]


def issue_7(ctx: Context, command: c.IssueCredits) -> list[Event]:
    """As before, within what the policy leaves in this window."""
    events = accounts.issue(ctx, command)
    left_ucr = None if ctx.state.policy is None else ctx.state.policy.left_ucr(ctx.at_ms)
    fits = left_ucr is None or command.amount_ucr <= left_ucr
    require(fits, Code.ISSUE_EXCEEDED, f"{left_ucr} left in this window, needed {command.amount_ucr}")
    return events


def make_offer_7(ctx: Context, command: c.MakeOffer) -> list[Event]:
    """As before; an offer costs the policy's fee, which the bank takes back. To accept or to leave costs nothing."""
    events = negotiations.make_offer(ctx, command)
    fee_ucr = 0 if ctx.state.policy is None else ctx.state.policy.round_fee_ucr
    if not fee_ucr:
        return events
    party = ctx.need_sender()
    accounts.check_credit(party, fee_ucr)
    return [accounts.posting(party, ctx.account(ctx.state.bank), fee_ucr, PostingReason.FEE), *events]
