"""The analysts' tables: their columns, and how rows become them.

`tenant` and `day` (UTC day of event time) are in the path of a file only, see `lake_files`. There
is no prompt or answer text in any table. Columns are added, never changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detector.alerts import Alert
from detector.features import FEATURE_NAMES
from detector.score_row import ScoreRow
from streams.record import ApiRequest

_TIME = pa.timestamp("us", tz="UTC")

_FACTS: Final[tuple[tuple[str, Any], ...]] = (
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
    [("event_time", _TIME), *_FACTS, ("status", pa.string()), ("new_pieces", pa.int64())]
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


def utc_day(time_s: float) -> str:
    """The UTC day of an event time as 2026-11-25."""
    return str(np.datetime64(int(time_s // 86_400.0), "D"))


def fact_table(
    requests: Sequence[ApiRequest],
    times_s: NDArray[np.float64],
    new_pieces: NDArray[np.int64] | None,
) -> Any:
    """Facts of requests with their event times in force, shape (n,).

    new_pieces: shape (n,); None where nobody counted them.
    """
    columns = {name: _column([getattr(r, name) for r in requests], kind) for name, kind in _FACTS}
    columns["event_time"] = _times(times_s)
    columns["status"] = _column(
        [None if r.status is None else str(r.status) for r in requests], pa.string()
    )
    columns["new_pieces"] = (
        pa.nulls(len(requests), pa.int64()) if new_pieces is None else pa.array(new_pieces)
    )
    return _table(FACTS, columns)


def score_table(rows: Sequence[ScoreRow]) -> Any:
    """Scorings as a table."""
    columns = {
        name: _column([getattr(row, name) for row in rows], SCORES.field(name).type)
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
        field.name: _column([getattr(a, field.name) for a in alerts], field.type)
        for field in ALERTS
        if field.name not in special
    }
    return _table(ALERTS, {**plain, **special})


def _times(times_s: NDArray[np.float64]) -> Any:
    return pa.array(np.round(times_s * 1e6).astype("datetime64[us]"), _TIME)


def _stamps(texts: Sequence[str | None]) -> Any:
    moments = [None if text is None else dt.datetime.fromisoformat(text) for text in texts]
    return pa.array(moments, _TIME)


def _column(values: Sequence[Any], kind: Any) -> Any:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # half of a surrogate pair, from a log that cut texts
        plain = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
        return pa.array(plain, kind)


def _table(schema: Any, columns: Mapping[str, Any]) -> Any:
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
