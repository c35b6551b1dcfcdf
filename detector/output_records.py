"""Outputs as records of the output topics, ready for one transaction with the input's offsets.

Every value is a CloudEvents envelope with a derived id, so a replay writes the same records.
Keys and partition keys are those of design.md ("Topics"): a verdict is keyed by its entity and lies
with its account; a lifted verdict is a tombstone.
"""

from __future__ import annotations

import math
from typing import Final

from detector.alert_event import alert_event
from detector.features import FEATURE_NAMES
from detector.outputs import Outputs
from detector.score_row import ScoreRow
from detector.verdict_change import VerdictChange
from streams.deadletters import DeadLetter
from streams.envelope import HEADERS, Envelope, derived_id, encode, wrap
from streams.log import OutputRecord

VERDICTS: Final = "stillwatch.verdicts"
ALERTS: Final = "stillwatch.alerts"
SCORES: Final = "stillwatch.scores"
DEAD_LETTERS: Final = "stillwatch.deadletters"
TOPICS: Final = (VERDICTS, ALERTS, SCORES, DEAD_LETTERS)

SOURCE: Final = "/stillwatch/worker"
SCHEMA_VERSION: Final = 1


def output_records(out: Outputs) -> list[OutputRecord]:
    """The records of one batch's outputs: verdicts, alerts, scores, dead letters."""
    records = [_verdict(change) for change in out.verdicts if not change.suppressed]
    for alert, at_s in out.alerts:
        key = alert.account.encode("utf-8", "replace")
        records.append(_record(ALERTS, key, alert_event(alert, at_s), at_s))
    records += [_score(row) for row in out.scores]
    records += [_dead_letter(letter) for letter in out.dead_letters]
    return records


def _verdict(change: VerdictChange) -> OutputRecord:
    key = f"{change.tenant}/{change.scope}/{change.scope_id}".encode("utf-8", "replace")
    account = change.account.encode("utf-8", "replace")
    if change.to_level == "allow":
        return OutputRecord(VERDICTS, key, None, change.at_s, HEADERS, partition_key=account)
    event = wrap(
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
    return OutputRecord(VERDICTS, key, encode(event), change.at_s, HEADERS, partition_key=account)


def _score(row: ScoreRow) -> OutputRecord:
    values = [None if math.isnan(value) else float(f"{value:.6g}") for value in row.vector.tolist()]
    data = {
        "tenant": row.tenant,
        "account": row.account,
        "scope": row.scope,
        "scope_id": row.scope_id,
        "requests": row.requests,
        "new_pieces": row.new_pieces,
        "cue_pieces": row.cue_pieces,
        "score": row.score,
        "p_value": row.p_value,
        "features": dict(zip(FEATURE_NAMES, values, strict=True)),
    }
    event = wrap(
        "score",
        data,
        event_id=derived_id(
            "score", row.tenant, row.scope, row.scope_id, row.requests, repr(row.at_s)
        ),
        source=SOURCE,
        subject=row.account,
        time_s=row.at_s,
        version=SCHEMA_VERSION,
        partition_key=row.account,
    )
    return _record(SCORES, row.account.encode("utf-8", "replace"), event, row.at_s)


def _dead_letter(letter: DeadLetter) -> OutputRecord:
    place = f"{letter.topic or letter.file}/{letter.partition or 0}"
    at_s = max(letter.time_s or 0.0, 0.0)
    number = letter.offset if letter.offset is not None else letter.line or 0
    event = wrap(
        "deadletter",
        letter,
        event_id=derived_id("deadletter", place, number, letter.sha256),
        source=SOURCE,
        subject=place,
        time_s=at_s,
        version=SCHEMA_VERSION,
        partition_key=place,
    )
    return _record(DEAD_LETTERS, place.encode("utf-8", "replace"), event, at_s)


def _record(topic: str, key: bytes, event: Envelope, at_s: float) -> OutputRecord:
    return OutputRecord(topic, key, encode(event), at_s, HEADERS)
