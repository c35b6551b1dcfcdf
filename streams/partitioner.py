"""Kafka's default partitioner for keyed records: murmur2 of the key, as the Java client and
kafka-python compute it, so that a key lands on the same partition whoever wrote it.

Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2` and `toPositive`; the hash is
Austin Appleby's MurmurHash2 (32 bit, little endian) with Kafka's seed.
"""

from __future__ import annotations

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data`, unsigned 32 bit (Java prints the same bits as a signed int)."""
    length = len(data)
    h = _SEED ^ (length & _MASK)
    words = length >> 2
    for word in struct.unpack_from(f"<{words}I", data):
        k = (word * _M) & _MASK
        k ^= k >> 24
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    rest = data[words << 2 :]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, n_partitions: int) -> int:
    """Partition of `key` in 0..n_partitions-1. Raises ValueError when n_partitions < 1.

    The sign bit is masked away, not negated (Kafka's `toPositive`).
    """
    if n_partitions < 1:
        raise ValueError(f"n_partitions must be at least 1, got {n_partitions}")
    return (murmur2(key) & 0x7FFFFFFF) % n_partitions
