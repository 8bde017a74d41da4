"""Why a command is rejected, for the independent checker: for each type of command the codes and when they apply.

A command is accepted exactly if none of its codes applies; where several do, the market names one of them. Nothing here
has an order, and nothing is decided twice: a reason is a question to the books (books.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from analytics.checker.case import BANK_ONLY, OPEN_TO_OPERATOR, OPERATOR_ONLY, Case
from analytics.checker.parts import RULES
from analytics.checker.refusals_accounts import REFUSALS as OF_ACCOUNTS
from analytics.checker.refusals_bids import REFUSALS as OF_BIDS
from analytics.checker.refusals_cfps import REFUSALS as OF_CFPS
from analytics.checker.refusals_talks import REFUSALS as OF_TALKS
from analytics.checker.refusals_tokens import REFUSALS as OF_TOKENS

Refusal = Callable[[Case], bool]

SINCE = {
    4: ("SetBudget", "ClearBudget", "TopUpBudget"),
    5: ("RefuseCfp", "AwardBid", "RejectBid"),
    6: (
        "OpenNegotiation",
        "JoinNegotiation",
        "MakeOffer",
        "AcceptOffer",
        "LeaveNegotiation",
        "PlaceAsk",
        "ReportWork",
    ),
    7: (
        "CreateTokenPool",
        "ResizeTokenPool",
        "SetPriority",
        "PlaceStandingOrder",
        "CancelStandingOrder",
        "DrawTokens",
        "ReportUsage",
        "SetPolicy",
    ),
    8: ("SetDeposit",),
    9: ("SetResaleCall", "ClaimLease"),
}
"""Which version of the rules brought which commands; the others are as old as the rules."""
VERSION_OF = {kind: version for version, kinds in SINCE.items() for kind in kinds}


def _too_new(since: int, more: Refusal | None, case: Case) -> bool:
    return case.book.version < since or (more is not None and more(case))


def _not_permitted(kind: str, more: Refusal | None, case: Case) -> bool:
    """Whether the sender's role does not allow it."""
    if kind in OPERATOR_ONLY:
        wrong = case.sender is not None
    elif kind in BANK_ONLY:
        wrong = not case.is_bank
    else:
        wrong = case.sender is None and kind not in OPEN_TO_OPERATOR
    return wrong or (more is not None and more(case))


def _whole(kind: str, own: Mapping[str, Refusal]) -> dict[str, Refusal]:
    """The refusals of a type of command, with those that all have."""
    codes = dict(own)
    codes["NOT_PERMITTED"] = partial(_not_permitted, kind, own.get("NOT_PERMITTED"))
    since, more = VERSION_OF.get(kind, min(RULES)), own.get("UNKNOWN_RULES")
    if since > min(RULES) or more is not None:
        codes["UNKNOWN_RULES"] = partial(_too_new, since, more)
    return codes


REFUSALS: dict[str, dict[str, Refusal]] = {
    kind: _whole(kind, own) for kind, own in (OF_ACCOUNTS | OF_CFPS | OF_BIDS | OF_TALKS | OF_TOKENS).items()
}
