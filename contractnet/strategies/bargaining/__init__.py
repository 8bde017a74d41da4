"""Bargaining of two parties over finitely many outcomes: strategies, and drivers that enforce the protocols.

    domain = Domain([7, 5, 2, 0], [0, 2, 5, 7])
    negotiate(domain, Zeuthen(domain, 0), Zeuthen(domain, 1)).deal

docs/bargaining.md says what each one guarantees, and what it costs.
"""

from __future__ import annotations

from contractnet.strategies.bargaining.alternating import (
    AlternatingParty,
    Alternation,
    OutcomeAlternator,
    OutcomeSplitter,
    PieSplitter,
    alternate,
    proposer_share,
)
from contractnet.strategies.bargaining.concession import FixedStep, Ladder, TimeDependent
from contractnet.strategies.bargaining.domain import Domain, Exact, Utility
from contractnet.strategies.bargaining.monotonic import MonotonicParty, Negotiation, Standing, agreed, negotiate
from contractnet.strategies.bargaining.zeuthen import Zeuthen, risk

__all__ = [
    "AlternatingParty",
    "Alternation",
    "Domain",
    "Exact",
    "FixedStep",
    "Ladder",
    "MonotonicParty",
    "Negotiation",
    "OutcomeAlternator",
    "OutcomeSplitter",
    "PieSplitter",
    "Standing",
    "TimeDependent",
    "Utility",
    "Zeuthen",
    "agreed",
    "alternate",
    "negotiate",
    "proposer_share",
    "risk",
]
