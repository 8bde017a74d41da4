"""Each limit of the rules: one command below it is accepted, the next one above is not."""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable

import pytest

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from market import limits
from tests.market.cases_negotiations import SUE, TOM, negotiation
from tests.market.cases_resales import claim
from tests.market.cases_tokens import GPT, order
from tests.market.test_rules import ANN, BOB, NEW, Ids, busy_town, opening
from tests.market.town import BANK, MANAGER, bid, budget, call, token_pool

Limit = tuple[str, int, KeyPair, Callable[[Ids], Command]]

LIMITS: list[Limit] = [
    ("ACCOUNTS_MAX", 10, BANK, lambda i: opening()),
    ("KEYS_PER_ACCOUNT_MAX", 1, ANN, lambda i: c.RotateKey(NEW)),
    ("POOLS_MAX", 3, BANK, lambda i: c.CreatePool("tpu", i["ann"], 1)),
    ("OPEN_CFPS_MAX", 8, MANAGER, lambda i: call()),
    ("OPEN_CFPS_PER_MANAGER_MAX", 6, MANAGER, lambda i: call()),
    ("OPEN_CFPS_PER_ROOT_MAX", 8, MANAGER, lambda i: call()),
    ("BIDS_PER_ROOT_AND_CFP_MAX", 2, BOB, lambda i: bid(i["cfp"], 20)),
    ("NEGOTIATIONS_PER_ROOT_MAX", 5, SUE, lambda i: negotiation(i["spare"], i["tom"])),
    ("NEGOTIATIONS_PER_ROOT_MAX", 5, ANN, lambda i: claim(i["spare"], 20)),
    ("NEGOTIATIONS_PER_ROOT_MAX", 4, SUE, lambda i: negotiation(i["wished"], i["tom"])),
    ("CLAIMS_PER_ROOT_MAX", 1, ANN, lambda i: claim(i["spare"], 20)),
    ("BIDS_PER_CFP_MAX", 2, BOB, lambda i: bid(i["cfp"], 20)),
    ("OPEN_BIDS_PER_ACCOUNT_MAX", 1, ANN, lambda i: bid(i["quiet"], 20)),
    ("REFUSALS_PER_CFP_MAX", 1, BOB, lambda i: c.RefuseCfp(i["quiet"], "")),
    ("LEASES_PER_POOL_MAX", 1, MANAGER, lambda i: c.AwardBid(i["chosen"])),
    ("BUDGETS_MAX", 3, BANK, lambda i: budget(i["ann"])),
    ("ACCOUNTS_PER_BUDGET_MAX", 8, BANK, lambda i: budget(None, "project")),
    ("ACCOUNTS_PER_BUDGET_MAX", 0, BANK, lambda i: opening(project="unlimited")),
    ("ISSUED_UCR_MAX", 18_101, BANK, lambda i: c.IssueCredits(i["ann"], 2, "")),
    ("NEGOTIATIONS_MAX", 5, SUE, lambda i: negotiation(i["spare"], i["tom"])),
    ("NEGOTIATIONS_MAX", 5, ANN, lambda i: claim(i["spare"], 20)),
    ("NEGOTIATIONS_MAX", 4, SUE, lambda i: negotiation(i["wished"], i["tom"])),
    ("TOKEN_POOLS_MAX", 1, BANK, lambda i: token_pool("claude", i["manager"])),
    ("ORDERS_PER_POOL_MAX", 1, ANN, lambda i: order()),
    ("GRANTS_PER_POOL_MAX", 1, SUE, lambda i: c.DrawTokens(GPT, 1, "task")),
    ("CLAIMS_MAX", 1, ANN, lambda i: claim(i["spare"], 20)),
    ("NEGOTIATIONS_PER_HOLDER_MAX", 1, TOM, lambda i: claim(i["spare"], 20)),
    ("NEGOTIATIONS_PER_HOLDER_MAX", 4, SUE, lambda i: negotiation(i["spare"], i["tom"])),
]


@pytest.mark.parametrize(("name", "most", "sender", "command"), LIMITS, ids=[limit[0] for limit in LIMITS])
def test_a_limit(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int, sender: KeyPair, command: Callable[[Ids], Command]
) -> None:
    """One command below the limit is accepted, the next one above is not."""
    for lower, code in ((0, Code.LIMIT_REACHED), (1, Code.ACCEPTED)):
        town, ids = busy_town()
        monkeypatch.setattr(limits, name, most + lower)
        assert town.send(command(ids), sender).code is code
        monkeypatch.undo()
