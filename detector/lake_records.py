"""Scores and alerts read back from their topics, unknown fields ignored."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np

from detector.alerts import Alert
from detector.assessment import Scope
from detector.features import FEATURE_NAMES, N_FEATURES
from detector.score_row import ScoreRow
from streams.envelope import Envelope, decode, read_data
from streams.errors import MalformedRecord
from streams.record import Count

_PLACE = {name: i for i, name in enumerate(FEATURE_NAMES)}


class _Score(msgspec.Struct, frozen=True):
    """Data of a `stillwatch.score` event, see `detector.output_records`."""

    tenant: str
    account: str
    scope: Scope
    scope_id: str
    requests: Count
    new_pieces: Count
    cue_pieces: Count
    score: float
    p_value: float
    features: dict[str, float | None]


def read_score(value: bytes) -> ScoreRow:
    """The scoring in a record of the scores topic.

    Features come by name: one that this release does not know is passed over, one that the record
    does not have is NaN. Raises MalformedRecord.
    """
    event = decode(value)
    data = read_data(event, _Score)
    vector = np.full(N_FEATURES, np.nan, np.float32)
    for name, known in data.features.items():
        if known is not None and name in _PLACE:
            vector[_PLACE[name]] = known
    return ScoreRow(
        data.tenant, data.account, data.scope, data.scope_id, _time_s(event), data.requests,
        data.new_pieces, data.cue_pieces, data.score, data.p_value, vector,
    )  # fmt: skip


def read_alert(value: bytes) -> tuple[Alert, float]:
    """The revision in a record of the alerts topic and its event time. Raises MalformedRecord."""
    event = decode(value)
    return read_data(event, Alert), _time_s(event)


def _time_s(event: Envelope) -> float:
    try:
        moment = dt.datetime.fromisoformat(event.time)
    except ValueError as error:
        raise MalformedRecord("time", "a time as RFC 3339 has it", event.time) from error
    if moment.tzinfo is None:
        raise MalformedRecord("time", "a time with its zone", event.time)
    return moment.timestamp()
