"""The file format: what is written is read again, and anything else is told as damage."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.snapshot_format import (
    HEAD,
    MAGIC,
    ColumnReader,
    Columns,
    DamagedSnapshot,
    Section,
    SectionReader,
    SectionWriter,
)
from detector.snapshot_head import Head, Mark, Place, anchor_of, row_layout
from detector.snapshot_names import SnapshotName, folder_of, read_name
from streams.log import LogRecord

TEXTS = st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=()), max_size=9)))


def written(*sections: Section) -> bytes:
    """A file with a header and these."""
    file = io.BytesIO()
    writer = SectionWriter(file)
    writer.write(Section(HEAD, b"{}"))
    for section in sections:
        writer.write(section)
    check = writer.done()
    assert len(check) == 64
    assert writer.written_bytes == len(file.getvalue())
    return file.getvalue()


def read(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The sections after the header."""
    reader = SectionReader(io.BytesIO(raw))
    assert reader.head() == b"{}"
    return [*reader.rest()]


@given(texts=TEXTS, numbers=st.lists(st.integers(0, 2**63)), payload=st.binary(max_size=300))
def test_what_is_written_is_read(
    texts: list[str | None], numbers: list[int], payload: bytes
) -> None:
    """Columns of texts, with gaps, half surrogate pairs and empty ones, columns of numbers and
    plain bytes come back as they were."""
    columns: Columns = {
        "t": texts,
        "n": np.array(numbers, np.uint64),
        "m": np.zeros((3, 2), np.uint8),
    }
    found = read(written(Section(b"COLS", columns), Section(b"RAW_", payload)))
    assert [kind for kind, _ in found] == [b"COLS", b"RAW_"]
    assert found[1][1] == payload
    reader = ColumnReader(found[0][1])
    assert reader.texts("t") == texts
    assert reader.array("n", np.uint64).tolist() == numbers
    assert reader.array("m", np.uint8, ndim=2).shape == (3, 2)
    for name, dtype in (("n", np.int64), ("x", np.uint64)):
        with pytest.raises(DamagedSnapshot):
            reader.array(name, dtype)
    if None in texts:
        with pytest.raises(DamagedSnapshot):
            reader.names("t")


@given(raw=st.binary(max_size=200), whole=st.booleans())
def test_any_other_bytes_are_damage(raw: bytes, whole: bool) -> None:
    """No bytes make a reader raise anything but DamagedSnapshot, behind the magic line or not, as a
    file or as columns."""
    for attempt in (lambda: read((MAGIC if whole else b"") + raw), lambda: ColumnReader(raw)):
        try:
            attempt()
        except DamagedSnapshot:
            continue


@given(data=st.data(), texts=TEXTS)
def test_changed_columns_are_damage_or_columns(
    data: st.DataObject, texts: list[str | None]
) -> None:
    """A payload whose checksum was made to fit, with some byte changed, is read or is damage."""
    ((_, payload),) = read(written(Section(b"COLS", {"t": texts, "n": np.arange(3)})))
    at = data.draw(st.integers(0, len(payload) - 1))
    changed = payload[:at] + bytes([data.draw(st.integers(0, 255))]) + payload[at + 1 :]
    try:
        reader = ColumnReader(changed)
        reader.texts("t")
        reader.array("n", np.int64)
    except DamagedSnapshot:
        pass


def head(**changes: Any) -> Head:
    """A header."""
    given: dict[str, Any] = {
        "group": "g", "topic": "t", "partition": 1, "partitions": 4, "next_offset": 100,
        "anchor": None, "marks": (Mark(5, 40, False), Mark(6, 100, True)), "kind": "full",
        "base": None, "base_check": None, "links": 0, "link_bytes": 0, "feature_schema": "f",
        "layout": row_layout(), "policy": "p", "model": "m",
    }  # fmt: skip
    return Head(**{**given, **changes})


def test_a_header_is_its_own_places() -> None:
    """Group, topic, partition and their number must all be the same, then schema and layout."""
    place = Place("g", "t", 4, 1)
    for other in (Place("h", "t", 4, 1), Place("g", "u", 4, 1), Place("g", "t", 8, 1)):
        assert "another place" in (head().misfit(other) or "")
    assert "feature schema" in (head().misfit(place) or "")
    decoded = msgspec.json.decode(msgspec.json.encode(head()), type=Head)
    assert decoded == head()


@pytest.mark.parametrize(
    ("past", "fits"),
    [
        ([Mark(5, 40, False), Mark(6, 100, True)], True),
        ([Mark(5, 40, False), Mark(6, 100, True), Mark(7, 100, False)], True),
        ([Mark(5, 40, False), Mark(6, 100, True), Mark(7, 99, False)], False),
        ([Mark(5, 40, False)], False),
        ([Mark(5, 41, False), Mark(6, 100, True)], False),
        ([Mark(5, 40, True), Mark(6, 100, True)], False),
    ],
)
def test_a_header_and_the_control_topic_tell_one_story(past: list[Mark], fits: bool) -> None:
    """What is in a state must have taken effect there and then, and nothing before its end may be
    missing; what took effect at its end may be in it or come yet."""
    assert (head().contradiction(past) is None) == fits


def test_an_anchor_tells_records_apart() -> None:
    """Another offset, time, key or value is another record; a missing key is not an empty one."""
    base = LogRecord("t", 0, 7, b"k", b"v", 1.0)
    others = [
        LogRecord("t", 0, 8, b"k", b"v", 1.0),
        LogRecord("t", 0, 7, b"k", b"v", 1.001),
        LogRecord("t", 0, 7, b"", b"kv", 1.0),
        LogRecord("t", 0, 7, None, b"kv", 1.0),
        LogRecord("t", 0, 7, b"kv", b"", 1.0),
    ]
    anchors = {anchor_of(record) for record in (base, *others)}
    assert len(anchors) == 6
    assert anchor_of(LogRecord("renamed", 3, 7, b"k", b"v", 1.0)) == anchor_of(base)


@given(
    st.builds(
        SnapshotName,
        st.integers(0, 10**18),
        st.integers(0, 999_999),
        st.sampled_from(["full", "changed"]),
        st.integers(0, 2**32 - 1).map("{:08x}".format),
    )
)
def test_names_are_read_again(name: SnapshotName) -> None:
    """A name comes back from its text; texts sort as states do; any other text is no name."""
    assert read_name(str(name)) == name
    assert read_name(f"{name}.partial") is None
    later = SnapshotName(name.next_offset + 1, 0, "full", "00000000")
    assert str(name) < str(later)
    assert name < later


def test_folders_of_strange_names_stay_inside() -> None:
    """A group's name is one folder, whatever stands in it."""
    assert folder_of(Place("../a/b", "t", 4, 1)) == "group=..%2Fa%2Fb/topic=t/of=4/partition=1"
