"""Histories of caps by budget root, played against the model as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from contractnet.messages import Code
from contractnet.messages import commands as c
from tests.market.buyers import ask, buying
from tests.market.cases_negotiations import negotiation
from tests.market.directed_purchases import contractors
from tests.market.play import SMALL, Play, founded
from tests.market.town import BANK, bid, call

founded_9 = partial(founded, version=9)
OTHER = "of another root"


def with_another_root(play: Play) -> None:
    """An account that is under no root of the others."""
    keys = play.pair(OTHER)
    opened = play.send(c.OpenAccount(OTHER, "project", "another root", keys.public, bytes(32)), BANK)
    play.by("bank", c.IssueCredits(opened.id, 1_000, ""))


def bids_of_a_root_are_bounded(play: Play) -> None:
    """Withdrawn ones count, whoever of the root has placed them; others go on bidding, after a restart as well."""
    founded_9(play, "ann", "bob")
    with_another_root(play)
    cfp = play.by("manager", call(open_ms=10_000)).id
    codes = []
    for name in ("ann", "bob"):
        for _ in range(SMALL["bids_of_one_per_cfp"]):
            placed = play.by(name, bid(cfp, 10))
            codes.append(placed.code)
            play.by(name, c.WithdrawBid(placed.id))
    assert codes == [Code.ACCEPTED] * SMALL["bids_of_root_per_cfp"] + [Code.LIMIT_REACHED]
    play.restart()
    assert play.by("bob", bid(cfp, 10)).code is Code.LIMIT_REACHED
    assert play.by(OTHER, bid(cfp, 10)).code is Code.ACCEPTED


def calls_of_a_root_are_bounded(play: Play) -> None:
    """Open ones of all its managers, whether they sell or buy; what has ended leaves room."""
    founded_9(play, "ann", "bob")
    with_another_root(play)
    contractors(play, "ann", "bob", OTHER, units=1)
    calls = [play.by(name, call(pool=name, open_ms=10_000)) for name in ("ann", "bob") for _ in range(3)]
    assert [answer.code for answer in calls] == [Code.ACCEPTED] * SMALL["cfps_of_root"]
    play.restart()
    assert play.by("manager", call()).code is Code.LIMIT_REACHED
    assert play.by("ann", call(pool="ann")).code is Code.LIMIT_REACHED
    assert play.by(OTHER, call(pool=OTHER)).code is Code.ACCEPTED
    play.by("ann", c.CancelCfp(calls[0].id))
    assert play.by("manager", call()).code is Code.ACCEPTED


def asks_of_a_root_are_bounded(play: Play) -> None:
    """As bids are."""
    founded_9(play, "ann", "bob")
    with_another_root(play)
    contractors(play, "ann", "bob", OTHER)
    play.by("bank", c.IssueCredits(play.account("manager"), 1_000, ""))
    cfp = play.by("manager", buying(open_ms=10_000)).id
    codes = []
    for name in ("ann", "bob"):
        for _ in range(SMALL["bids_of_one_per_cfp"]):
            placed = play.by(name, ask(cfp, name, 50))
            codes.append(placed.code)
            play.by(name, c.WithdrawBid(placed.id))
    assert codes == [Code.ACCEPTED] * SMALL["bids_of_root_per_cfp"] + [Code.LIMIT_REACHED]
    assert play.by(OTHER, ask(cfp, OTHER, 50)).code is Code.ACCEPTED


def negotiations_of_a_root_are_bounded(play: Play) -> None:
    """Those that its holders have opened; before version 9 only all together and one holder's are."""
    founded_9(play, "ann", "bob", units=5)
    with_another_root(play)
    names = ("ann", "bob", "ann", "bob", OTHER)
    awards = []
    for name in names:
        cfp = play.by("manager", call(duration_ms=60_000)).id
        awards.append(play.by(name, bid(cfp, 100)).id)
        play.town.at_ms += 100
        play.tick()
    manager = play.account("manager")
    codes = [play.by(name, negotiation(award, manager)).code for name, award in zip(names, awards, strict=True)]
    most = SMALL["talks_of_root"]
    assert codes == [Code.ACCEPTED] * most + [Code.LIMIT_REACHED] * (4 - most) + [Code.ACCEPTED]


ROOT_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    bids_of_a_root_are_bounded,
    calls_of_a_root_are_bounded,
    asks_of_a_root_are_bounded,
    negotiations_of_a_root_are_bounded,
)
