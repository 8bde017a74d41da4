"""The programs in the documents run, and give what they say."""

from __future__ import annotations

import re
from pathlib import Path

from contractnet import credits
from contractnet.messages import Pricing
from contractnet.strategies import FloorShare, OpportunityReserve, Paced, PricedOffer, TwoHalves
from contractnet.strategies.bargaining import Negotiation
from tests.strategies.auctions import OneCall

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run_block(name: str, number: int = 0, /, **given: object) -> dict[str, object]:
    """Run a Python block of a document with these names, and return all names after it."""
    block = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)[number]
    names = dict(given)
    exec(compile(block, name, "exec"), names)
    return names


def test_bargaining() -> None:
    """Two parties with four outcomes agree on one of the two Nash deals."""
    played = run_block("bargaining.md")["played"]
    assert isinstance(played, Negotiation)
    assert played.deal in (1, 2)


def test_strategies() -> None:
    """A worth in micro-credits, a bid of it, and an outcome that is settled."""
    call = OneCall(Pricing.SECOND)
    names = run_block(
        "strategies.md", cfp=call, now_ms=0, deadline_ms=180_000, paid_ucr=credits(1), winning_ucr=credits(1)
    )
    # The fourth unit of work that is 90% parallel, of 20 credits: 20·(0.1/(0.1 + 0.9/4) - 0.1/(0.1 + 0.9/3)), doubled
    # for HIGH, halved for one half-life of slack.
    assert names["price_ucr"] == names["worth"] == 1_153_846
    assert isinstance(names["strategy"], Paced)
    assert names["strategy"].pacer.left_ucr == credits(499)


def test_two_halves() -> None:
    """Whoever's turn it is, and a price from the offers of the other half."""
    accounts = {f"root {n}": [bytes([n]) * 16] for n in range(10)}
    reserve = OpportunityReserve()
    for root in accounts:
        reserve.observe(PricedOffer(root, 1_000))
    given = {"salt": bytes(16), "accounts": accounts, "reserve": reserve, "utilization": 1.0, "TwoHalves": TwoHalves}
    first, second = (run_block("strategies.md", 1, number=number, **given) for number in (1, 2))
    assert {*map(str, first["bidders"]), *map(str, second["bidders"])} == accounts.keys()  # type: ignore[call-overload]
    assert first["price_ucr"] == second["price_ucr"] == 2_000


def test_a_floor_share() -> None:
    """Who lost the fourth call is invited to the fifth."""
    accounts = {bytes([n]) * 16: f"root {n}" for n in range(3)}
    given = {"salt": bytes(16), "bidders": accounts, "winners": [bytes(16)], "FloorShare": FloorShare}
    names = run_block("strategies.md", 2, number=4, **given)
    assert names["invited"] == []
    assert isinstance(names["floor"], FloorShare)
    assert set(names["floor"].invited(5)) == {bytes([1]) * 16, bytes([2]) * 16}
