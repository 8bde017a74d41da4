"""The report on an award: the order of bids, where the price is from, and the records behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

import analytics
from analytics import award, award_evidence, award_report
from contractnet.errors import QueryError
from contractnet.messages import Claim, Direction, Pricing, Priority
from contractnet.messages import commands as c
from contractnet.topics import COMMANDS, LEDGER
from tests.analytics.towns import (
    BANK,
    MANAGER,
    MARKETS,
    Topics,
    Traffic,
    judged,
    published,
    source_of,
    traffic,
)
from tests.market.town import key_pair

PARTITION = 3
OPEN_MS, HOUR_MS = 120, 3_600_000
NASTY = "<script>alert(1)</script>"


@dataclass(slots=True)
class Held:
    """A market's topics, and a connection to what is published of them."""

    topics: Topics
    data: Path
    connection: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """Three markets with random trade."""
    yield from held(judged({partition: traffic(partition, 400) for partition in MARKETS}), tmp_path_factory)


@pytest.fixture(scope="module")
def sale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """One call for one slot: dan offers most and weighs least, ann and one whose name wants to be obeyed tie, bob is
    below the reserve, eve leaves."""
    town = Traffic(MARKETS[PARTITION], 1)
    town.open()
    prices = {"ann": 600, "bob": 90, NASTY: 600, "dan": 1_000, "eve": 2_000}
    ids = {}
    for name in prices:
        ids[name] = town.send(c.OpenAccount(name, "lab", name, key_pair(name).public, bytes(32)), BANK)
        town.send(c.IssueCredits(ids[name], 10**6, ""), BANK)
    town.send(c.SetWeight(ids["dan"], 500), BANK)
    call = c.CallForProposals(Direction.SELL, "rack", 2, HOUR_MS, 1, OPEN_MS, 100, Pricing.SECOND)
    cfp = town.send(call, MANAGER)
    claim = Claim(Priority.HIGH, 0, 70)
    bids = {
        name: town.send(c.PlaceBid(cfp, price_ucr, 0, "", bytes(32), claim), key_pair(name))
        for name, price_ucr in prices.items()
    }
    town.send(c.WithdrawBid(bids["eve"]), key_pair("eve"))
    town.at_ms += OPEN_MS
    town.tick()
    yield from held(judged({PARTITION: town.records}), tmp_path_factory)


def held(topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """Publish topics, and connect."""
    data = tmp_path_factory.mktemp("award")
    published(topics, data)
    with analytics.open(data) as connection:
        yield Held(topics, data, connection)


def awards(held: Held) -> list[tuple[str, str]]:
    """(market, award) of all of them."""
    return held.connection.execute("SELECT market, award_id FROM awards ORDER BY ALL").fetchall()


def test_every_price_is_explained(towns: Held) -> None:
    """By a rival or by the reserve, in sales and purchases, at first and second prices, by groups and resales."""
    sentences = set()
    for market, ident in awards(towns):
        case = award.case_of(towns.connection, market, ident)
        price = award.price_of(case)
        assert "record alone" not in price.sentence, (market, ident)
        assert case.offer.won
        assert case.offer.rank is not None
        sentences.add((case.cfp["direction"], case.cfp["award"], case.cfp["pricing"], price.bid_id is not None))
    assert {
        ("SELL", "AUTO", "SECOND", True),
        ("SELL", "AUTO", "SECOND", False),
        ("SELL", "AUTO", "FIRST", False),
    } < sentences
    assert ("SELL", "MANAGER", "FIRST", False) in sentences
    assert {direction for direction, *_ in sentences} == {"BUY", "SELL"}


def test_the_records_are_those_of_the_topics(towns: Held) -> None:
    """Signatures hold; the heads are those that the ledger has before the record that awarded, and after the award."""
    source, signers = source_of(towns.topics), set()
    for market, ident in awards(towns):
        case = award.case_of(towns.connection, market, ident)
        found = award_evidence.evidence_of(towns.connection, source, case)
        assert [one.what for one in found.signed] == ["call", "bid", "award"]
        assert all(one.holds or one.key is None for one in found.signed)
        signers |= {(one.what, one.by) for one in found.signed}
        row = case.award
        ledger = towns.topics[LEDGER.name][row["partition"]]
        at = next(i for i, record in enumerate(ledger) if record.offset == row["ledger_offset"])
        assert found.head_after == ledger[at].headers[0][1]
        assert found.head_before == ledger[at - row["index"] - 1].headers[0][1]
    assert ("call", "manager") in signers
    assert ("award", "manager") in signers, "a manager chose"
    assert ("award", "") in signers, "time went on"


def test_the_order_and_the_price_of_a_sale(sale: Held) -> None:
    """Two tie at 600 and draw, the loser sets the price; 1,000 at half weight counts 500."""
    ((market, ident),) = awards(sale)
    case = award.case_of(sale.connection, market, ident)
    ranked = [(o.row["agent"], float(o.score)) for o in case.offers if o.rank is not None]
    assert sorted(ranked[:2]) == sorted([("ann", 600.0), (NASTY, 600.0)])
    assert ranked[2:] == [("dan", 500.0)]
    assert [(o.row["agent"], o.row["reason"]) for o in case.offers if o.rank is None] == [
        ("bob", "BELOW_RESERVE"),
        ("eve", "WITHDRAWN"),
    ]
    assert case.award["price_ucr"] == 600
    loser = next(o for o in case.offers[:2] if not o.won)
    assert award.price_of(case).bid_id == loser.row["bid_id"]
    found = award_evidence.evidence_of(sale.connection, source_of(sale.topics), case)
    drew = {o.row["agent"]: found.draw(case.cfp["cfp_id"], o.row["budget_root"].encode()) for o in case.offers[:2]}
    assert min(drew, key=drew.__getitem__) == case.award["agent"]


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.seen = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.seen += data


def test_the_page_says_what_the_text_says(sale: Held) -> None:
    """Every fact of the text is in the page; no script, nothing from elsewhere, and names are text."""
    ((market, ident),) = awards(sale)
    report = award_report.report(sale.data, market, ident[:6], source_of(sale.topics))
    page = Page(report.html())
    assert "script" not in page.tags
    assert not page.links
    assert NASTY in page.seen
    told = report.text()
    for section in report.sections:
        for cells in (*section.facts, *section.rows):
            assert all(cell in page.seen for cell in cells), cells
            assert all(cell in told for cell in cells), cells
    assert "HIGH, 70 points" in told
    assert "pays 0.0006 credits" in told
    assert told.count(" holds ") == 2


def test_a_changed_command_does_not_hold(sale: Held) -> None:
    """A bid that is stored otherwise than it was signed is named."""
    ((market, ident),) = awards(sale)
    topics = {name: [list(records) for records in partitions] for name, partitions in sale.topics.items()}
    commands = topics[COMMANDS.name][PARTITION]
    case = award.case_of(sale.connection, market, ident)
    found = award_evidence.evidence_of(sale.connection, source_of(sale.topics), case)
    at = next(one.command_offset for one in found.signed if one.what == "bid")
    value = commands[at].value
    assert value is not None
    commands[at] = commands[at]._replace(value=value[:-1] + bytes([value[-1] ^ 1]))
    report = award_report.report(sale.data, market, ident, source_of(topics))
    assert report.text().count("DOES NOT HOLD") == 1


@pytest.mark.parametrize(
    ("given", "says"), [("abcde", "is no award's id"), ("zzzzzz", "is no award's id"), ("0" * 32, "has no award")]
)
def test_a_wrong_id_says_what_is_wrong(sale: Held, given: str, says: str) -> None:
    """Too short, no hex, not there."""
    with pytest.raises(QueryError) as raised:
        award_report.report(sale.data, MARKETS[PARTITION], given, None)
    assert says in str(raised.value)
