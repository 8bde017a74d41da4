"""Histories of second identities from rules version 10 on, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable

from contractnet.messages import Code, Pricing
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.buyers import ask, buying
from tests.market.cases_negotiations import MONOTONIC, joined, negotiation
from tests.market.directed_purchases import contractors
from tests.market.directed_tokens import GPT, order, second
from tests.market.play import Play, founded
from tests.market.town import bid, call, token_pool

ROOTS = {"ann": "north", "amy": "north", "abe": "north", "bob": "south", "ben": "south", "cat": "west"}


def families(play: Play, version: int = 10, units: int = 3, credits_ucr: int = 20_000) -> None:
    """A manager's pool, and agents under three budget roots: three, two and one."""
    founded(play, version=version, units=units)
    for name, root in ROOTS.items():
        play.open_account(name, root=root, credits_ucr=credits_ucr)


def weigh(play: Play, name: str, permille: int) -> None:
    """The bank sets a weight."""
    assert play.by("bank", c.SetWeight(play.account(name), permille)).code is Code.ACCEPTED


def weights_of(play: Play, cfp: bytes) -> list[int]:
    """Those of the bids on a call, in order of arrival."""
    return [row.weight_permille for row in play.town.state.cfps[cfp].bids.values()]


def equal_bids_take_turns(play: Play) -> None:
    """Calls with few different prices, so that most have ties; the rules change from 9 to 10 while one is open."""
    families(play, version=9)
    dice = random.Random(10)
    for number in range(80):
        pricing = Pricing.FIRST if dice.random() < 0.2 else Pricing.SECOND
        units, slots = dice.choice([1, 1, 2]), dice.choice([1, 1, 2, 3])
        wanted = call(units=units, slots=slots, duration_ms=dice.choice([100, 250]), pricing=pricing)
        cfp = play.by("manager", wanted).id
        if number == 15:
            assert play.by("operator", c.ActivateRules(10)).code is Code.ACCEPTED
        if dice.random() < 0.15:
            weigh(play, dice.choice(list(ROOTS)), dice.choice([500, 750, 1000]))
        for name in dice.sample(list(ROOTS), dice.randrange(2, 6)):
            placed = play.by(name, bid(cfp, dice.choice([9, 20, 20, 40]), dice.choice([0, 0, 0, 100])))
            if dice.random() < 0.1:
                play.by(name, c.WithdrawBid(placed.id))
        play.town.at_ms += dice.choice([100, 150])
        play.tick()
        if dice.random() < 0.05:
            play.restart()


def equal_asks_take_turns(play: Play) -> None:
    """The same where it is bought."""
    families(play, version=9)
    names = ("ann", "amy", "bob")
    contractors(play, *names, units=20)
    play.by("bank", c.IssueCredits(play.account("manager"), 50_000, ""))
    dice = random.Random(11)
    for number in range(40):
        pricing = Pricing.FIRST if dice.random() < 0.2 else Pricing.SECOND
        cfp = play.by("manager", buying(slots=dice.choice([1, 1, 2]), duration_ms=100, pricing=pricing)).id
        if number == 10:
            assert play.by("operator", c.ActivateRules(10)).code is Code.ACCEPTED
        if dice.random() < 0.15:
            weigh(play, dice.choice(list(ROOTS)), dice.choice([500, 750, 1000]))
        for name in dice.sample(names, dice.randrange(2, 4)):
            # A delay of 100 ms costs 10.
            play.by(name, ask(cfp, name, *dice.choice([(50, 0), (50, 0), (40, 100), (60, 0), (80, 0)])))
        play.town.at_ms += 100
        play.tick()
        play.town.at_ms += dice.choice([0, 1_200])
        play.tick()


def the_least_weight_of_a_root_counts(play: Play) -> None:
    """For every account of the root, also one that is opened later, at the epoch of the call; raised again, for the
    calls that open later. After a restart as before."""
    families(play)
    early = play.by("manager", call(open_ms=10_000)).id
    weigh(play, "amy", 600)
    low = play.by("manager", call(open_ms=10_000)).id
    weigh(play, "abe", 700)
    weigh(play, "amy", 900)
    middle = play.by("manager", call(open_ms=10_000)).id
    weigh(play, "abe", 1_000)
    weigh(play, "amy", 1_000)
    late = play.by("manager", call(open_ms=10_000)).id
    play.restart()
    play.open_account("ava", root="north", credits_ucr=1_000)
    for cfp, least in ((early, 1_000), (low, 600), (middle, 700), (late, 1_000)):
        for name in ("ann", "ava", "bob"):
            assert play.by(name, bid(cfp, 20)).code is Code.ACCEPTED
        assert weights_of(play, cfp) == [least, least, 1_000]


def rules_change_while_calls_are_open(play: Play) -> None:
    """What was bid under version 9 keeps the weight that it was placed with; what is bid later has the root's."""
    families(play, version=9)
    weigh(play, "amy", 500)
    cfp = play.by("manager", call(open_ms=10_000)).id
    play.by("ann", bid(cfp, 50))
    play.restart()
    assert play.by("operator", c.ActivateRules(10)).code is Code.ACCEPTED
    play.by("abe", bid(cfp, 50))
    play.by("bob", bid(cfp, 30))
    assert weights_of(play, cfp) == [1_000, 500, 1_000]
    play.town.at_ms += 10_000
    (award,) = play.tick().of(e.AwardMade)
    assert (award.account, award.price_ucr in (30, 31)) == (play.account("ann"), True)


def a_root_orders_at_its_least_weight(play: Play) -> None:
    """In a clearing of tokens, whichever of its accounts orders."""
    families(play)
    play.by("bank", token_pool(GPT, play.account("manager"), reserve_per_1000_ucr=0, reserve_permille=0))
    weigh(play, "amy", 500)
    for name, limit in (("ann", 9_000), ("bob", 6_000)):
        play.by(name, order(100, limit))
    (grant,) = second(play)
    assert grant.account == play.account("bob")
    weigh(play, "amy", 1_000)
    play.by("bob", order(1, 6_000))
    play.by("ann", order(100, 9_000))
    play.restart()
    assert second(play, 30_000)[0].account == play.account("ann")


def a_buyer_of_a_lease_has_its_roots_weight(play: Play) -> None:
    """In the call for a lease that was bargained for as well."""
    families(play)
    assert play.by("operator", c.SetResaleCall(1_000)).code is Code.ACCEPTED
    weigh(play, "amy", 500)
    lease = play.by("bob", bid(play.by("manager", call(duration_ms=60_000)).id, 20)).id
    play.town.at_ms += 100
    play.tick()
    talk = play.by("bob", negotiation(lease, play.account("ann"), protocol=MONOTONIC)).id
    play.by("ann", joined(talk, 100))
    for name in ("bob", "ann"):
        play.by(name, c.MakeOffer(talk, 1, (), 60))
    assert weights_of(play, talk) == [500]
    play.by("cat", bid(talk, 60))
    play.town.at_ms += 1_000
    (award,) = play.tick().of(e.AwardMade)
    assert award.account == play.account("cat")


IDENTITY_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    equal_bids_take_turns,
    equal_asks_take_turns,
    the_least_weight_of_a_root_counts,
    rules_change_while_calls_are_open,
    a_root_orders_at_its_least_weight,
    a_buyer_of_a_lease_has_its_roots_weight,
)
