"""What a file's name tells, and which files stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.lake_ranges import OffsetRange, settle, writer_tag
from streams.log import TopicPartition

SOURCE = TopicPartition("llm.requests", 3)
US, OTHER = writer_tag("us"), writer_tag("other")


def made(first: int, end: int, writer: str = US) -> OffsetRange:
    """A range of the one partition."""
    return OffsetRange(SOURCE, first, end, writer)


@given(
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True),
    number=st.integers(0, 10_000),
    first=st.integers(0, 2**62),
    count=st.integers(1, 10**6),
)
def test_a_name_tells_its_range(topic: str, number: int, first: int, count: int) -> None:
    """Whatever Kafka lets a topic be called, the name can be read back."""
    one = OffsetRange(TopicPartition(topic, number), first, first + count, US)
    assert OffsetRange.of_file(f"facts/tenant=a-1/day=2026-11-25/{one.file_name}") == one


@pytest.mark.parametrize("name", ["demo-00000.parquet", "replay_0a1b2c-00001.parquet", "x"])
def test_other_writers_files_are_nobodys_range(name: str) -> None:
    """What demo or replay wrote into the same store is left alone."""
    assert OffsetRange.of_file(f"facts/tenant=a/day=2026-11-25/{name}") is None


@pytest.mark.parametrize(
    ("found", "position", "remove", "start"),
    [
        ([], 7, [], 7),
        ([made(0, 10), made(10, 20)], 20, [], 20),
        # written and not committed
        ([made(0, 10), made(10, 20)], 10, [made(10, 20)], 10),
        # the group forgot its offsets: all is read again
        ([made(0, 10), made(10, 20)], 0, [made(0, 10), made(10, 20)], 0),
        # offsets were set back to the middle of a file
        ([made(0, 10), made(10, 20)], 4, [made(10, 20)], 10),
        # a member that was thrown out wrote more, the same or less than its successor
        ([made(0, 10), made(0, 15, OTHER)], 10, [made(0, 15, OTHER)], 10),
        ([made(0, 10), made(10, 20), made(0, 15, OTHER)], 20, [made(0, 15, OTHER)], 20),
        ([made(0, 10), made(0, 5, OTHER), made(10, 20)], 20, [made(0, 5, OTHER)], 20),
        ([made(0, 10), made(0, 10, OTHER)], 10, [min(made(0, 10), made(0, 10, OTHER))], 10),
    ],
)
def test_files_are_set_right(
    found: list[OffsetRange], position: int, remove: list[OffsetRange], start: int
) -> None:
    """Each way of dying, and of setting offsets back, ends with each record once."""
    plan = settle(found, position)
    assert (plan.remove, plan.position) == (frozenset(remove), start)
