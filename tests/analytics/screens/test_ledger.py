"""The view `cfp_screens` of the published ledger has what the pure functions say."""

from __future__ import annotations

from pathlib import Path

import pytest

import analytics
from analytics.screens.statistics import deviation, screens
from projections.publish import Publisher
from tests.projections.test_store import opened, settings_of, two_markets

COLUMNS = "bids, cv, spd, diffp, rd, kurt, skew, ks"


def expected(direction: str, prices: list[float]) -> list[float | None]:
    """What a CFP's row should hold; the best bid of a sale is the highest."""
    found = screens(prices)
    diffp, rd = found.diffp, found.rd
    ordered = sorted(prices)
    if direction == "SELL" and len(prices) > 1:
        gap, sd = ordered[-1] - ordered[-2], deviation(ordered[:-1])
        diffp, rd = gap / ordered[-1], gap / sd if sd else None
    return [found.bids, found.cv, found.spd, diffp, rd, found.kurt, found.skew, found.ks]


def test_the_view_has_what_the_functions_say(tmp_path: Path) -> None:
    """Every closed CFP with standing bids has one row, in sales and purchases, and all screens agree to nine digits."""
    settings = settings_of(tmp_path)
    store = opened(settings)
    records, _ = two_markets(5, 3000)
    store.apply(records)
    Publisher(store, settings).publish()
    with analytics.open(settings.data_dir) as connection:
        rows = connection.execute(f"SELECT market, cfp_id, direction, {COLUMNS} FROM cfp_screens").fetchall()
        stood = connection.execute(
            "SELECT market, cfp_id, list(price_ucr) FROM bids JOIN cfps USING (market, cfp_id)"
            " WHERE closed_at IS NOT NULL AND bids.status IN ('won', 'rejected') GROUP BY ALL"
        ).fetchall()
    store.close()
    prices = {(market, cfp): [float(price) for price in listed] for market, cfp, listed in stood}
    assert len(rows) == len(prices)
    assert {direction for _, _, direction, *_ in rows} == {"SELL", "BUY"}
    assert max(len(listed) for listed in prices.values()) > 3
    for market, cfp, direction, *values in rows:
        wanted = expected(direction, prices[market, cfp])
        assert values == [None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for value in wanted]
