"""What no guard stops yet (docs/guards.md, "Open"): known limits, as they are in this version of the rules.

Each test states what an attack gains today, and none says that it should. Whoever mends the rules meets them here, and
keeps the numbers of the older version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_resales import claim
from tests.market.cases_tokens import GPT, order
from tests.market.town import BANK, Town, bid, key_pair, small_town, token_pool

CALLS = 200
HALF_WEIGHT = 500
HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def member(town: Town, name: str, root: str, credits_ucr: int = 10**9) -> bytes:
    """An account of a budget root, with credits."""
    opened = town.send(c.OpenAccount(name, root, root, key_pair(name).public, bytes(32)), BANK)
    assert town.send(c.IssueCredits(opened.id, credits_ucr, ""), BANK).code is Code.ACCEPTED
    return opened.id


def part_of_ties(accounts: int) -> float:
    """The part of CALLS calls for one slot that a root wins with so many accounts, each of which bids as much as the
    one rival does."""
    town, _ = small_town()
    owners = {member(town, "rival", "other"): "other"}
    names = [f"mallory {n}" for n in range(accounts)]
    owners |= {member(town, name, "mallory"): "mallory" for name in names}
    won = Counter[str]()
    for _ in range(CALLS):
        cfp = town.cfp(open_ms=50, duration_ms=100)
        for name in ("rival", *names):
            town.send(bid(cfp, 50), key_pair(name))
        (award,) = town.settle(cfp)
        won[owners[award.account]] += 1
        town.at_ms += 100
    return won["mallory"] / CALLS


@pytest.mark.parametrize(("accounts", "least", "most"), [(1, 0.4, 0.6), (2, 0.567, 0.767), (7, 0.805, 0.945)])
def test_open_more_accounts_win_more_ties(
    accounts: int, least: float, most: float, tell: Callable[[str], None]
) -> None:
    """KNOWN LIMIT. A tie in SELL is drawn among bids, so that n accounts of one root win n of n + 1 against one rival
    (within three standard deviations). Drawn by root, as in clearings of tokens, they would win every second."""
    part = part_of_ties(accounts)
    tell(f"{accounts} account(s) of one root win {part:.1%} of {CALLS} ties against one rival")
    assert least < part < most


def winner_of_a_call(town: Town, names: dict[bytes, str], bids: dict[str, int]) -> str:
    """Who wins one slot."""
    cfp = town.cfp(open_ms=50, duration_ms=100)
    for name, price_ucr in bids.items():
        town.send(bid(cfp, price_ucr), key_pair(name))
    (award,) = town.settle(cfp)
    town.at_ms += 100
    return names[award.account]


def test_open_a_clean_account_of_a_root_bids_at_full_weight() -> None:
    """KNOWN LIMIT. A low weight is an account's own: its root bids by another account as if there were none."""
    town, _ = small_town()
    roots = {"mallory": "mallory", "mallory 2": "mallory", "bob": "other"}
    names = {member(town, name, root): name for name, root in roots.items()}
    (punished,) = (ident for ident, name in names.items() if name == "mallory")
    town.send(c.SetWeight(punished, HALF_WEIGHT), BANK)
    assert winner_of_a_call(town, names, {"mallory": 90, "bob": 60}) == "bob"
    assert winner_of_a_call(town, names, {"mallory 2": 90, "bob": 60}) == "mallory 2"


@pytest.mark.parametrize(
    ("ordering", "served"), [(("mallory",), "other"), (("mallory 2",), "mallory"), (("mallory", "mallory 2"), "other")]
)
def test_open_tokens_weigh_the_accounts_that_order(ordering: tuple[str, ...], served: str) -> None:
    """KNOWN LIMIT. In a clearing a root has the least weight of those of its accounts that order: so the punished one
    orders nothing."""
    town, ids = small_town()
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


def test_open_a_claim_for_next_to_nothing_keeps_others_away_for_half_a_day() -> None:
    """KNOWN LIMIT. Mallory holds one micro-credit, chooses one round of twelve hours, and nobody else may claim the
    lease until then; the next time she is first again."""
    town, ids = small_town("ann", "bob", "mallory", credits_ucr=1_000)
    lease = town.bid(cfp := town.cfp(duration_ms=48 * HOUR_MS), "ann", 20).id
    town.settle(cfp)
    squat = claim(lease, 1, rounds_max=1, still_rounds_max=0, round_ms=12 * HOUR_MS)
    longer = claim(lease, 1, rounds_max=1, still_rounds_max=0, round_ms=12 * HOUR_MS + 1)
    assert town.send(longer, key_pair("mallory")).code is Code.BAD_DURATION
    squatted = town.send(squat, key_pair("mallory"))
    assert squatted.code is Code.ACCEPTED
    assert town.state.accounts[ids["mallory"]].held_ucr == 1
    for minute in range(1, 12 * 60):
        town.at_ms += MINUTE_MS
        if minute % 60:
            town.tick()
        else:
            assert town.send(claim(lease, 900), key_pair("bob")).code is Code.LEASE_IN_NEGOTIATION
    assert squatted.id in town.state.negotiations
    town.at_ms += MINUTE_MS
    town.tick()
    assert squatted.id not in town.state.negotiations
    assert town.send(squat, key_pair("mallory")).code is Code.ACCEPTED
    assert town.send(claim(lease, 900), key_pair("bob")).code is Code.LEASE_IN_NEGOTIATION
