"""Markets lie where Kafka's own partitioner puts them."""

from __future__ import annotations

import pytest

from contractnet.messages.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("market", "hashed", "of_4", "of_12"),
    [
        ("default", 301195819, 3, 7),
        ("gpu-eu-west", 1982976230, 2, 2),
        ("gpu-us-east", 2040387591, 3, 3),
        ("llm-tokens", 225514671, 3, 3),
        ("tenant-42", 1569019766, 2, 2),
        ("Ω-market", 1488783816, 0, 0),
    ],
)
def test_partition_matches_kafkas_default_partitioner(market: str, hashed: int, of_4: int, of_12: int) -> None:
    """The reference vectors of ../shared/REFERENCE.md, computed with Kafka's Java client."""
    assert murmur2(market.encode()) & 0x7FFFFFFF == hashed
    assert partition_of(market, 4) == of_4
    assert partition_of(market, 12) == of_12
