"""The reserve of `contractnet reserve`: from offers of calls that have ended, and from what is leased."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import pytest

import analytics
from analytics import reserve
from contractnet.errors import QueryError
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from contractnet.money import credits_text
from contractnet.strategies import threshold_ucr
from tests.analytics.towns import BANK, MANAGER, MARKETS, Traffic, judged, published
from tests.cli.command import done
from tests.market.town import key_pair

PARTITION = 3
MARKET = MARKETS[PARTITION]
OPEN_MS, HOUR_MS = 80, 3_600_000
UNITS = 2
# What each of them offers for two units for an hour; the root of each is its name.
OFFERS = {"ann": 60_000, "bob": 30_000, "cyn": 90_000, "dan": 45_000}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a call that ended, in which two of four win four of the rack's 64 units for an hour from now on.
    And with offers that nobody may learn from: sealed, withdrawn, of work."""
    # A minute ago: a town is filled in less time than passes in it, and a lease counts from its start on.
    town = Traffic(MARKET, 1, at_ms=time.time_ns() // 1_000_000 - 60_000)
    town.open()
    agents = {
        name: town.send(c.OpenAccount(name, name, name, key_pair(name).public, bytes(32)), BANK) for name in OFFERS
    }
    for ident in agents.values():
        town.send(c.IssueCredits(ident, 10**9, ""), BANK)
    town.send(c.CreatePool("own", agents["ann"], 8), BANK)

    def offer(cfp: bytes, name: str, price_ucr: int) -> bytes:
        return town.send(c.PlaceBid(cfp, price_ucr, 0, "", bytes(32), None), key_pair(name))

    def call(slots: int, open_ms: int) -> bytes:
        return town.send(
            c.CallForProposals(Direction.SELL, "rack", UNITS, HOUR_MS, slots, open_ms, 1, Pricing.SECOND), MANAGER
        )

    ended = call(2, OPEN_MS)
    for name, price_ucr in OFFERS.items():
        offer(ended, name, price_ucr)
    withdrawn = call(1, OPEN_MS)
    town.send(c.WithdrawBid(offer(withdrawn, "ann", 9_999_999)), key_pair("ann"))
    buys = c.CallForProposals(
        Direction.BUY, "", 1, HOUR_MS, 1, OPEN_MS, 9_000_000, Pricing.SECOND, start_within_ms=1_000, grace_ms=1_000
    )
    town.send(c.PlaceAsk(town.send(buys, key_pair("bob")), "own", 8_000_000, 0, "", bytes(32)), key_pair("ann"))
    town.at_ms += OPEN_MS
    town.tick()
    offer(call(1, HOUR_MS), "dan", 8_888_888)
    path = tmp_path_factory.mktemp("reserve")
    published(judged({PARTITION: town.records}), path)
    return path


def test_learned_from_what_is_known(data: Path) -> None:
    """Four offers, four of 64 units leased; the threshold without the root of which it is highest."""
    with analytics.open(data) as connection:
        known = reserve.learned(connection, MARKET, "rack")
    assert known is not None
    assert (known.offers, known.roots, known.leased, known.units) == (4, 4, 4, 64)
    hourly = {name: price_ucr // UNITS for name, price_ucr in OFFERS.items()}
    thresholds = []
    for without in hourly:
        others = sorted(price for name, price in hourly.items() if name != without)
        thresholds.append(threshold_ucr(4 / 64, others[0], others[-1]))
    assert known.reserve_ucr(1, HOUR_MS) == math.ceil(max(thresholds))


def test_nothing_is_learned_from_those_that_may_bid(data: Path) -> None:
    """Their offers are left out, by name; the last line says for whom. The threshold is of the other three's."""
    with analytics.open(data) as connection:
        known = reserve.learned(connection, MARKET, "rack", bidders=["cyn"])
        assert reserve.roots_of(connection, MARKET, ["cyn", "ann"]) == {"cyn", "ann"}
    assert known is not None
    assert (known.offers, known.roots, known.knows_enough) == (3, 3, True)
    others = sorted(price_ucr // UNITS for name, price_ucr in OFFERS.items() if name != "cyn")
    expected = math.ceil(threshold_ucr(4 / 64, others[0], others[-1]))
    price, _, learned, call, _ = reserve.lines(data, MARKET, "rack", 1, HOUR_MS, 1, ["cyn"])
    assert price == f"{credits_text(expected)}  reserve of 1 x 1h of rack"
    assert learned == "learned from 3 offers of 3 budget roots; 4 of 64 units leased"
    assert call == "for a call that 1 budget root may bid in: nothing was learned from their offers"
    few = reserve.lines(data, MARKET, "rack", 1, HOUR_MS, 1, ["cyn", "ann"])
    assert "learned from 2 offers of 2 budget roots, too few to learn from: the least" in few[2]


def test_what_is_printed(data: Path) -> None:
    """The price of the slot asked for, and what it is from."""
    with analytics.open(data) as connection:
        known = reserve.learned(connection, MARKET, "rack")
    assert known is not None
    price, hourly, learned, call, at = reserve.lines(data, MARKET, "rack", 3, 90_000, 1)
    expected = known.reserve.reserve_ucr(3, 90_000, 4 / 64)
    assert call.startswith("for an open call: what a root has offered counts")
    assert price == f"{credits_text(expected)}  reserve of 3 x 90s of rack"
    assert hourly.startswith(credits_text(known.reserve.hourly_ucr(4 / 64)))
    assert learned == "learned from 4 offers of 4 budget roots; 4 of 64 units leased"
    assert at.startswith("as published 2")


def test_a_pool_that_nobody_bid_on_has_the_least(data: Path) -> None:
    """And it is said that it is no more than that."""
    price, _, learned, _, _ = reserve.lines(data, MARKET, "gpu", 1, 3_600_000, 5_000)
    assert price.startswith("0.005  reserve of 1 x 1h")
    assert learned.endswith("too few to learn from: the least; 0 of 3 units leased")


@pytest.mark.parametrize(
    ("pool", "units", "says"), [("rak", 1, "has no pool 'rak'"), ("rack", 65, "than pool 'rack' has: 64")]
)
def test_a_wrong_question_says_what_is_wrong(data: Path, pool: str, units: int, says: str) -> None:
    """A pool that is not there, and more units than there are."""
    with pytest.raises(QueryError) as raised:
        reserve.lines(data, MARKET, pool, units, 60_000, 1)
    assert says in str(raised.value)


def test_a_name_that_nobody_has(data: Path) -> None:
    """It is not passed over: a slip would let somebody's own offers count."""
    with pytest.raises(QueryError, match="has the name 'anne'"):
        reserve.lines(data, MARKET, "rack", 1, 60_000, 1, ["ann", "anne"])


def test_who_bid_and_who_won_for_a_floor_share(data: Path) -> None:
    """The query of docs/strategies.md: each bidder of a manager's calls that have ended, with its root."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    with analytics.open(data) as connection:
        rows = connection.execute(query.replace("'ann'", "'manager'")).fetchall()
    # Of the two calls that had bidders and have ended: four bids, then one that was withdrawn.
    assert sorted((root, won) for _, _, root, won in rows if root != "ann") == [
        ("bob", False),
        ("cyn", True),
        ("dan", False),
    ]


def test_the_command_names_who_may_bid(data: Path) -> None:
    """`--for`, as often as there are names, prints what the module says."""
    printed = done(data, "--market", MARKET, "reserve", "rack", "--for", "cyn", "--for", "ann", "--least", "0.5")
    assert printed.splitlines() == reserve.lines(data, MARKET, "rack", 1, HOUR_MS, 500_000, ["cyn", "ann"])
