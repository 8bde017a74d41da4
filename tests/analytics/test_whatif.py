"""`contractnet replay --set`: the same commands under other terms."""

from __future__ import annotations

import pytest

from analytics import whatif
from analytics.verify.source import MemorySource
from contractnet.errors import ReplayError
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from market.rules import RULES
from tests.analytics.towns import BANK, MANAGER, MARKETS, OPERATOR, PARTITIONS, Traffic, judged, source_of, traffic
from tests.market.town import START_MS, key_pair

PARTITION = 3
OPEN_MS, LEASE_MS = 100, 60_000


def again(source: MemorySource, *settings: str, until_ms: int | None = None) -> dict[str, whatif.Comparison]:
    """The markets of a source, compared."""
    markets, _ = whatif.rerun(source, OPERATOR.public, whatif.changes(settings), until_ms, None)
    return markets


@pytest.fixture(scope="module")
def sale() -> MemorySource:
    """One slot of the rack; ann offers 50, bob 40, at the second price; ann's weight is half of bob's. Then bob offers
    45 alone, above a reserve of 30."""
    town = Traffic(MARKETS[PARTITION], 1)
    town.open()
    agents = {
        name: town.send(c.OpenAccount(name, "p", name, key_pair(name).public, bytes(32)), BANK)
        for name in ("ann", "bob")
    }
    for ident in agents.values():
        town.send(c.IssueCredits(ident, 1_000, ""), BANK)
    town.send(c.SetWeight(agents["ann"], 500), BANK)

    def call(reserve_ucr: int, **offers: int) -> None:
        cfp = town.send(
            c.CallForProposals(Direction.SELL, "rack", 1, LEASE_MS, 1, OPEN_MS, reserve_ucr, Pricing.SECOND), MANAGER
        )
        for name, price_ucr in offers.items():
            town.send(c.PlaceBid(cfp, price_ucr, 0, "", bytes(32), None), key_pair(name))
        town.at_ms += OPEN_MS
        town.tick()

    call(10, ann=50, bob=40)
    call(30, bob=45)
    return source_of(judged({PARTITION: town.records}))


def summary(market: whatif.Comparison) -> tuple[list[int], list[int], dict[str, tuple[int, int]]]:
    """Prices then and now, sorted, and of each agent what the change takes from its balance, with how it won now."""
    prices = [sorted(price for _, price in side.awards.values()) for side in (market.then, market.now)]
    agents = {one.name: (one.balance_ucr[1] - one.balance_ucr[0], one.won[1]) for one in market.agents}
    return prices[0], prices[1], {name: agents[name] for name in ("ann", "bob")}


@pytest.mark.parametrize(
    ("settings", "now", "agents"),
    [
        # Bob wins both, by weight: 40 x 1000 against 50 x 500, for 25; then alone, for the reserve.
        (["reserve=100%"], [25, 30], {"ann": (0, 0), "bob": (0, 2)}),
        (["pricing=FIRST"], [40, 45], {"ann": (0, 0), "bob": (-30, 2)}),
        # The lot is bob's: ann has to offer more than he does.
        (["weights=off"], [30, 41], {"ann": (-41, 1), "bob": (25, 1)}),
        (["reserve=160%"], [25], {"ann": (0, 0), "bob": (30, 1)}),
        (["pricing=FIRST", "weights=off"], [45, 50], {"ann": (-50, 1), "bob": (10, 1)}),
    ],
)
def test_what_differs_follows_from_the_change(
    sale: MemorySource, settings: list[str], now: list[int], agents: dict[str, tuple[int, int]]
) -> None:
    """Winners, prices and balances, by hand."""
    (market,) = again(sale, *settings).values()
    assert summary(market) == ([25, 30], now, agents)


def test_the_report_says_so(sale: MemorySource) -> None:
    """In words, with the codes of what was answered otherwise."""
    (market,) = again(sale, "pricing=FIRST").values()
    told = "\n".join(whatif.lines(market, "pricing=FIRST"))
    assert "awards  2 at 0.000055 credits; 2 at 0.000085" in told
    assert "2 bids win either way: 0 at the same price, 2 dearer, 0 cheaper; 0 as it was only" in told
    assert "commands answered otherwise: 0" in told
    (market,) = again(sale, "reserve=160%").values()
    told = "\n".join(whatif.lines(market, "reserve=160%"))
    assert "1 bids win either way: 1 at the same price, 0 dearer, 0 cheaper; 1 as it was only" in told
    assert "rack" in told
    assert "bob" in told


def test_until_a_time(sale: MemorySource) -> None:
    """What was stamped later counts on neither side; before the genesis there is no market."""
    assert len(again(sale, "pricing=FIRST", until_ms=START_MS + 3_600_000)[MARKETS[PARTITION]].then.awards) == 2
    assert again(sale, "pricing=FIRST", until_ms=START_MS - 3_600_000) == {}


def test_the_same_terms_change_nothing() -> None:
    """Towns in which everything happens: with a reserve of 100% each side is the other, ties included."""
    source = source_of(judged({at: traffic(at, 400, seed=at) for at in MARKETS}))
    markets = again(source, "reserve=100%")
    assert len(markets) == len(MARKETS)
    for market in markets.values():
        assert market.then.awards
        assert market.then == market.now
        assert not market.codes
        assert {one.balance_ucr[0] - one.balance_ucr[1] for one in market.agents} == {0}
        assert any("ends otherwise" in line for line in whatif.lines(market, "reserve=100%"))


def test_calls_that_managers_award_keep_their_prices() -> None:
    """They have first prices by the rules: none is refused for another."""
    source = source_of(judged({PARTITION: traffic(PARTITION, 400, seed=5)}))
    (market,) = again(source, "pricing=SECOND").values()
    assert not [codes for codes in market.codes if "BAD_PRICING" in codes]
    assert any(price == market.now.awards[bid][1] for bid, (_, price) in market.then.awards.items())


def test_other_rules() -> None:
    """Each version judges the commands of today; what it does not know it answers with UNKNOWN_RULES."""
    source = source_of(judged({PARTITION: traffic(PARTITION, 400, seed=5)}))
    (market,) = again(source, f"rules={min(RULES)}").values()
    assert any(now == "UNKNOWN_RULES" for _, now in market.codes)
    assert "ACCEPTED -> UNKNOWN_RULES" in "\n".join(whatif.lines(market, "rules=1"))
    (market,) = again(source, f"rules={max(RULES)}").values()
    assert market.then.awards


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["prices=FIRST"], "what can be set is pricing, reserve"),
        (["pricing"], "neither FIRST nor SECOND"),
        (["pricing=THIRD"], "neither FIRST nor SECOND"),
        (["reserve=1.5"], "no share of 0% to"),
        (["reserve=10001%"], "no share of 0% to"),
        (["weights=on"], "only off"),
        (["rules=2"], "no version of the rules: 1, 3"),
        (["rules=²"], "no version of the rules"),
        (["pricing=FIRST", "pricing=SECOND"], "the same thing twice"),
    ],
)
def test_a_setting_that_means_nothing(settings: list[str], says: str) -> None:
    """It is said what would."""
    with pytest.raises(ReplayError, match=says):
        whatif.changes(settings)


def test_another_operator(sale: MemorySource) -> None:
    """Markets of others are none."""
    markets, count = whatif.rerun(sale, bytes(32), whatif.changes(["pricing=FIRST"]), None, None)
    assert markets == {}
    assert count > 5
    assert sale.partitions("commands") == PARTITIONS
