"""What the writer looks at after its batches notices each kind of damage to a state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contractnet.messages import Offer, Winner
from contractnet.messages import commands as c
from market.account import Account
from market.bargaining import Negotiation
from market.decay import Tally
from market.invariants import violations
from market.state import Bid, Cfp, State
from market.tokens import PARTS, TokenPool
from market.works import Work
from tests.market.buyers import BUYER, ask, bazaar, buying, started
from tests.market.cases_deposits import RATE
from tests.market.cases_tokens import GPT
from tests.market.test_rules import busy_town
from tests.market.town import BANK, OPERATOR, Town, budget, key_pair, small_town

Break = Callable[[State], None]


def leased_town() -> Town:
    """A market with a lease of both units, another that begins when it ends, an open bid, and two budgets over it."""
    town, ids = small_town("ann", "bob", units=2)
    for scope in ((ids["bob"], ""), (None, "project")):
        town.send(budget(*scope, limit_ucr=1_000), BANK)
    for delay_ms in (0, 900):
        cfp = town.cfp(units=2)
        town.bid(cfp, "ann", 50, delay_ms)
        town.settle(cfp)
    town.bid(town.cfp(), "bob", 60)
    first, second = town.state.leases.values()
    assert first.ends_at_ms == second.starts_at_ms
    return town


def talking_town() -> Town:
    """The busy town of test_rules.py, with negotiations and a token pool."""
    return busy_town()[0]


def working_town() -> Town:
    """A market with work that has started, and a CFP that buys with an ask."""
    town, _ = bazaar("ann", "bob")
    for name in ("ann", "bob"):
        cfp = town.send(buying(), BUYER).id
        award = town.send(ask(cfp, name, 20), key_pair(name)).id
        if name == "ann":
            town.at_ms += 100
            town.tick()
            town.send(started(award), key_pair(name))
    return town


def depositing_town() -> Town:
    """A market with a CFP that has a deposit of 100, on which there are two bids, and one that has none."""
    town, ids = small_town("ann", "bob", units=2)
    town.send(c.IssueCredits(ids["manager"], 100, ""), BANK)
    town.cfp()
    town.send(c.SetDeposit(RATE), OPERATOR)
    cfp = town.cfp(open_ms=36_000, reserve_price_ucr=100)
    town.send(c.SetDeposit(0), OPERATOR)
    for name in ("ann", "bob"):
        town.bid(cfp, name, 100)
    return town


def weighed_town() -> Town:
    """A market with a root of which two accounts have other weights than 1000."""
    town, ids = small_town("ann", "bob")
    for name, permille in (("ann", 500), ("bob", 600), ("ann", 700)):
        town.send(c.SetWeight(ids[name], permille), BANK)
    return town


def deposited(state: State) -> Cfp:
    """The one with a deposit."""
    return next(cfp for cfp in state.cfps.values() if cfp.deposit_ucr)


def first_bid(state: State) -> Bid:
    """Of that one."""
    return next(iter(deposited(state).bids.values()))


def alone(state: State) -> Bid:
    """The one bid of its group."""
    groups = (group for account in state.accounts.values() for group in account.groups.values())
    return next(state.bids[next(iter(group.bids))] for group in groups if len(group.bids) == 1)


def bob(state: State) -> Account:
    """The one with an open bid of 60."""
    return state.accounts[state.account_names["bob"]]


def talk(state: State) -> Negotiation:
    """The monotonic one, in its second round, in which the holder has offered."""
    return next(n for n in state.negotiations.values() if n.parties[0].sealed)


def standing(state: State) -> Cfp:
    """A call whose bids hold their prices."""
    return next(c for c in state.cfps.values() if c.terms is None and c.bids and set(c.bids) <= set(state.holds))


def deciding(state: State) -> Cfp:
    """A call whose manager chooses."""
    return next(c for c in state.cfps.values() if c.decides_until_ms > state.now_ms)


def withdraw(cfp: Cfp) -> None:
    """None of its bids may win any more."""
    for bid in cfp.bids.values():
        bid.withdrawn = True


def resale(state: State) -> Cfp:
    """The call for a lease."""
    return next(cfp for cfp in state.cfps.values() if cfp.resale is not None)


def claimed(state: State) -> Negotiation:
    """The one that waits for the holder."""
    return next(n for n in state.negotiations.values() if n.claimed)


def work(state: State) -> Work:
    """What has started."""
    (only,) = state.works.values()
    return only


def pool(state: State) -> TokenPool:
    """The pool with an order and a grant."""
    return state.token_pools[GPT]


LEASED: dict[str, Break] = {
    "balances sum to": lambda s: setattr(bob(s), "balance_ucr", bob(s).balance_ucr + 1),
    "holds 1000000001": lambda s: setattr(bob(s), "held_ucr", 10**9 + 1),
    "holds and what they back differ": lambda s: s.holds.clear(),
    "its holds say 60": lambda s: setattr(bob(s), "held_ucr", 59),
    "pool gpu has 1 units, 2 are reserved": lambda s: setattr(s.pools["gpu"], "units", 1),
    "counters of account": lambda s: setattr(bob(s), "open_bids", 0),
    "counts 61 held, the holds 60": lambda s: setattr(s.scopes[bob(s).id], "held_ucr", 61),
    "is not that of its scope": lambda s: s.scopes.update({bob(s).id: s.scopes["project"]}),
    "owes -1": lambda s: setattr(bob(s), "owed_ucr", -1),
    "counts other balances": lambda s: s.scopes["project"].tallies.update({bob(s).id: Tally(s.now_ms)}),
    "has counted [-1] until": lambda s: s.scopes["project"].tallies.update({bob(s).id: Tally(0, [-1])}),
    "has spent -1": lambda s: setattr(s.scopes["project"], "spent_ucr", -1),
    "has a window": lambda s: setattr(s.scopes["project"], "offset_ms", 1),
    "is on no agenda": lambda s: s.agenda.clear(),
    "more scopes than budgets": lambda s: s.scopes.update({"other": s.scopes["project"]}),
    "pool gpu counts 3 leases": lambda s: setattr(s.pools["gpu"], "leases", 3),
}
TALKING: dict[str, Break] = {
    "has other bids than say so": lambda s: setattr(alone(s), "group", None),
    "waits for a decision that is made": lambda s: withdraw(deciding(s)),
    "are no resolved bids of it": lambda s: standing(s).awards.append(Winner(next(iter(standing(s).bids)), 10)),
    "not bargained for once each": lambda s: s.bargained.clear(),
    "not over a lease of its holder": lambda s: setattr(talk(s).parties[0], "account", talk(s).parties[1].account),
    "end of negotiation": lambda s: setattr(talk(s), "until_ms", talk(s).until_ms + 1),
    "gone on for too long": lambda s: setattr(talk(s), "round", talk(s).rounds_max + 2),
    "are not opened": lambda s: setattr(talk(s).parties[1], "sealed", Offer((0,), 1)),
    "not set aside": lambda s: talk(s).parties[1].stands.update({(1,): 101}),
    "there is no deal": lambda s: talk(s).parties[1].stands.update({(0,): 90}),
    "not called for once each": lambda s: s.resales.clear(),
    "no lease that its manager sells on": lambda s: setattr(resale(s), "units", 2),
    "no earlier than the lease": lambda s: setattr(resale(s), "slots", 2),
    "without the bid of its deal": lambda s: setattr(resale(s).bids[resale(s).id], "withdrawn", True),
    "the cap of negotiation": lambda s: setattr(claimed(s), "claimed", False),
    "holds 6000001 parts": lambda s: setattr(pool(s), "level", 100 * PARTS + 1),
    "holds -1 parts": lambda s: setattr(pool(s), "level", -1),
    "refills at 101": lambda s: setattr(pool(s), "rate", 101),
    "refills at 5": lambda s: setattr(pool(s), "rate", 5),
    "next clearing of token pool": lambda s: setattr(pool(s), "clears_at_ms", 0),
    "is used twice": lambda s: setattr(next(iter(pool(s).grants.values())), "used", 41),
    "is another account's": lambda s: pool(s).orders.update({s.bank: next(iter(pool(s).orders.values()))}),
    "and remembers": lambda s: pool(s).recent.update({"root": 0}),
    "not where they are looked for": lambda s: s.token_grants.clear(),
}
WORKING: dict[str, Break] = {
    "has no lease of its contractor": lambda s: setattr(work(s), "account", s.bank),
    "started after -1 ms": lambda s: setattr(work(s), "delay_ms", -1),
    "do not go with its direction": lambda s: setattr(next(iter(s.cfps.values())), "terms", None),
    "names the pool 'ann'": lambda s: setattr(next(bid for bid in s.bids.values() if bid.pool == "bob"), "pool", "ann"),
}
DEPOSITING: dict[str, Break] = {
    "holds and what they back differ": lambda s: s.holds.clear(),
    "a hold is not that of what it backs": lambda s: setattr(deposited(s), "slots", 2),
    "holds 100, its holds say 99": lambda s: s.holds.update({deposited(s).id: 99}),
    "a deposit that nobody owes": lambda s: setattr(deposited(s), "manager", s.bank),
    "is bound from 1": lambda s: setattr(first_bid(s), "placed_at_ms", deposited(s).opened_at_ms - 1),
    "to 17": lambda s: setattr(first_bid(s), "freed_at_ms", 17),
}
WEIGHED: dict[str, Break] = {
    "counts other weights": lambda s: s.root_weights["root"].changed.clear(),
    "that its accounts do not have": lambda s: s.root_weights["root"].now.update({650: 1}),
    "not counted for each budget root": lambda s: s.root_weights.clear(),
}
BREAKS = [
    (leased_town, LEASED),
    (talking_town, TALKING),
    (working_town, WORKING),
    (depositing_town, DEPOSITING),
    (weighed_town, WEIGHED),
]


@pytest.mark.parametrize(
    ("make", "says", "damage"),
    [(make, says, damage) for make, breaks in BREAKS for says, damage in breaks.items()],
    ids=[says for _, breaks in BREAKS for says in breaks],
)
def test_a_broken_invariant_is_named(make: Callable[[], Town], says: str, damage: Break) -> None:
    """The sound state breaks nothing; the damaged one is told of in words."""
    state = make().state
    assert violations(state) == []
    damage(state)
    assert any(says in text for text in violations(state)), violations(state)


def test_the_last_round_is_not_too_long() -> None:
    """One round after the last is where a negotiation ends; up to it nothing is wrong."""
    state = talking_town().state
    negotiation = talk(state)
    negotiation.round, negotiation.still_rounds = negotiation.rounds_max + 1, negotiation.still_rounds_max
    assert violations(state) == []
    negotiation.still_rounds += 1
    assert any("too long" in text for text in violations(state))
