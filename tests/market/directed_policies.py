"""Histories of the operator's policy, played against the model as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from contractnet.messages import Code, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_negotiations import ALTERNATING
from tests.market.cases_policies import policy
from tests.market.directed_negotiations import offer, talking
from tests.market.play import Play, founded
from tests.market.town import Answer, budget

founded_7 = partial(founded, version=7, units=8)
"""A market whose operator may set a policy."""
MINUTE_MS = 60_000


def fees(answer: Answer) -> list[int]:
    """What was paid for offers in a record."""
    return [posted.amount_ucr for posted in answer.of(e.CreditsTransferred) if posted.reason is PostingReason.FEE]


def issuance_is_bounded(play: Play) -> None:
    """What the policy leaves may be issued and nothing beyond, in each window anew; a restart forgets nothing."""
    founded_7(play, "ann", "bob")
    play.town.at_ms += MINUTE_MS - play.town.at_ms % MINUTE_MS
    assert play.by("operator", policy(100)).code is Code.ACCEPTED
    issue = partial(c.IssueCredits, play.account("ann"), memo="")
    assert play.by("bank", issue(amount_ucr=60)).code is Code.ACCEPTED
    play.restart()
    assert play.by("bank", issue(amount_ucr=41)).code is Code.ISSUE_EXCEEDED
    assert play.by("bank", issue(amount_ucr=40)).code is Code.ACCEPTED
    assert play.by("bank", issue(amount_ucr=1)).code is Code.ISSUE_EXCEEDED
    assert play.by("bank", c.TransferCredits(play.account("ann"), play.account("bob"), 5, "")).code is Code.ACCEPTED
    play.town.at_ms += MINUTE_MS - 1
    assert play.by("bank", issue(amount_ucr=1)).code is Code.ISSUE_EXCEEDED
    play.town.at_ms += 1
    assert play.by("bank", issue(amount_ucr=100)).code is Code.ACCEPTED
    play.by("operator", policy(30))
    assert play.by("bank", issue(amount_ucr=31)).code is Code.ISSUE_EXCEEDED
    assert play.by("bank", issue(amount_ucr=30)).code is Code.ACCEPTED
    play.by("operator", policy(None))
    assert play.by("bank", issue(amount_ucr=1_000)).code is Code.ACCEPTED


def allowances_count(play: Play) -> None:
    """What budgets give counts, and ends at the limit: the first accounts have theirs, the last what is left."""
    founded_7(play, "ann", "bob", "cat")
    play.by("operator", policy(70))
    play.by("bank", budget(None, "project", allowance_ucr=90, window_ms=MINUTE_MS, offset_ms=0, decay_permille=0))
    play.town.at_ms += MINUTE_MS
    answer = play.tick()
    given = [p.amount_ucr for p in answer.of(e.CreditsTransferred) if p.reason is PostingReason.ALLOWANCE]
    assert sum(given) == 70
    assert [started.issued_ucr for started in answer.of(e.BudgetWindowStarted)] == [70]
    assert play.by("bank", c.IssueCredits(play.account("ann"), 1, "")).code is Code.ISSUE_EXCEEDED


def offers_cost(play: Play) -> None:
    """Each offer costs its party the fee, which is gone; silence, acceptance and leaving cost nothing."""
    founded_7(play, "ann", "bob")
    issued = play.town.state.accounts[play.town.state.bank].balance_ucr
    talk, _ = talking(play, "ann", "bob")
    assert not fees(offer(play, "ann", talk, 1, 150))
    assert play.by("operator", policy(None, fee_ucr=3)).code is Code.ACCEPTED
    assert fees(offer(play, "bob", talk, 1, 50)) == [3]
    assert fees(offer(play, "ann", talk, 2, 140)) == [3]
    assert offer(play, "ann", talk, 2, 140).code is Code.OUT_OF_TURN
    play.town.at_ms += 1_000
    assert not fees(play.tick())
    play.by("bob", c.LeaveNegotiation(talk))
    assert play.town.state.accounts[play.town.state.bank].balance_ucr == issued + 6
    talk, _ = talking(play, "ann", "bob", protocol=ALTERNATING)
    play.restart()
    assert fees(offer(play, "ann", talk, 1, 90)) == [3]
    assert not fees(play.by("bob", c.AcceptOffer(talk, 1)))


def who_cannot_pay_does_not_offer(play: Play) -> None:
    """The fee comes out of what nothing holds."""
    founded_7(play, "ann", "bob")
    talk, _ = talking(play, "ann", "bob", cap_ucr=999)
    play.by("operator", policy(None, fee_ucr=2))
    assert offer(play, "bob", talk, 1, 50).code is Code.INSUFFICIENT_CREDIT
    play.by("bank", c.IssueCredits(play.account("bob"), 1, ""))
    assert fees(offer(play, "bob", talk, 1, 50)) == [2]


def older_rules_know_no_policy(play: Play) -> None:
    """Before version 7 it is unknown."""
    founded(play, "ann", version=6)
    assert play.by("operator", policy()).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.ActivateRules(7)).code is Code.ACCEPTED
    assert play.by("operator", policy()).code is Code.ACCEPTED


POLICY_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    issuance_is_bounded,
    allowances_count,
    offers_cost,
    who_cannot_pay_does_not_offer,
    older_rules_know_no_policy,
)
