"""Request-log files: every packing reads alike, merging is by time, bad input is data."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams import files, line_reader
from streams.files import FileRecord, UnreadableInput, expand_paths, read_files
from streams.line_reader import HEAD_BYTES, DamagedFile, LineTooLong, read_lines

T0_S = 1_750_000_000.0


def _time_of(value: bytes) -> float | None:
    found = re.search(rb'"t": ?(-?[\d.]+)', value)
    return float(found.group(1)) if found else None


def _lines(*times: float | None) -> bytes:
    rows = [{"i": i} if t is None else {"i": i, "t": t} for i, t in enumerate(times)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _read(*paths: Path, **options: object) -> list[FileRecord]:
    return list(read_files(paths, _time_of, **options))  # type: ignore[arg-type]


def _plain(data: bytes) -> bytes:
    return data


def _two_members(data: bytes) -> bytes:
    return gzip.compress(data[:20]) + gzip.compress(data[20:])


def _two_frames(data: bytes) -> bytes:
    return zstandard.compress(data[:20]) + zstandard.compress(data[20:])


PACKINGS = [_plain, gzip.compress, _two_members, zstandard.compress, _two_frames]


@pytest.mark.parametrize("pack", PACKINGS)
def test_every_packing_reads_alike_whatever_the_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """Plain, gzip and zstd (also in several members) give the same records, by content."""
    path = tmp_path / "export"
    path.write_bytes(pack(_lines(1.0, 2.0, 3.0)))
    records = _read(path)
    assert [json.loads(record.value)["i"] for record in records] == [0, 1, 2]
    assert [record.line for record in records] == [1, 2, 3]
    assert [record.time_s for record in records] == [1.0, 2.0, 3.0]
    assert all(record.source == str(path) for record in records)
    assert all(record.byte_length == len(record.value) for record in records)


@pytest.mark.parametrize("pack", PACKINGS)
def test_one_document_over_many_lines(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A printed array gives its elements, a printed record itself; no setting is needed."""
    rows = [{"t": float(i), "text": "a]\n"} for i in range(20)]
    array, single = tmp_path / "array.json", tmp_path / "single.json"
    array.write_bytes(pack(json.dumps(rows, indent=2).encode()))
    single.write_bytes(pack(b"\xef\xbb\xbf\n" + json.dumps(rows[0], indent=2).encode()))
    got = _read(array)
    assert [json.loads(record.value) for record in got] == rows
    assert [record.line for record in got] == list(range(1, 21))
    assert [record.time_s for record in got] == [row["t"] for row in rows]
    assert [json.loads(record.value) for record in _read(single)] == [rows[0]]


@pytest.mark.parametrize("data", [b'{"a":\n{"i":1}\n', b"[\n" * 100_000, b'[\n{"i":1}'])
def test_what_only_begins_as_a_document_is_read_by_lines(tmp_path: Path, data: bytes) -> None:
    """A broken first line loses no other line, and deep nesting does no harm."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    assert [record.value for record in _read(path)] == data.split()


def test_an_element_too_long_is_an_item(tmp_path: Path) -> None:
    """The limit of a line holds for an element of an array as well."""
    path = tmp_path / "a.json"
    path.write_bytes(b'[\n"' + b"x" * 200 + b'",\n1\n]')
    long, good = _read(path, max_line_bytes=100)
    assert isinstance(long.problem, LineTooLong)
    assert (good.line, good.value) == (2, b"1")


def test_line_ends_blank_lines_and_byte_order_mark(tmp_path: Path) -> None:
    """CRLF, blank lines, a BOM and a missing last newline change no record; numbers stay true."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"i":0}\r\n\r\n  \n{"i":1}\x00\n{"i":2}')
    records = _read(path)
    assert [record.value for record in records] == [b'{"i":0}', b'{"i":1}\x00', b'{"i":2}']
    assert [record.line for record in records] == [1, 4, 5]


@given(
    st.lists(st.binary(max_size=12) | st.text("a\r", max_size=9).map(str.encode), max_size=12),
    st.integers(0, 12),
    st.integers(1, 9),
)
def test_lines_equal_a_plain_split(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], limit: int, chunk_bytes: int
) -> None:
    """Any bytes, any chunks: the lines of a split of the whole, the long ones marked and hashed."""
    data = b"\n".join(parts)
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b"x\n" + data)  # so that no magic number or BOM comes first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_reader, "_CHUNK_BYTES", chunk_bytes)
        got = list(read_lines(path, max_line_bytes=limit))
    expected = [
        (number, line.removesuffix(b"\r"))
        for number, line in enumerate((b"x\n" + data).split(b"\n"), start=1)
    ]
    kept = [(n, line) for n, line in expected if line.strip() or len(line) > limit]
    assert [(line.number, line.byte_length) for line in got] == [(n, len(v)) for n, v in kept]
    for line, (_, value) in zip(got, kept, strict=True):
        assert line.value == value
        assert (line.problem is not None) == (len(value) > limit)
        assert line.sha256 == (_sha(value) if len(value) > limit else None)


def test_a_huge_line_is_an_item_and_the_next_one_is_read(tmp_path: Path) -> None:
    """Only its head is kept, with length and sha256 of the whole, across many chunks."""
    path = tmp_path / "a.jsonl.gz"
    huge = b"z" * 3_000_000
    path.write_bytes(gzip.compress(b'{"i":0}\n' + huge + b'\r\n{"i":1}\n'))
    before, long, after = _read(path, max_line_bytes=1_000_000)
    assert (before.value, after.value) == (b'{"i":0}', b'{"i":1}')
    assert isinstance(long.problem, LineTooLong)
    assert long.value == huge[:HEAD_BYTES]
    assert long.line == 2
    assert long.byte_length == len(huge)
    assert long.sha256 == _sha(huge)
    assert after.line == 3


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_damaged_archive_gives_its_good_lines_and_says_where_it_ends(tmp_path: Path) -> None:
    """A cut gzip and a flipped zstd byte are one bad record each; the other file is read on."""
    lines = _lines(*(float(i) for i in range(50_000)))
    cut, flipped, good = tmp_path / "a.gz", tmp_path / "b.zst", tmp_path / "c.jsonl"
    cut.write_bytes(gzip.compress(lines)[:-1000])
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(lines))
    packed[-1] ^= 0xFF
    flipped.write_bytes(packed)
    good.write_bytes(_lines(1e9, 1e9 + 1))
    records = _read(cut, flipped, good)
    for path in (cut, flipped):
        own = [record for record in records if record.source == str(path)]
        assert len(own) > 1000
        assert isinstance(own[-1].problem, DamagedFile)
        assert own[-1].line >= own[-2].line
        assert sum(record.problem is not None for record in own) == 1
    assert [r.time_s for r in records if r.source == str(good)] == [1e9, 1e9 + 1]


def test_parquet_rows_become_json_objects(tmp_path: Path) -> None:
    """Nulls are left out at every depth; times, bytes, decimals, maps and NaN become JSON."""
    path = tmp_path / "a.parquet"
    row = {
        "t": T0_S,
        "none": None,
        "messages": [{"role": "user", "name": None}, None],
        "at": dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  (Parquet times may have no zone)
        "day": dt.date(2026, 1, 2),
        "raw": b"\xff\x00",
        "text": b"ok",
        "cost": Decimal("0.10"),
        "nan": float("nan"),
        "labels": [("a", 1)],
    }
    kinds = {"labels": pyarrow.map_(pyarrow.string(), pyarrow.int64()), "none": pyarrow.string()}
    columns = {name: pyarrow.array([value], kinds.get(name)) for name, value in row.items()}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    (record,) = _read(path)
    assert json.loads(record.value) == {
        "t": T0_S,
        "messages": [{"role": "user"}, None],
        "at": "2026-01-02T03:04:05Z",
        "day": "2026-01-02",
        "raw": "/wA=",
        "text": "ok",
        "cost": "0.10",
        "nan": None,
        "labels": {"a": 1},
    }
    assert (record.line, record.byte_length) == (1, len(record.value))
    assert record.time_s == T0_S


def test_a_damaged_or_huge_parquet_row_is_an_item(tmp_path: Path) -> None:
    """Bytes that only begin as Parquet are one bad record; a huge row is marked too long."""
    broken, huge = tmp_path / "a.parquet", tmp_path / "b.parquet"
    broken.write_bytes(b"PAR1 and nothing more")
    pyarrow.parquet.write_table(pyarrow.table({"p": ["x" * 200, "y"]}), huge)
    bad, long, good = read_files([broken, huge], max_line_bytes=100)
    assert isinstance(bad.problem, DamagedFile)
    assert isinstance(long.problem, LineTooLong)
    assert long.byte_length == len('{"p":""}') + 200
    assert json.loads(good.value) == {"p": "y"}


@given(
    st.lists(
        st.lists(st.integers(0, 1000).map(float), max_size=30).map(sorted),
        min_size=2,
        max_size=5,
    )
)
def test_sorted_files_merge_into_one_sorted_stream(
    tmp_path_factory: pytest.TempPathFactory, times_by_file: list[list[float]]
) -> None:
    """Times unchanged, in order over all files, ties by path, each file's order kept."""
    folder = tmp_path_factory.mktemp("merge")
    paths = [folder / f"{number}.jsonl" for number in range(len(times_by_file))]
    for path, times in zip(paths, times_by_file, strict=True):
        path.write_bytes(_lines(*times))
    got = [(record.time_s, record.source, record.line) for record in _read(*paths)]
    expected = sorted(
        (time_s, str(path), line)
        for path, times in zip(paths, times_by_file, strict=True)
        for line, time_s in enumerate(times, start=1)
    )
    assert got == expected


def test_a_year_of_daily_files_is_open_one_or_two_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is opened when its time has come and closed at its end, also when we stop early."""
    open_now: set[str] = set()
    most = 0

    def watched(path: Path, *rest: object) -> Iterator[line_reader.Line]:
        nonlocal most
        open_now.add(path.name)
        most = max(most, len(open_now))
        try:
            yield from read_lines(path, *rest)  # type: ignore[arg-type]
        finally:
            open_now.discard(path.name)

    paths = [tmp_path / f"{day:03}.jsonl" for day in range(365)]
    for day, path in enumerate(paths):
        path.write_bytes(_lines(*(day * 86_400.0 + hour * 3600.0 for hour in range(24))))
    monkeypatch.setattr(files, "read_lines", watched)
    times = [record.time_s for record in _read(*reversed(paths))]
    assert times == [hour * 3600.0 for hour in range(365 * 24)]
    assert most <= 2
    stopped = read_files(paths, _time_of)
    next(stopped)
    assert isinstance(stopped, Generator)
    stopped.close()
    assert not open_now


def test_records_without_a_time_keep_that_of_their_file(tmp_path: Path) -> None:
    """They stay behind the record before them; before the first time they come first."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(_lines(None, 10.0, None, 30.0))
    b.write_bytes(_lines(20.0))
    records = _read(a, b)
    assert [(Path(r.source).name, r.line) for r in records] == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 1),
        ("a", 4),
    ]
    assert [r.time_s for r in records] == [None, 10.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize("where", [0, 5, 19])
def test_one_bad_clock_neither_holds_a_file_back_nor_shows_a_wrong_time(
    tmp_path: Path, where: int
) -> None:
    """A record of 2099 at the start, within, or at the end stays near its neighbours' time."""
    a, b = tmp_path / "a", tmp_path / "b"
    times = [T0_S + i for i in range(20)]
    times[where] = 4.07e9
    a.write_bytes(_lines(*times))
    b.write_bytes(_lines(*(T0_S + i + 0.5 for i in range(20))))
    records = _read(a, b)
    assert max(r.time_s for r in records if r.time_s is not None) <= T0_S + 86_420.0
    if where < 19:
        order = [record.source for record in records]
        assert order.index(str(b)) <= 8
        assert all(r.time_s is not None and r.time_s <= T0_S + 20 for r in records)


def test_a_time_that_is_no_number_is_no_time(tmp_path: Path) -> None:
    """NaN and infinity from the callback cannot upset the merge."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"nan\ninf\n1\n")
    b.write_bytes(b"0\n")
    records = list(read_files([a, b], float))
    assert [record.value for record in records] == [b"nan", b"inf", b"0", b"1"]


def test_progress_ends_at_all_bytes(tmp_path: Path) -> None:
    """Never falls, ends at the size on disk, packed or not."""
    a, b, c = tmp_path / "a.jsonl", tmp_path / "b.gz", tmp_path / "c.parquet"
    a.write_bytes(_lines(*(float(i) for i in range(20_000))))
    b.write_bytes(gzip.compress(_lines(1.0)))
    pyarrow.parquet.write_table(pyarrow.table({"t": [1.0] * 200}), c)
    calls: list[tuple[int, int]] = []
    _read(a, b, c, progress=lambda done, total: calls.append((done, total)))
    total = sum(path.stat().st_size for path in (a, b, c))
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)
    assert len(calls) > 3


def test_without_times_files_follow_each_other(tmp_path: Path) -> None:
    """No callback, no merge: the order of the paths."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(_lines(9.0, 10.0))
    b.write_bytes(_lines(1.0))
    assert [(r.source, r.time_s) for r in read_files([a, b])] == [
        (str(a), None),
        (str(a), None),
        (str(b), None),
    ]


def test_paths_directories_and_globs(tmp_path: Path) -> None:
    """Sorted, nothing twice, foreign and hidden files left out, a named file always taken."""
    for name in ("b.jsonl", "a.log.gz", "sub/c.ndjson.zst", "sub/d.PARQUET", "x.txt", ".h.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(*arguments: str) -> list[str]:
        found = expand_paths([str(tmp_path / argument) for argument in arguments])
        return [str(path.relative_to(tmp_path)) for path in found]

    assert names(".") == ["a.log.gz", "b.jsonl", "sub/c.ndjson.zst", "sub/d.PARQUET"]
    assert names("x.txt", "*.jsonl", ".") == ["x.txt", "b.jsonl", *names("a.log.gz", "sub")]
    assert names("**/*.zst") == ["sub/c.ndjson.zst"]


@pytest.mark.parametrize("missing", ["nothing.jsonl", "*.nope", "empty"])
def test_a_path_to_nothing_is_an_error_that_names_it(tmp_path: Path, missing: str) -> None:
    """A missing file, a glob without hits, a directory without logs."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableInput) as caught:
        expand_paths([str(tmp_path / missing)])
    assert caught.value.path == str(tmp_path / missing)
    with pytest.raises(UnreadableInput):
        list(read_files([tmp_path / "gone"]))
