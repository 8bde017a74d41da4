"""`contractnet reserve`: what a pool's owner had better not sell below, learned from the published ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.cli.durations import duration_text
from contractnet.errors import QueryError
from contractnet.money import credits_text
from contractnet.strategies import OpportunityReserve, PricedOffer
from contractnet.strategies.reserve import HOUR_MS

MEMORY = 1_000
"""The newest offers that count: of all who do not bid, or where everybody may, of all but any one root."""

_SHOWN = 40
# Only calls that have ended: what is sealed is nobody's to learn from. A resale has no capacity of the pool to give.
_OFFERS = """
SELECT accounts.budget_root, bids.price_ucr * 3600000 // (cfps.units::HUGEINT * cfps.duration_ms)
FROM bids JOIN cfps USING (market, cfp_id) JOIN accounts USING (market, account_id)
WHERE market = $market AND cfps.pool = $pool AND cfps.direction = 'SELL' AND cfps.closed_at IS NOT NULL
    AND cfps.resale_of IS NULL AND bids.status <> 'withdrawn' AND NOT list_contains($bidders, accounts.budget_root)
QUALIFY row_number() OVER (PARTITION BY accounts.budget_root ORDER BY bids.placed_at DESC, bids.bid_id) <= $memory
ORDER BY bids.placed_at DESC, bids.bid_id LIMIT 2 * $memory
"""
_ROOTS = "SELECT DISTINCT budget_root FROM accounts WHERE market = $market AND $name IN (name, project, budget_root)"
_POOL = """
SELECT pools.units, coalesce(sum(leased.units) FILTER (leased.starts_at <= $at AND leased.ends_at > $at), 0)::BIGINT
FROM pools LEFT JOIN reservations leased
    ON leased.market = pools.market AND leased.pool = pools.pool AND leased.status = 'active'
WHERE pools.market = $market AND pools.pool = $pool GROUP BY pools.units
"""


@dataclass(frozen=True, slots=True)
class Learned:
    """A reserve that has learned from a pool's calls: `offers` of `roots` budget roots, `leased` of its `units` now.
    `bidders` are the roots that may bid, whose offers are not among them; None: whoever wants may."""

    reserve: OpportunityReserve
    bidders: Collection[str] | None
    offers: int
    roots: int
    leased: int
    units: int

    @property
    def utilization(self) -> float:
        """The part of the pool that is leased, from 0 to 1; a pool that was made smaller may have more leased."""
        return min(1.0, self.leased / self.units)

    @property
    def knows_enough(self) -> bool:
        """Whether offers of enough budget roots are known; else the reserve is the least."""
        return self.reserve.knows_enough(self.bidders)

    def reserve_ucr(self, units: int, duration_ms: int) -> int:
        """The reserve price of a slot, micro-credits, rounded up."""
        return self.reserve.reserve_ucr(units, duration_ms, self.utilization, bidders=self.bidders)


def learned(
    connection: duckdb.DuckDBPyConnection,
    market: str,
    pool: str,
    least_ucr: int = 1,
    bidders: Collection[str] | None = None,
) -> Learned | None:
    """What a ledger's connection knows of a pool, or None where there is no such pool: the newest offers of calls that
    have ended, oldest first, and what is leased as it was published.

    `bidders` are the budget roots that may bid in the call that the reserve is for: it learns nothing from them.
    """
    asked = {"market": market, "pool": pool}
    row = connection.execute(_POOL, asked | {"at": published_at(connection)}).fetchone()
    if row is None:
        return None
    others = asked | {"memory": MEMORY, "bidders": sorted(bidders or ())}
    offers = [PricedOffer(*offer) for offer in connection.execute(_OFFERS, others).fetchall()]
    reserve = OpportunityReserve(least_ucr=least_ucr, memory=MEMORY)
    for offer in reversed(offers):
        reserve.observe(offer)
    return Learned(reserve, bidders, len(offers), len({offer.root for offer in offers}), leased=row[1], units=row[0])


def roots_of(connection: duckdb.DuckDBPyConnection, market: str, names: Collection[str]) -> frozenset[str]:
    """The budget roots of accounts, projects or budget roots of these names: of all, where a name is more than one.

    Raises QueryError for a name that is none of them.
    """
    roots: set[str] = set()
    for name in names:
        found = connection.execute(_ROOTS, {"market": market, "name": name}).fetchall()
        if not found:
            raise QueryError(f"No account, project or budget root of market {market!r} has the name {name[:_SHOWN]!r}.")
        roots.update(root for (root,) in found)
    return frozenset(roots)


def lines(
    data_dir: Path, market: str, pool: str, units: int, duration_ms: int, least_ucr: int, names: Collection[str] = ()
) -> list[str]:
    """The reserve price of a slot of so many units for so long, in credits, and what it was learned from.

    `least_ucr` is for a unit and an hour; `names` (accounts, projects or budget roots) are all that may bid, none:
    whoever wants may. Raises QueryError where there is no such pool or name, or no publication.
    """
    with ledger_with("pools", data_dir) as connection:
        at = moment_text(published_at(connection))
        bidders = roots_of(connection, market, names) if names else None
        known = learned(connection, market, pool, least_ucr, bidders)
    if known is None:
        raise QueryError(
            f"The ledger as published {at} has no pool {pool[:_SHOWN]!r} in market {market!r}. `contractnet query "
            f"'SELECT pool FROM pools'` lists all; what is new gets there within seconds while the market runs."
        )
    if units > known.units:
        raise QueryError(f"--units {units} is more than pool {pool[:_SHOWN]!r} has: {known.units}.")
    few = "" if known.knows_enough else ", too few to learn from: the least"
    slot = f"{units} x {duration_text(duration_ms)} of {pool}"
    if bidders is None:
        call = (
            "for an open call: what a root has offered counts in what it meets; --for names who may bid by invitation"
        )
    else:
        call = f"for a call that {_roots_text(len(bidders))} may bid in: nothing was learned from their offers"
    return [
        f"{credits_text(known.reserve_ucr(units, duration_ms))}  reserve of {slot}",
        f"{credits_text(known.reserve_ucr(1, HOUR_MS))}  for a unit and an hour",
        f"learned from {known.offers} offers of {_roots_text(known.roots)}{few}; "
        f"{known.leased} of {known.units} units leased",
        call,
        f"as published {at}",
    ]


def _roots_text(roots: int) -> str:
    return f"{roots} budget {'root' if roots == 1 else 'roots'}"
