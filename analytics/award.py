"""Why an agent won, and what it paid: one award with its call, all bids in the order of the award, and what followed.

Everything is read from one generation of the published ledger and derived anew from its rows, by the definitions of
docs/protocol.md and docs/purchases.md, not by the rules' own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import duckdb

from analytics.ledger import moment_text, published_at
from contractnet.errors import QueryError

PREFIX_MIN = 6
"""Hex digits of an award's id that are enough where no other begins with them."""

_ID_DIGITS = frozenset("0123456789abcdef")
_SHOWN = 40
_OUT = ("WITHDRAWN", "BELOW_RESERVE", "UNLOCKABLE", "CFP_CANCELLED")
_FOUND = "SELECT award_id FROM awards WHERE market = $market AND starts_with(award_id, $given) ORDER BY 1 LIMIT 2"
_BIDS = """
SELECT bid_id, account_id, agent, bids.project, task, pool, price_ucr, bids.weight_permille, start_delay_ms,
    claim_priority, claim_expected_value_points, placed_at, status, reason, budget_root
FROM bids JOIN accounts USING (market, account_id)
WHERE market = $market AND cfp_id = $cfp ORDER BY placed_at, bid_id
"""
_POSTINGS = """
SELECT transferred_at, amount_ucr, reason, d.name AS debit, c.name AS credit
FROM transfers t
JOIN accounts d ON d.market = t.market AND d.account_id = t.debit_id
JOIN accounts c ON c.market = t.market AND c.account_id = t.credit_id
WHERE t.market = $market AND (t.award_id = $award OR t.cfp_id = $cfp AND t.reason = 'DEPOSIT')
ORDER BY t.ledger_offset
"""
_LATER = """
SELECT ended_at AS moment, 'the lease is ' || status AS what FROM reservations
WHERE market = $market AND award_id = $award AND ended_at IS NOT NULL
UNION ALL
SELECT started_at, 'the work has started' FROM works
WHERE market = $market AND award_id = $award AND started_at IS NOT NULL
UNION ALL
SELECT ended_at, 'the work is ' || status || if(result <> '', ': ' || result, '') FROM works
WHERE market = $market AND award_id = $award AND ended_at IS NOT NULL
UNION ALL
SELECT opened_at, if(claimed, buyer || ' claims the lease', holder || ' bargains with ' || buyer) FROM negotiations
WHERE market = $market AND award_id = $award
UNION ALL
SELECT ended_at, 'that negotiation with ' || buyer || ' ends: ' || status FROM negotiations
WHERE market = $market AND award_id = $award AND ended_at IS NOT NULL
ORDER BY moment, what
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """A bid or ask of the call; `rank` from 1, None where it stood outside of the ranking."""

    row: dict[str, Any]
    score: Fraction
    rank: int | None

    @property
    def won(self) -> bool:
        """Whether it got a slot."""
        return bool(self.row["status"] == "won")


@dataclass(frozen=True, slots=True)
class Case:
    """An award and all about it, as dictionaries by the columns of the published tables."""

    market: str
    award: dict[str, Any]
    cfp: dict[str, Any]
    offers: list[Offer]
    reservation: dict[str, Any]
    work: dict[str, Any] | None
    hold: dict[str, Any] | None
    postings: list[dict[str, Any]]
    later: list[dict[str, Any]]
    published_at: datetime

    @property
    def buys(self) -> bool:
        """Whether the call bought work: then the lowest asks won."""
        return bool(self.cfp["direction"] == "BUY")

    @property
    def offer(self) -> Offer:
        """The winner's."""
        return next(offer for offer in self.offers if offer.row["bid_id"] == self.award["bid_id"])


@dataclass(frozen=True, slots=True)
class Price:
    """Where the price is from: `sentence`, and the bid that set it, where one did."""

    sentence: str
    bid_id: str | None = None


def award_id(connection: duckdb.DuckDBPyConnection, market: str, given: str) -> str:
    """The award whose id is, or begins with, these hex digits. Raises QueryError for none, and for more than one."""
    at = moment_text(published_at(connection))
    if len(given) < PREFIX_MIN or not _ID_DIGITS.issuperset(given):
        raise QueryError(f"{given[:_SHOWN]!r} is no award's id: give its 32 hex digits, or at least the first six.")
    found = connection.execute(_FOUND, {"market": market, "given": given}).fetchall()
    if len(found) == 1:
        return str(found[0][0])
    if found:
        raise QueryError(f"More than one award in market {market!r} begins with {given[:_SHOWN]}: give more digits.")
    raise QueryError(
        f"The ledger as published {at} has no award {given[:_SHOWN]} in market {market!r}. `contractnet query 'SELECT "
        f"award_id, agent, pool FROM awards ORDER BY awarded_at DESC'` lists them; grants of tokens and deals without "
        f"a call have tables of their own, token_grants and negotiations."
    )


def case_of(connection: duckdb.DuckDBPyConnection, market: str, given: str) -> Case:
    """All about an award. Raises QueryError where there is no such one."""
    asked = {"market": market, "award": award_id(connection, market, given)}
    (award,) = _rows(connection, "SELECT * FROM awards WHERE market = $market AND award_id = $award", asked)
    of_cfp = {"market": market, "cfp": award["cfp_id"]}
    (cfp,) = _rows(connection, "SELECT * FROM cfps WHERE market = $market AND cfp_id = $cfp", of_cfp)
    (reservation,) = _rows(connection, "SELECT * FROM reservations WHERE market = $market AND award_id = $award", asked)
    work = _rows(connection, "SELECT * FROM works WHERE market = $market AND award_id = $award", asked)
    hold = _rows(connection, "SELECT * FROM holds WHERE market = $market AND hold_id = $award", asked)
    return Case(
        market,
        award,
        cfp,
        _offers(cfp, _rows(connection, _BIDS, of_cfp)),
        reservation,
        work[0] if work else None,
        hold[0] if hold else None,
        _rows(connection, _POSTINGS, asked | of_cfp),
        _rows(connection, _LATER, asked),
        published_at(connection),
    )


def price_of(case: Case) -> Price:
    """Why the winner pays, or is promised, what it does."""
    price_ucr, own = case.award["price_ucr"], case.offer.row["price_ucr"]
    if case.cfp["pricing"] == "FIRST":
        chosen = "Its manager chose it, at its own price." if case.cfp["award"] == "MANAGER" else "Its own price."
        return Price(chosen)
    for other in _rivals(case):
        if price_ucr in (_asked_of(case, other) if case.buys else _least_against(case, other)):
            most = "The most it could have asked" if case.buys else "The least it could have bid"
            return Price(f"{most} and still be awarded beside the bid of {other.row['agent']}.", other.row["bid_id"])
    if price_ucr == case.cfp["reserve_price_ucr"]:
        what = "ceiling" if case.buys else "reserve"
        return Price(f"The {what} of the call: no other bid stood in its way.")
    same = " It is its own price." if price_ucr == own else ""
    return Price(f"The market's record alone says why: no bid of the call explains it.{same}")


def _rivals(case: Case) -> list[Offer]:
    """Who may have set the price, the likeliest first: those that were outbid, then those that won as well."""
    ranked = [offer for offer in case.offers if offer.rank is not None and offer is not case.offer]
    return sorted(ranked, key=lambda offer: (offer.won, offer.rank))


def _least_against(case: Case, other: Offer) -> tuple[int, ...]:
    """The least prices with which the winner ranks before another bid: where a tie is possible, with it and without."""
    weight = case.offer.row["weight_permille"]
    least, rest = divmod(other.row["weight_permille"] * other.row["price_ucr"], weight)
    reserve = case.cfp["reserve_price_ucr"]
    return tuple(max(reserve, one) for one in ((least + 1,) if rest else (least, least + 1)))


def _asked_of(case: Case, other: Offer) -> tuple[int, ...]:
    """The same for asks: the most with which the winner ranks before another one."""
    cost, weight = case.cfp["delay_cost_per_s_ucr"], case.offer.row["weight_permille"]
    theirs, delay = other.row["weight_permille"], cost * case.offer.row["start_delay_ms"]
    total = other.row["price_ucr"] * 1000 + cost * other.row["start_delay_ms"]
    most, rest = divmod(total * weight - delay * theirs, 1000 * theirs)
    ceiling = case.cfp["reserve_price_ucr"]
    return tuple(min(ceiling, one) for one in ((most,) if rest else (most, most - 1)))


def _offers(cfp: dict[str, Any], rows: list[dict[str, Any]]) -> list[Offer]:
    """Ranked first, best first, then those outside of the ranking as they came. Ties stand as they were drawn, as far
    as the awards say."""
    scored = [(row, _score(cfp, row)) for row in rows]
    inside = [(row, score) for row, score in scored if row["reason"] not in _OUT and row["status"] != "withdrawn"]
    inside.sort(key=lambda pair: (pair[1] if cfp["direction"] == "BUY" else -pair[1], pair[0]["status"] != "won"))
    ranked = [Offer(row, score, rank) for rank, (row, score) in enumerate(inside, start=1)]
    chosen = {offer.row["bid_id"] for offer in ranked}
    return [*ranked, *(Offer(row, score, None) for row, score in scored if row["bid_id"] not in chosen)]


def _score(cfp: dict[str, Any], row: dict[str, Any]) -> Fraction:
    """What bids are ranked by: of a sale price times weight, the highest first; of a purchase price and cost of the
    delay over weight, the lowest first. Credits are micro-credits, a weight of 1000 is 1."""
    price_ucr, weight = Fraction(row["price_ucr"]), Fraction(row["weight_permille"], 1000)
    if cfp["direction"] != "BUY":
        return price_ucr * weight
    delay_ucr = Fraction(cfp["delay_cost_per_s_ucr"] * row["start_delay_ms"], 1000)
    return (price_ucr + delay_ucr) / weight


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, asked: dict[str, str]) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, asked)
    names: Sequence[str] = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
