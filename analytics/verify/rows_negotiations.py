"""The rows of negotiations and their offers, for the fold of rows.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.verify.rows import Fields, Rows


_AT_MS_MAX = 253_402_300_799_999
"""The projection keeps times inside the years 1970 to 9999."""


def stored_ms(at_ms: int) -> int:
    """A time as the projection keeps it."""
    return min(max(at_ms, 0), _AT_MS_MAX)


def _opened(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    ident, award = e["negotiation"].hex(), e["award"].hex()
    who = [
        name
        for account in (e["holder"].hex(), e["counterpart"].hex())
        for name in (account, rows._agent(m, account)[0])
    ]
    terms = [e["protocol"], e["issues"], e["rounds_max"], e["round_ms"], e["still_rounds_max"], stored_ms(at_ms)]
    ends = [None, None, None, "proposed", None, None, None, None, False]
    pool = rows._leases[m, award][7]
    rows.negotiations[m, ident] = [rows.partition, offset, m, ident, award, *who, pool, *terms, *ends]


def _joined(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    row = rows.negotiations[m, e["negotiation"].hex()]
    if not row[24]:
        row[16:18] = [e["cap_ucr"], e["task"]]
    row[18:20] = [stored_ms(at_ms), "bargaining"]


def _claimed(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    row = rows.negotiations[m, e["negotiation"].hex()]
    row[16:18], row[24] = [e["cap_ucr"], e["task"]], True


def _offered(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    account = e["account"].hex()
    terms = [e["round"], account, rows._agent(m, account)[0], e["options"], e["price_ucr"], stored_ms(at_ms)]
    rows.keep("offers", [rows.partition, offset, m, e["negotiation"].hex(), *terms])


def _closed(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    row = rows.negotiations.pop((m, e["negotiation"].hex()))
    row[19:24] = [e["outcome"].lower(), e["rounds"], e["options"], e["price_ucr"], stored_ms(at_ms)]
    rows.keep("negotiations", row)


NEGOTIATION_STEPS: dict[str, Callable[[Rows, int, Any, Fields, int], None]] = {
    "NegotiationOpened": _opened,
    "LeaseClaimed": _claimed,
    "NegotiationJoined": _joined,
    "OfferMade": _offered,
    "NegotiationClosed": _closed,
}
