"""The golden session's policies of the operator, of rules version 7."""

from __future__ import annotations

from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_negotiations import joined, negotiation
from tests.market.cases_policies import POLICY_CASES, policy
from tests.market.town import MANAGER, Town, bid, budget, call, key_pair


def policies(town: Town, bank: KeyPair, operator: KeyPair) -> None:
    """Each broken rule; issuance up to the limit and beyond it, window by window; offers that cost a fee."""
    for _, _, sender, command in POLICY_CASES:
        town.send(command({}), sender)
    cat, dan = (town.state.account_names[name] for name in ("cat", "dan"))
    town.send(budget(cat, allowance_ucr=700, window_ms=60_000), bank)
    for limit_ucr, fee_ucr in ((1_000, 0), (None, 4), (0, 4), (2_000, 0)):
        town.send(policy(limit_ucr, fee_ucr=fee_ucr), operator)
        for amount_ucr in (400, 601, 600, 1):
            town.send(c.IssueCredits(dan, amount_ucr, ""), bank)
        cfp = town.send(call(pool="rack", duration_ms=60_000), MANAGER).id
        lease = town.send(bid(cfp, 20), key_pair("cat")).id
        town.at_ms += 100
        town.tick()
        talk = town.send(negotiation(lease, dan), key_pair("cat")).id
        town.send(joined(talk, 90), key_pair("dan"))
        for price_ucr, name in ((80, "cat"), (40, "dan"), (60, "dan"), (60, "cat")):
            number = town.state.negotiations[talk].round if talk in town.state.negotiations else 1
            town.send(c.MakeOffer(talk, number, (), price_ucr), key_pair(name))
        for _ in range(2):
            town.at_ms += 40_000
            town.tick()
