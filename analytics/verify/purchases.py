"""Rows of CFPs that buy, and of the work they bought, for the fold of analytics/verify/rows.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.verify.rows import Fields, Row, Rows

WORKS = (
    "partition, ledger_offset, market, award_id, cfp_id, manager_id, manager, account_id, agent, pool, price_ucr,"
    " promised_delay_ms, status, delay_ms, paid_ucr, result, epoch_ms(started_at), epoch_ms(ended_at)"
)


def purchase_opened(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    """A CFP buys."""
    terms = ("delay_cost_per_s_ucr", "bond_ucr", "start_within_ms", "grace_ms")
    rows.cfps[m, e["cfp"].hex()][23:27] = [e[name] for name in terms]


def units_offered(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    """A bid is an ask."""
    rows.bids[m, e["bid"].hex()][9] = e["pool"]


def begin(rows: Rows, head: Row, cfp: Row, bid: Row, price_ucr: int) -> None:
    """An ask has won. `head` is partition, offset and market."""
    who = [bid[3], cfp[3], cfp[4], cfp[5], bid[5], bid[6], bid[9]]
    rows.works[head[2], bid[3]] = [*head, *who, price_ucr, bid[12], "awarded", None, None, None, None, None]


def work_reported(rows: Rows, _: int, m: str, e: Fields, at_ms: Any) -> None:
    """Work has started, or ended."""
    row = rows.works[m, e["award"].hex()]
    row[12:14] = [e["progress"].lower(), e["delay_ms"]]
    if e["progress"] == "STARTED":
        row[16] = at_ms
        return
    row[14], row[15], row[17] = e["paid_ucr"], e["text"], at_ms
    rows.keep("works", rows.works.pop((m, e["award"].hex())))
