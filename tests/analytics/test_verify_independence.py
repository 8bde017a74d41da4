"""The independent checker is one: its prices are those of the reference, and its code is its own."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest

from analytics.checker.prices import Offer, Sale, is_critical, winners

CHECKER = Path(__file__).resolve().parents[2] / "analytics" / "checker"


@pytest.mark.parametrize(
    ("prices", "weights", "slots", "reserve", "won", "paid"),
    [
        ([50, 40], [1000, 1000], 1, 10, [0], [40]),
        ([50, 40], [500, 1000], 1, 10, [1], [25]),
        ([100, 55], [600, 1000], 1, 10, [0], [92]),
        ([30], [1000], 1, 10, [0], [10]),
        ([50, 40, 30], [1000, 1000, 1000], 2, 10, [0, 1], [30, 30]),
        ([50, 40], [1000, 1000], 2, 10, [0, 1], [10, 10]),
    ],
)
def test_the_reference_prices(
    prices: list[int], weights: list[int], slots: int, reserve: int, won: list[int], paid: list[int]
) -> None:
    """The table of the reference values: who wins, what it pays, and that no other price is right."""
    offers = [
        Offer(bytes([i]), price, weight, (bytes([i not in won, i]), bytes(32)), 0)
        for i, (price, weight) in enumerate(zip(prices, weights, strict=True))
    ]
    sale = Sale(1, 1_000, slots, reserve, 100, 0, 0)
    assert winners(offers, sale) == [bytes([i]) for i in won]
    for index, price_ucr in zip(won, paid, strict=True):
        right = [p for p in range(price_ucr - 2, price_ucr + 3) if is_critical(bytes([index]), p, offers, sale)]
        assert right == [price_ucr]


SCHEMAS_SIDE = {
    "contractnet.messages.commands": "what a record of the commands topic says; contractnet/codec.py reads it",
    "contractnet.messages.events": "which fields the events have",
    "contractnet.messages.names": "what a name is; tests/contractnet has vectors",
    "contractnet.messages.partition": "Kafka's own partitioner, which clients share; tests/contractnet has its vectors",
    "contractnet.messages.submission": "the id of a command, which agents compute as well",
    "contractnet.signing": "the zero hash that stands for the genesis",
}
"""All that the checker knows of other code: what messages are, to whoever writes or reads them, and no rule."""


def test_it_shares_no_code_with_the_market() -> None:
    """No module of the checker imports anything of market/, in whatever way, nor any other code that is not known."""
    graph = grimp.build_graph("analytics", "contractnet", "market", include_external_packages=False, cache_dir=None)
    modules = {f"analytics.checker.{path.stem}".removesuffix(".__init__") for path in CHECKER.glob("*.py")}
    imported = {name for module in modules for name in graph.find_modules_directly_imported_by(module)}
    assert imported - modules == SCHEMAS_SIDE.keys()
    for module in modules:
        assert not {name for name in graph.find_upstream_modules(module) if name.startswith(("market", "streams"))}
    reached = graph.find_upstream_modules("analytics.checker") | {"analytics.checker"}
    assert {name for name in reached if name.startswith("analytics.checker")} == modules
