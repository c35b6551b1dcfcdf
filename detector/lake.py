"""The analysts' store: facts, scores and alerts as Parquet, one folder a tenant and UTC day.

    LAKE/facts/tenant=default/day=2026-11-25/WRITER-00000.parquet
    LAKE/scores/…  LAKE/alerts/…

Layout: Hive partitioning, read by DuckDB, Spark, pandas and pyarrow alike. `tenant` (percent
encoded where it must be) and `day` (of event time) are in the path only. There is no prompt or
answer text in any table. Columns are added, never changed.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detector.alerts import Alert
from detector.errors import DetectorError
from detector.features import FEATURE_NAMES
from detector.outputs import FactBatch, Outputs
from detector.score_row import ScoreRow

_TIME = pa.timestamp("us", tz="UTC")

_FACT_FIELDS: Final[tuple[tuple[str, Any], ...]] = (
    ("event_id", pa.string()),
    ("account", pa.string()),
    ("organisation", pa.string()),
    ("key", pa.string()),
    ("end_user", pa.string()),
    ("source", pa.string()),
    ("provider", pa.string()),
    ("model", pa.string()),
    ("model_served", pa.string()),
    ("endpoint", pa.string()),
    ("finish_reason", pa.string()),
    ("finish_reason_raw", pa.string()),
    ("refusal_category", pa.string()),
    ("error_code", pa.string()),
    ("input_tokens", pa.int64()),
    ("cached_tokens", pa.int64()),
    ("output_tokens", pa.int64()),
    ("reasoning_tokens", pa.int64()),
    ("output_chars", pa.int64()),
    ("n_messages", pa.int64()),
    ("tool_count", pa.int64()),
    ("temperature", pa.float64()),
    ("stream", pa.bool_()),
    ("latency_ms", pa.float64()),
    ("ttft_ms", pa.float64()),
    ("cost_usd", pa.float64()),
    ("client_ip", pa.string()),
    ("network", pa.string()),
    ("user_agent", pa.string()),
    ("sdk", pa.string()),
    ("truncated", pa.bool_()),
    ("account_path", pa.string()),
)
"""Columns of facts that are fields of `ApiRequest` under their own name."""

FACTS: Final = pa.schema(
    [("event_time", _TIME), *_FACT_FIELDS, ("status", pa.string()), ("new_pieces", pa.int64())]
)
"""One request, unattributed ones (account null) too. `event_time`: the time in force, UTC;
`end_user`, `client_ip`: HMACs; `status`: HTTP status or "success"/"failure"; `new_pieces`: pieces
of text that the account had not sent before. The rest as in `ApiRequest`; null is "not logged"."""

SCORES: Final = pa.schema(
    [
        ("event_time", _TIME),
        ("account", pa.string()),
        ("scope", pa.string()),
        ("scope_id", pa.string()),
        ("requests", pa.int64()),
        ("new_pieces", pa.int64()),
        ("cue_pieces", pa.int64()),
        ("score", pa.float64()),
        ("p_value", pa.float64()),
        *((name, pa.float32()) for name in FEATURE_NAMES),
    ]
)
"""One scoring of an account, key or end user (`scope`): counts so far, probability of extraction,
conformal p-value, and every feature by name, null where the log does not tell it."""

ALERTS: Final = pa.schema(
    [
        ("event_time", _TIME),
        ("alert_id", pa.string()),
        ("revision", pa.int64()),
        ("state", pa.string()),
        ("close_reason", pa.string()),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("scope", pa.string()),
        ("scope_id", pa.string()),
        ("account", pa.string()),
        ("organisation", pa.string()),
        ("verdict", pa.string()),
        ("proposed_verdict", pa.string()),
        ("enforced", pa.bool_()),
        ("first_seen_at", _TIME),
        ("expires_at", _TIME),
        ("requests", pa.int64()),
        ("new_pieces", pa.int64()),
        ("cue_pieces", pa.int64()),
        ("score", pa.float64()),
        ("p_value", pa.float64()),
        ("reason_code", pa.string()),
        ("main_group", pa.string()),
        ("main_reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("contributions", pa.map_(pa.string(), pa.float64())),
        ("exemplars", pa.list_(pa.string())),
        ("harvest_pairs", pa.int64()),
        ("harvest_output_tokens", pa.int64()),
        ("atlas_id", pa.string()),
        ("policy", pa.string()),
        ("model", pa.string()),
        ("feature_schema", pa.string()),
    ]
)
"""One revision of an alert, see `detector.alerts.Alert`. `event_time` is that of the revision."""

TABLES: Final[Mapping[str, Any]] = {"facts": FACTS, "scores": SCORES, "alerts": ALERTS}
"""Name of a table (and its folder) -> its schema without the partition columns."""

ROWS_HELD = 50_000
"""Rows held back over all tables before they are written."""

_Part = tuple[str, str, str]
"""Table, tenant, day."""


class LakeError(DetectorError):
    """The analysts' store cannot be read or written. Attribute `path`."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class Lake:
    """Writes outputs; a context manager that writes what is left when it closes without error.

    Files are complete when they appear under their name.
    """

    def __init__(
        self, folder: Path, writer: str, versions: Mapping[str, str], rows_held: int = ROWS_HELD
    ) -> None:
        """`writer` begins the files' names: two that write at once need two names. `versions`
        (what the outputs were made with) go into each file's metadata.
        """
        self.folder = folder
        self._writer = writer
        self._metadata = {f"stillwatch.{name}": value for name, value in versions.items()}
        self._rows_held = rows_held
        self._held: dict[_Part, list[Any]] = {}
        self._rows = 0
        self._files = 0

    def forget(self) -> None:
        """Removes the files that this writer's name left before. Raises LakeError."""
        try:
            for old in self.folder.glob(f"*/tenant=*/day=*/{self._writer}-*.parquet"):
                old.unlink()
        except OSError as error:
            raise LakeError(self.folder, f"cannot be written ({error.strerror})") from error

    def add(self, out: Outputs) -> None:
        """Takes one batch's outputs. Raises LakeError when the folder cannot be written."""
        for batch in out.facts:
            for (tenant, day), rows in _fact_parts(batch).items():
                self._hold("facts", tenant, day, fact_table(batch, rows), len(rows))
        scores: dict[tuple[str, str], list[ScoreRow]] = {}
        for score in out.scores:
            scores.setdefault((score.tenant, utc_day(score.at_s)), []).append(score)
        for (tenant, day), found in scores.items():
            self._hold("scores", tenant, day, score_table(found), len(found))
        alerts: dict[tuple[str, str], list[tuple[Alert, float]]] = {}
        for alert, at_s in out.alerts:
            alerts.setdefault((alert.tenant, utc_day(at_s)), []).append((alert, at_s))
        for (tenant, day), told in alerts.items():
            self._hold("alerts", tenant, day, alert_table(told), len(told))
        if self._rows >= self._rows_held:
            self.flush()

    def flush(self) -> None:
        """Writes all rows held. Raises LakeError."""
        for table, tenant, day in sorted(self._held):
            tables = self._held[table, tenant, day]
            folder = self.folder / table / f"tenant={quote(tenant, safe='')}" / f"day={day}"
            path = folder / f"{self._writer}-{self._files:05d}.parquet"
            whole = pa.concat_tables(tables)
            whole = whole.replace_schema_metadata(self._metadata)
            partial = path.with_suffix(".partial")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                pq.write_table(whole, partial, compression="zstd")
                os.replace(partial, path)
            except OSError as error:
                raise LakeError(path, f"cannot be written ({error.strerror or error})") from error
            self._files += 1
        self._held.clear()
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.flush()

    def _hold(self, table: str, tenant: str, day: str, rows: Any, count: int) -> None:
        self._held.setdefault((table, tenant, day), []).append(rows)
        self._rows += count


def clear_lake(folder: Path) -> None:
    """Removes the three tables and nothing else of a folder."""
    for table in TABLES:
        shutil.rmtree(folder / table, ignore_errors=True)


def utc_day(time_s: float) -> str:
    """The UTC day of an event time as 2026-11-25."""
    return str(np.datetime64(int(time_s // 86_400.0), "D"))


def fact_table(batch: FactBatch, rows: Sequence[int]) -> Any:
    """Facts of the named requests of a batch."""
    requests = [batch.requests[i] for i in rows]
    columns = {
        name: pa.array([getattr(r, name) for r in requests], kind) for name, kind in _FACT_FIELDS
    }
    columns["event_time"] = _times(batch.times_s[list(rows)])
    columns["status"] = pa.array(
        [None if r.status is None else str(r.status) for r in requests], pa.string()
    )
    columns["new_pieces"] = pa.array(batch.new_pieces[list(rows)])
    return _table(FACTS, columns)


def score_table(rows: Sequence[ScoreRow]) -> Any:
    """Scorings as a table."""
    columns = {
        name: pa.array([getattr(row, name) for row in rows], SCORES.field(name).type)
        for name in SCORES.names[1:9]
    }
    columns["event_time"] = _times(np.array([row.at_s for row in rows], np.float64))
    vectors = np.stack([row.vector for row in rows])
    for i, name in enumerate(FEATURE_NAMES):
        column = np.ascontiguousarray(vectors[:, i], np.float32)
        columns[name] = pa.array(column, mask=np.isnan(column))
    return _table(SCORES, columns)


def alert_table(told: Sequence[tuple[Alert, float]]) -> Any:
    """Revisions of alerts as a table."""
    alerts = [alert for alert, _ in told]
    special = {
        "event_time": _times(np.array([at_s for _, at_s in told], np.float64)),
        "first_seen_at": _stamps([a.first_seen_at for a in alerts]),
        "expires_at": _stamps([a.expires_at for a in alerts]),
        "contributions": pa.array(
            [list(a.contributions.items()) for a in alerts], ALERTS.field("contributions").type
        ),
        "harvest_pairs": pa.array([a.estimated_harvest.pairs for a in alerts], pa.int64()),
        "harvest_output_tokens": pa.array(
            [a.estimated_harvest.output_tokens for a in alerts], pa.int64()
        ),
        "atlas_id": pa.array([a.atlas.id for a in alerts], pa.string()),
        **{
            name: pa.array([getattr(a.versions, name) for a in alerts], pa.string())
            for name in ("policy", "model", "feature_schema")
        },
    }
    plain = {
        field.name: pa.array([getattr(a, field.name) for a in alerts], field.type)
        for field in ALERTS
        if field.name not in special
    }
    return _table(ALERTS, {**plain, **special})


def _fact_parts(batch: FactBatch) -> dict[tuple[str, str], list[int]]:
    """Rows of a batch by tenant and day."""
    parts: dict[tuple[str, str], list[int]] = {}
    numbers = np.floor_divide(batch.times_s, 86_400.0).astype(np.int64)
    days = {n: str(np.datetime64(n, "D")) for n in np.unique(numbers).tolist()}
    for i, number in enumerate(numbers.tolist()):
        parts.setdefault((batch.requests[i].tenant, days[number]), []).append(i)
    return parts


def _times(times_s: NDArray[np.float64]) -> Any:
    return pa.array(np.round(times_s * 1e6).astype("datetime64[us]"), _TIME)


def _stamps(texts: Sequence[str | None]) -> Any:
    moments = [None if text is None else dt.datetime.fromisoformat(text) for text in texts]
    return pa.array(moments, _TIME)


def _table(schema: Any, columns: Mapping[str, Any]) -> Any:
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
