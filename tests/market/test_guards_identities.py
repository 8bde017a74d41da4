"""Second identities, each attack without its guard (rules version 9) and with it (docs/guards.md): accounts of one
budget root win no more ties than one account would, and none of them bids around a weight that was lowered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import sqrt

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.buyers import ask, buying
from tests.market.cases_tokens import GPT, order
from tests.market.town import BANK, MANAGER, Town, bid, key_pair, small_town, token_pool

CALLS = 200
HALF_WEIGHT = 500


def member(town: Town, name: str, root: str) -> bytes:
    """An account of a budget root, with credits."""
    return town.account(name, credits_ucr=10**9, root=root)


def within(part: float, chance: float) -> bool:
    """Whether a part of CALLS is what the chance lets expect, by three standard deviations."""
    return abs(part - chance) <= 3 * sqrt(chance * (1 - chance) / CALLS)


def attackers(town: Town, accounts: int) -> tuple[dict[bytes, str], list[str]]:
    """The root of each account, of one rival and of so many second identities of mallory's; the names of all."""
    names = ["rival", *(f"mallory {n}" for n in range(accounts))]
    return {member(town, name, name.split()[0]): name.split()[0] for name in names}, names


def parts_of_sales(rules: int, accounts: int, slots: int = 1) -> dict[str, float]:
    """The part of CALLS calls in which a root is served, where all bid the same."""
    town, _ = small_town(rules=rules, units=slots)
    owners, names = attackers(town, accounts)
    served = Counter[str]()
    for _ in range(CALLS):
        cfp = town.cfp(open_ms=50, duration_ms=100, slots=slots)
        for name in names:
            town.send(bid(cfp, 50), key_pair(name))
        served.update({owners[award.account] for award in town.settle(cfp)})
        town.at_ms += 100
    return {root: count / CALLS for root, count in served.items()}


@pytest.mark.parametrize(
    ("rules", "accounts", "chance"), [(9, 1, 1 / 2), (9, 2, 2 / 3), (9, 7, 7 / 8), (10, 2, 1 / 2), (10, 7, 1 / 2)]
)
def test_more_accounts_win_no_more_ties(rules: int, accounts: int, chance: float, tell: Callable[[str], None]) -> None:
    """Against one rival n accounts of a root win n of n + 1 calls where a tie is drawn among bids, and every second
    where it is drawn among roots."""
    part = parts_of_sales(rules, accounts)["mallory"]
    tell(f"rules {rules}: {accounts} account(s) of one root win {part:.1%} of {CALLS} ties against one rival")
    assert within(part, chance)


@pytest.mark.parametrize(("rules", "chance"), [(9, 2 / 3), (10, 1)])
def test_more_accounts_take_no_more_slots(rules: int, chance: float, tell: Callable[[str], None]) -> None:
    """Two slots, two accounts of a root, one rival: among equals a root has its second slot after all others have had
    their first."""
    part = parts_of_sales(rules, 2, slots=2)["rival"]
    tell(f"rules {rules}: of two slots the rival of two accounts of one root has one in {part:.1%} of {CALLS} calls")
    assert within(part, chance)


@pytest.mark.parametrize(("rules", "accounts", "chance"), [(9, 4, 4 / 5), (10, 4, 1 / 2)])
def test_more_contractors_win_no_more_ties(
    rules: int, accounts: int, chance: float, tell: Callable[[str], None]
) -> None:
    """The same where a manager buys."""
    town, _ = small_town(rules=rules)
    owners, names = attackers(town, accounts)
    town.send(c.IssueCredits(town.state.account_names["manager"], 10**9, ""), BANK)
    for ident, name in zip(owners, names, strict=True):
        town.pool(name, ident, CALLS)
    won = Counter[str]()
    for _ in range(CALLS):
        cfp = town.send(buying(open_ms=50, duration_ms=100), MANAGER).id
        for name in names:
            town.send(ask(cfp, name, 50), key_pair(name))
        won.update(owners[award.account] for award in town.settle(cfp))
    part = won["mallory"] / CALLS
    tell(f"rules {rules}: {accounts} contractors of one root win {part:.1%} of {CALLS} ties against one rival")
    assert within(part, chance)


def winner_of_a_call(town: Town, cfp: bytes, bids: dict[str, int]) -> str:
    """Who wins one slot."""
    for name, price_ucr in bids.items():
        assert town.bid(cfp, name, price_ucr).code is Code.ACCEPTED
    (award,) = town.settle(cfp)
    return town.state.accounts[award.account].name


@pytest.mark.parametrize(("rules", "winner"), [(9, "clean"), (10, "bob")])
@pytest.mark.parametrize("opened_late", [False, True])
def test_no_clean_account_of_a_root_bids_at_full_weight(rules: int, winner: str, opened_late: bool) -> None:
    """Mallory's account has half its weight, and her root bids by another, which was there before, or is opened for the
    call: it counts by the root's least."""
    town, _ = small_town(rules=rules)
    member(town, "bob", "other")
    town.send(c.SetWeight(member(town, "mallory", "mallory"), HALF_WEIGHT), BANK)
    cfp = town.cfp() if opened_late else b""
    member(town, "clean", "mallory")
    assert winner_of_a_call(town, cfp or town.cfp(), {"clean": 90, "bob": 60}) == winner


@pytest.mark.parametrize(
    ("rules", "ordering", "served"),
    [
        (9, ("mallory",), "other"),
        (9, ("mallory 2",), "mallory"),
        (9, ("mallory", "mallory 2"), "other"),
        (10, ("mallory",), "other"),
        (10, ("mallory 2",), "other"),
        (10, ("mallory", "mallory 2"), "other"),
    ],
)
def test_no_clean_account_of_a_root_orders_at_full_weight(rules: int, ordering: tuple[str, ...], served: str) -> None:
    """In a clearing a root had the least weight of those of its accounts that order, so that the punished one ordered
    nothing; now it has the least of all."""
    town, ids = small_town(rules=rules)
    town.send(token_pool(GPT, ids["manager"], reserve_permille=0), BANK)
    roots = dict.fromkeys(("mallory", "mallory 2"), "mallory") | {"bob": "other"}
    owners = {member(town, name, root): root for name, root in roots.items()}
    town.send(c.SetWeight(next(iter(owners)), HALF_WEIGHT), BANK)
    for name in ordering:
        town.send(order(100, 900), key_pair(name))
    town.send(order(100, 600), key_pair("bob"))
    town.at_ms += 1_000
    granted = Counter[str]()
    for grant in town.tick().of(e.TokensGranted):
        granted[owners[grant.account]] += grant.tokens
    assert granted == {served: 100}
