"""Commands about the operator's policy that break one rule each, and no other; see test_rules.py."""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.town import ANN, BANK, OPERATOR

INT64_MAX = 2**63 - 1
Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def policy(limit_ucr: int | None = 1_000, window_ms: int = 60_000, fee_ucr: int = 0) -> c.SetPolicy:
    """A bound of 1,000 in a minute, and no fee; with changes."""
    return c.SetPolicy(limit_ucr, window_ms, fee_ucr)


POLICY_CASES: list[Case] = [
    ("bank sets the policy", Code.NOT_PERMITTED, BANK, lambda _: policy()),
    ("agent sets the policy", Code.NOT_PERMITTED, ANN, lambda _: policy()),
    *[
        (f"issue at most {n}", Code.BAD_AMOUNT, OPERATOR, lambda _, n=n: policy(n))
        for n in (-INT64_MAX - 1, -1, limits.ISSUED_UCR_MAX + 1, INT64_MAX)
    ],
    *[
        (f"issue in windows of {n}", Code.BAD_DURATION, OPERATOR, lambda _, n=n: policy(None, n))
        for n in (-INT64_MAX - 1, -1, 0, limits.ISSUE_WINDOW_MS_MIN - 1, limits.ISSUE_WINDOW_MS_MAX + 1, INT64_MAX)
    ],
    *[
        (f"an offer costs {n}", Code.BAD_AMOUNT, OPERATOR, lambda _, n=n: policy(fee_ucr=n))
        for n in (-INT64_MAX - 1, -1, limits.AMOUNT_UCR_MAX + 1, INT64_MAX)
    ],
]
