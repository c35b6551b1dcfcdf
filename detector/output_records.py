"""Outputs as records of the output topics, ready for one transaction with the input's offsets.

Every value is a CloudEvents envelope with a derived id, so a replay writes the same records.
Keys and partition keys are those of design.md ("Topics"): a verdict is keyed by its entity and lies
with its account; a lifted verdict is a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from detector.alert_event import alert_event
from detector.cohort_records import SIGHTINGS, sighting_record
from detector.features import FEATURE_NAMES
from detector.outputs import Outputs
from detector.score_row import ScoreRow
from detector.six_digits import six_digits
from detector.verdict_change import VerdictChange
from streams.deadletters import DeadLetter
from streams.envelope import HEADERS, derived_id, encode, written
from streams.log import OutputRecord

VERDICTS: Final = "stillwatch.verdicts"
ALERTS: Final = "stillwatch.alerts"
SCORES: Final = "stillwatch.scores"
DEAD_LETTERS: Final = "stillwatch.deadletters"
TOPICS: Final = (VERDICTS, ALERTS, SCORES, SIGHTINGS, DEAD_LETTERS)

SOURCE: Final = "/stillwatch/worker"
SCHEMA_VERSION: Final = 1

_IN_ORDER: Final = np.argsort(FEATURE_NAMES, kind="stable")
_Features: Final = msgspec.defstruct("_Features", sorted(FEATURE_NAMES))
"""Features by name, as a dict of them is written: sorted. What is unknown is NaN: null in JSON."""


class _Score(msgspec.Struct, frozen=True):
    """Data of a score; its fields stand in the order of their names, as in a dict."""

    account: str
    cue_pieces: int
    features: msgspec.Struct
    new_pieces: int
    p_value: float
    requests: int
    scope: str
    scope_id: str
    score: float
    tenant: str


def output_records(out: Outputs) -> list[OutputRecord]:
    """The records of one batch's outputs: verdicts, alerts, scores, sightings, dead letters."""
    records = [_verdict(change) for change in out.verdicts if not change.suppressed]
    for alert, at_s in out.alerts:
        key = alert.account.encode("utf-8", "replace")
        event = encode(alert_event(alert, at_s))
        records.append(OutputRecord(ALERTS, key, event, at_s, HEADERS))
    records += _scores(out.scores)
    records += [sighting_record(seen) for seen in out.sightings]
    records += [_dead_letter(letter) for letter in out.dead_letters]
    return records


def _verdict(change: VerdictChange) -> OutputRecord:
    key = f"{change.tenant}/{change.scope}/{change.scope_id}".encode("utf-8", "replace")
    account = change.account.encode("utf-8", "replace")
    if change.to_level == "allow":
        return OutputRecord(VERDICTS, key, None, change.at_s, HEADERS, partition_key=account)
    event = written(
        "verdict",
        change,
        event_id=derived_id(
            "verdict", change.tenant, change.scope, change.scope_id, change.kind,
            repr(change.at_s), change.account_requests,
        ),
        source=SOURCE,
        subject=change.account,
        time_s=change.at_s,
        version=SCHEMA_VERSION,
        partition_key=change.account,
    )  # fmt: skip
    return OutputRecord(VERDICTS, key, event, change.at_s, HEADERS, partition_key=account)


def _scores(rows: Sequence[ScoreRow]) -> list[OutputRecord]:
    if not rows:
        return []
    features = six_digits(np.stack([row.vector for row in rows])[:, _IN_ORDER]).tolist()
    return [_score(row, _Features(*values)) for row, values in zip(rows, features, strict=True)]


def _score(row: ScoreRow, features: msgspec.Struct) -> OutputRecord:
    event = written(
        "score",
        _Score(
            row.account, row.cue_pieces, features, row.new_pieces, row.p_value, row.requests,
            row.scope, row.scope_id, row.score, row.tenant,
        ),
        event_id=derived_id(
            "score", row.tenant, row.scope, row.scope_id, row.requests, repr(row.at_s)
        ),
        source=SOURCE,
        subject=row.account,
        time_s=row.at_s,
        version=SCHEMA_VERSION,
        partition_key=row.account,
    )  # fmt: skip
    return OutputRecord(SCORES, row.account.encode("utf-8", "replace"), event, row.at_s, HEADERS)


def _dead_letter(letter: DeadLetter) -> OutputRecord:
    place = f"{letter.topic or letter.file}/{letter.partition or 0}"
    at_s = max(letter.time_s or 0.0, 0.0)
    number = letter.offset if letter.offset is not None else letter.line or 0
    event = written(
        "deadletter",
        letter,
        event_id=derived_id("deadletter", place, number, letter.sha256),
        source=SOURCE,
        subject=place,
        time_s=at_s,
        version=SCHEMA_VERSION,
        partition_key=place,
    )
    return OutputRecord(DEAD_LETTERS, place.encode("utf-8", "replace"), event, at_s, HEADERS)
