"""Which partition a market lives on: Kafka's own default partitioner, so that every client agrees.

librdkafka's default partitioner differs and would give a market two sequencers; producers here name the partition.
"""

from __future__ import annotations

from functools import lru_cache

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2), unsigned."""
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=4096)
def partition_of(market: str, partitions: int) -> int:
    """The partition of a market among `partitions`: (murmur2(UTF-8 of its id) & 0x7fffffff) mod N."""
    return (murmur2(market.encode()) & 0x7FFFFFFF) % partitions
