"""The partitioner agrees with Kafka's own test vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioner import murmur2, partition_for

# org.apache.kafka.common.utils.UtilsTest.testMurmur2 (signed, as Java prints them)
JAVA_HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
# kafka-python's test of its default partitioner against the Java client, 1,000 partitions
JAVA_PARTITIONS = {
    b"": 681,
    b"a": 524,
    b"ab": 434,
    b"abc": 107,
    b"123456789": 566,
    b"\x00 ": 742,
}


@pytest.mark.parametrize(("key", "signed"), JAVA_HASHES.items())
def test_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    """Same 32 bits as Java, for lengths of every remainder."""
    assert murmur2(key) == signed & 0xFFFFFFFF


@pytest.mark.parametrize(("key", "partition"), JAVA_PARTITIONS.items())
def test_partition_is_that_of_the_java_client(key: bytes, partition: int) -> None:
    """Same partition, negative hashes included: the sign bit is masked, not negated."""
    assert partition_for(key, 1000) == partition


def _plain_murmur2(data: bytes) -> int:
    """The same hash byte by byte, as Utils.java has it."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = data[i] + (data[i + 1] << 8) + (data[i + 2] << 16) + (data[i + 3] << 24)
        k = k * m & mask
        k ^= k >> 24
        h = (h * m & mask) ^ (k * m & mask)
    tail = data[whole:]
    if len(tail) == 3:
        h ^= tail[2] << 16
    if len(tail) >= 2:
        h ^= tail[1] << 8
    if tail:
        h = (h ^ tail[0]) * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ h >> 15


@given(st.binary(max_size=70))
def test_words_at_once_equal_bytes_one_by_one(data: bytes) -> None:
    """The fast form equals the plain one for any key."""
    assert murmur2(data) == _plain_murmur2(data)


@given(st.binary(max_size=40), st.integers(1, 300))
def test_partition_is_in_range(key: bytes, count: int) -> None:
    """Every key has a partition that exists."""
    assert 0 <= partition_for(key, count) < count


def test_no_partitions_is_an_error() -> None:
    """A count below 1 is said, not divided by."""
    with pytest.raises(ValueError, match="n_partitions"):
        partition_for(b"k", 0)
