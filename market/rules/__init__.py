"""The rules by version: which function decides which command. A released version is never edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contractnet.messages import Command, Event
from contractnet.messages import commands as c
from market.rules import (
    accounts,
    bonds,
    budgets,
    buying,
    contracts,
    decisions,
    deposits,
    groups,
    invitations,
    keys,
    negotiations,
    policies,
    pools,
    reselling,
    roots,
    tokens,
)
from market.rules.context import Context

Decide = Callable[[Context, Any], list[Event]]

V1: dict[type[Command], Decide] = {
    c.ActivateRules: keys.activate_rules,
    c.OpenAccount: accounts.open_account,
    c.RegisterKey: keys.register,
    c.RotateKey: keys.rotate,
    c.RevokeKey: keys.revoke,
    c.SetWeight: accounts.set_weight,
    c.IssueCredits: accounts.issue,
    c.TransferCredits: accounts.transfer,
    c.CreatePool: pools.create,
    c.ResizePool: pools.resize,
    c.CallForProposals: contracts.call_for_proposals,
    c.CancelCfp: contracts.cancel,
    c.PlaceBid: contracts.place_bid,
    c.WithdrawBid: contracts.withdraw_bid,
    c.ReleaseLease: contracts.release_lease,
}

V3: dict[type[Command], Decide] = V1 | {
    c.RegisterKey: keys.register_3,
    c.RotateKey: keys.rotate_3,
    c.PlaceBid: contracts.place_bid_3,
}
"""Keys that expire, an operator's key that can be rotated, a bound on one account's bids on one CFP; its records have
private notices (market/notices.py). There is no version 2: ledgers of version 1 exist that answer the wish for it with
UNKNOWN_RULES, and have to be reproduced (docs/decisions/0013)."""

V4: dict[type[Command], Decide] = V3 | {
    c.OpenAccount: accounts.open_account_4,
    c.PlaceBid: contracts.place_bid_4,
    c.SetBudget: budgets.set_budget,
    c.ClearBudget: budgets.clear,
    c.TopUpBudget: budgets.top_up,
}
"""Budgets of accounts and projects (docs/budgets.md)."""

V5: dict[type[Command], Decide] = V4 | {
    c.CallForProposals: decisions.call_for_proposals_5,
    c.CancelCfp: decisions.cancel_5,
    c.PlaceBid: decisions.place_bid_5,
    c.WithdrawBid: decisions.withdraw_bid_5,
    c.RefuseCfp: decisions.refuse,
    c.AwardBid: decisions.award_bid,
    c.RejectBid: decisions.reject_bid,
}
"""Managers that award themselves, and refusals (docs/protocol.md)."""

V6: dict[type[Command], Decide] = V5 | {
    c.CallForProposals: invitations.call_for_proposals_6,
    c.RefuseCfp: invitations.refuse_6,
    c.PlaceBid: invitations.place_bid_6,
    c.CancelCfp: groups.cancel_6,
    c.AwardBid: groups.award_bid_6,
    c.RejectBid: groups.reject_bid_6,
    c.ReleaseLease: negotiations.release_lease_6,
    c.OpenNegotiation: negotiations.open_negotiation,
    c.JoinNegotiation: negotiations.join,
    c.MakeOffer: negotiations.make_offer,
    c.AcceptOffer: negotiations.accept_offer,
    c.LeaveNegotiation: negotiations.leave,
    c.PlaceAsk: invitations.place_ask,
    c.ReportWork: buying.report_work,
}
"""Groups of bids, CFPs by invitation, negotiations, CFPs that buy (docs/groups, protocol, negotiations, purchases)."""

V7: dict[type[Command], Decide] = V6 | {
    c.CallForProposals: invitations.call_for_proposals_7,
    c.CreateTokenPool: tokens.create,
    c.ResizeTokenPool: tokens.resize,
    c.SetPriority: tokens.set_priority,
    c.PlaceStandingOrder: tokens.place_order,
    c.CancelStandingOrder: tokens.cancel_order,
    c.DrawTokens: tokens.draw,
    c.ReportUsage: tokens.report_usage,
    c.SetPolicy: policies.set_policy,
    c.IssueCredits: policies.issue_7,
    c.MakeOffer: policies.make_offer_7,
}
"""Managers that award what they buy themselves (docs/purchases.md), token pools (docs/tokens.md), the operator's policy
(docs/guards.md)."""

V8: dict[type[Command], Decide] = V7 | {
    c.SetDeposit: deposits.set_deposit,
    c.CallForProposals: deposits.call_for_proposals_8,
    c.PlaceBid: deposits.place_bid_8,
    c.CancelCfp: deposits.cancel_8,
    c.AwardBid: deposits.award_bid_8,
    c.RejectBid: deposits.reject_bid_8,
}
"""Managers that sell deposit for what they lock, where the operator says so (docs/guards.md)."""

V9: dict[type[Command], Decide] = V8 | {
    c.CallForProposals: roots.call_for_proposals_9,
    c.PlaceBid: roots.place_bid_9,
    c.PlaceAsk: roots.place_ask_9,
    c.OpenNegotiation: roots.open_negotiation_9,
    c.ClaimLease: roots.claim_lease,
    c.SetResaleCall: reselling.set_resale_call,
    c.WithdrawBid: reselling.withdraw_bid_9,
    c.CancelCfp: reselling.cancel_9,
    c.ReleaseLease: reselling.release_lease_9,
    c.JoinNegotiation: negotiations.join_9,
}
"""Resales with an open call, and claims on leases (docs/negotiations.md); caps by budget root (docs/guards.md)."""

V10: dict[type[Command], Decide] = V9 | {
    c.CallForProposals: bonds.call_for_proposals_10,
    c.ClaimLease: roots.claim_lease_10,
    c.SetDeposit: deposits.set_deposit_10,
}
"""Second identities gain nothing more: ties and weights by budget root; claims that wait in vain end soon, a floor
under the deposit, bonds within the ceiling (docs/guards.md)."""

V11: dict[type[Command], Decide] = V10
"""Managers that buy deposit for the bonds that they have held (`State.deposit_rate_of`, docs/guards.md)."""

RULES: Mapping[int, Mapping[type[Command], Decide]] = {
    1: V1,
    3: V3,
    4: V4,
    5: V5,
    6: V6,
    7: V7,
    8: V8,
    9: V9,
    10: V10,
    11: V11,
}

__all__ = ["RULES", "Context"]
