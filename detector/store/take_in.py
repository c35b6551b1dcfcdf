"""Writes records of the alerts topic to the tables, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from detector.store.errors import AnotherTopic
from detector.store.stored_alert import StoredAlert, read_alert
from detector.store.tables import AlertRow, PositionRow, stored_text
from streams.errors import MalformedRecord
from streams.log import LogRecord

_T = TypeVar("_T")

_CHUNK: Final = 200
"""Keys in one statement, well below every database's limit on variables."""

_Key = tuple[str, str, int]
"""Tenant, alert id, revision, as stored."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch held: new revisions, records that are no alert, revisions that were there."""

    alerts: int = 0
    bad_records: int = 0
    repeated: int = 0


@dataclass(slots=True)
class _Part:
    """What a batch adds to one partition."""

    next_offset: int
    alerts: list[StoredAlert] = field(default_factory=list)
    bad: int = 0
    last_bad: tuple[int, str] | None = None
    repeated: int = 0


@dataclass(slots=True)
class _Revision:
    """A revision, new or stored, as a link of its alert's chain."""

    place: tuple[int, int]
    superseded: tuple[int | None, int | None]
    verdict_rank: int
    peak_rank: int


def take_in(connection: Connection, records: Sequence[LogRecord]) -> Taken:
    """Writes what is new and moves the positions. The caller is the only writer."""
    positions = stored_positions(connection)
    _check_same_topic(connection, [r for r in records if r.offset < positions.get(r.partition, 0)])
    parts = _parts(records, positions)
    chains = _stored_chains(connection, parts)
    fresh: list[StoredAlert] = []
    for part in parts.values():
        for alert in part.alerts:
            key = _key(alert)
            chain = chains.setdefault(key[:2], {})
            if key[2] in chain:
                part.repeated += 1
                continue
            rank = alert.fields.verdict_rank
            chain[key[2]] = _Revision((alert.partition, alert.offset), (None, None), rank, rank)
            fresh.append(alert)
    if fresh:
        _write(connection, fresh, chains)
    for partition, part in sorted(parts.items()):
        _move(connection, partition, part)
    return Taken(
        len(fresh),
        sum(part.bad for part in parts.values()),
        sum(part.repeated for part in parts.values()),
    )


def stored_positions(connection: Connection) -> dict[int, int]:
    """Partition -> offset of the first record not taken in yet."""
    rows = connection.execute(select(PositionRow.log_partition, PositionRow.next_offset))
    return {row.log_partition: row.next_offset for row in rows}


def _parts(records: Sequence[LogRecord], at: Mapping[int, int]) -> dict[int, _Part]:
    """The batch by partition, without what was taken in before."""
    parts: dict[int, _Part] = {}
    for record in records:
        known = parts.get(record.partition)
        if record.offset < (known.next_offset if known else at.get(record.partition, 0)):
            continue
        part = parts.setdefault(record.partition, _Part(record.offset))
        part.next_offset = record.offset + 1
        try:
            part.alerts.append(read_alert(record))
        except MalformedRecord as error:
            part.bad += 1
            part.last_bad = (record.offset, stored_text(str(error)))
    return parts


def _check_same_topic(connection: Connection, again: Sequence[LogRecord]) -> None:
    """Raises AnotherTopic when records that come again are not what was taken in at their places.

    Other replicas' work looks the same as ours; a topic that was made anew does not, and passing
    over its records would lose them without a word.
    """
    for some in _chunks(again):
        places = [(record.partition, record.offset) for record in some]
        rows = connection.execute(
            select(AlertRow.log_partition, AlertRow.log_offset, AlertRow.body).where(
                tuple_(AlertRow.log_partition, AlertRow.log_offset).in_(places)
            )
        )
        bodies = {(row.log_partition, row.log_offset): row.body for row in rows}
        for record in some:
            body = bodies.get((record.partition, record.offset))
            if body is not None and body.encode() not in record.value:
                raise AnotherTopic(record.partition, record.offset)


def _stored_chains(
    connection: Connection, parts: Mapping[int, _Part]
) -> dict[tuple[str, str], dict[int, _Revision]]:
    """Tenant and alert id -> revision -> what is stored, for every alert of the batch."""
    chains: dict[tuple[str, str], dict[int, _Revision]] = {}
    ids = sorted({_key(alert)[1] for part in parts.values() for alert in part.alerts})
    for some in _chunks(ids):
        rows = connection.execute(
            select(
                AlertRow.tenant,
                AlertRow.alert_id,
                AlertRow.revision,
                AlertRow.log_partition,
                AlertRow.log_offset,
                AlertRow.superseded_partition,
                AlertRow.superseded_offset,
                AlertRow.verdict_rank,
                AlertRow.peak_rank,
            ).where(AlertRow.alert_id.in_(some))
        )
        for row in rows:
            chains.setdefault((row.tenant, row.alert_id), {})[row.revision] = _Revision(
                (row.log_partition, row.log_offset),
                (row.superseded_partition, row.superseded_offset),
                row.verdict_rank,
                row.peak_rank,
            )
    return chains


def _write(
    connection: Connection,
    fresh: Sequence[StoredAlert],
    chains: Mapping[tuple[str, str], Mapping[int, _Revision]],
) -> None:
    """Inserts the new revisions and points those they supersede at them."""
    new = {(alert.partition, alert.offset) for alert in fresh}
    changed: list[dict[str, int | None]] = []
    for key in dict.fromkeys(_key(alert)[:2] for alert in fresh):
        chain = [chains[key][number] for number in sorted(chains[key])]
        peak = 0
        for i, link in enumerate(chain):
            superseded = chain[i + 1].place if i + 1 < len(chain) else (None, None)
            peak = max(peak, link.verdict_rank)
            if link.place not in new and (link.superseded, link.peak_rank) != (superseded, peak):
                changed.append(
                    {
                        "at_partition": link.place[0],
                        "at_offset": link.place[1],
                        "superseded_partition": superseded[0],
                        "superseded_offset": superseded[1],
                        "peak_rank": peak,
                    }
                )
            link.superseded, link.peak_rank = superseded, peak
    rows = []
    for alert in fresh:
        tenant, alert_id, revision = _key(alert)
        rows.append(_row(alert, chains[tenant, alert_id][revision]))
    connection.execute(insert(AlertRow), rows)
    if changed:
        # By the table, not the class: the ORM would take it for an update by primary key.
        table = AlertRow.__table__
        connection.execute(
            update(AlertRow)
            .where(
                table.c.log_partition == bindparam("at_partition"),
                table.c.log_offset == bindparam("at_offset"),
            )
            .values(
                superseded_partition=bindparam("superseded_partition"),
                superseded_offset=bindparam("superseded_offset"),
                peak_rank=bindparam("peak_rank"),
            ),
            changed,
        )


def _row(alert: StoredAlert, link: _Revision) -> dict[str, Any]:
    fields = alert.fields
    names = (
        "tenant", "alert_id", "state", "severity", "kind", "scope", "scope_id", "account",
        "reason_code", "main_group",
    )  # fmt: skip
    return {
        "log_partition": alert.partition,
        "log_offset": alert.offset,
        **{name: stored_text(getattr(fields, name)) for name in names},
        "revision": fields.revision,
        "verdict_rank": link.verdict_rank,
        "peak_rank": link.peak_rank,
        "revised_ms": fields.revised_ms,
        "superseded_partition": link.superseded[0],
        "superseded_offset": link.superseded[1],
        "body": alert.body,
    }


def _move(connection: Connection, partition: int, part: _Part) -> None:
    """Sets the position of a partition and adds to its counts."""
    mine = PositionRow.log_partition == partition
    known = connection.execute(
        select(PositionRow.bad_records, PositionRow.repeated).where(mine)
    ).first()
    values: dict[str, Any] = {
        "next_offset": part.next_offset,
        "bad_records": part.bad + (known.bad_records if known else 0),
        "repeated": part.repeated + (known.repeated if known else 0),
    }
    if part.last_bad is not None:
        values["last_bad_offset"], values["last_bad_reason"] = part.last_bad
    if known is None:
        connection.execute(insert(PositionRow).values(log_partition=partition, **values))
    else:
        connection.execute(update(PositionRow).where(mine).values(**values))


def _key(alert: StoredAlert) -> _Key:
    fields = alert.fields
    return stored_text(fields.tenant), stored_text(fields.alert_id), fields.revision


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for i in range(0, len(items), _CHUNK):
        yield items[i : i + _CHUNK]
