"""Rows of a Parquet file as JSON objects, one a row, so that any log format can read them.

Nulls are left out at every depth (absent is not zero, and a Parquet schema is the union of all
rows). Times become RFC 3339, a naive one is UTC; bytes become text, or base64 where they are not
UTF-8; decimals become strings; maps become objects.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pyarrow
import pyarrow.parquet

from streams.line_reader import MAX_LINE_BYTES, DamagedFile, Line, too_long_line

_ROWS_AT_ONCE = 64
"""Few, since a row may hold megabytes of prompt."""


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def read_rows(
    path: Path, max_line_bytes: int = MAX_LINE_BYTES, on_bytes: Callable[[int], None] | None = None
) -> Iterator[Line]:
    """Yields each row as a `Line` whose number counts rows from 1.

    `on_bytes` gets the file's size in even steps over the rows. A damaged file gives an item whose
    problem is a DamagedFile. Raises OSError when the file cannot be opened.
    """
    size, told, number = path.stat().st_size, 0, 0
    with path.open("rb") as raw:
        try:
            with pyarrow.parquet.ParquetFile(raw) as file:
                rows = max(file.metadata.num_rows, 1)
                for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                    for row in batch.to_pylist(maps_as_pydicts="lossy"):
                        number += 1
                        yield _line(number, row, max_line_bytes)
                    if on_bytes is not None:
                        on_bytes(size * number // rows - told)
                        told = size * number // rows
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            problem = DamagedFile("", "a Parquet file readable to its end", what)
            yield Line(number + 1, b"", 0, problem)


def _line(number: int, row: dict[str, object], max_line_bytes: int) -> Line:
    value = msgspec.json.encode(_plain(row))
    if len(value) <= max_line_bytes:
        return Line(number, value, len(value))
    return too_long_line(number, value, max_line_bytes)


def _plain(value: object) -> object:
    """The value in JSON's own types, nulls inside objects left out."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
