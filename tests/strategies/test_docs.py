"""The programs in the documents run, and give what they say."""

from __future__ import annotations

import re
from pathlib import Path

from contractnet import credits
from contractnet.messages import Pricing
from contractnet.strategies import Paced
from contractnet.strategies.bargaining import Negotiation
from tests.strategies.auctions import OneCall

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run_block(name: str, **given: object) -> dict[str, object]:
    """Run the one Python block of a document with these names, and return all names after it."""
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
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
