"""Which alerts are asked for, and a page of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from sqlalchemy import ColumnElement, Select, and_, case, literal, or_, select, tuple_

from detector.levels import RANK, Level
from detector.store.tables import AlertRow, stored_text

# A bookmark comes back from outside; a database takes no integer or statement of any size.
_Integer = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
_Word = Annotated[str, msgspec.Meta(max_length=64)]


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What alerts must be like; None or empty: anything.

    Attributes:
        tenant: None is every tenant.
        states, severities, kinds: one of these.
        min_verdict: the verdict in force, or the one proposed, is this or harder.
        since_ms, until_ms: revised at or after, and before; UTC epoch milliseconds.
        every_revision: all revisions, not only the latest.
    """

    tenant: str | None
    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_verdict: Level | None = None
    account: str | None = None
    scope: str | None = None
    scope_id: str | None = None
    reason_code: str | None = None
    main_group: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    every_revision: bool = False


class Bookmark(msgspec.Struct, frozen=True, array_like=True):
    """Where a walk through the pages stands.

    The walk sees the alerts as they were when it began: `as_of` holds the positions (partition to
    next offset) at the first page, and a revision that came later neither adds nor hides a row.
    """

    revised_ms: _Integer
    alert_id: _Word
    revision: _Integer
    as_of: Annotated[dict[_Integer, _Integer], msgspec.Meta(max_length=4096)]


@dataclass(frozen=True, slots=True)
class AlertPage:
    """JSON of alerts, newest revision first; `after` is None on the last page."""

    bodies: list[str]
    after: Bookmark | None


def page_statement(
    wanted: AlertFilter, as_of: Mapping[int, int], after: Bookmark | None, limit: int
) -> Select[tuple[str, int, str, int]]:
    """Selects up to `limit` rows (body, revised_ms, alert_id, revision) of one page."""
    # Columns that an index is ordered by, so that a page costs a page and no sort.
    place = (AlertRow.revised_ms, AlertRow.alert_id, AlertRow.revision)
    end, next_end = _ends(as_of)
    conditions = [*filter_conditions(wanted), AlertRow.log_offset < end]
    if not wanted.every_revision:
        conditions.append(
            or_(
                AlertRow.superseded_offset.is_(None),
                AlertRow.superseded_offset >= next_end,
            )
        )
    if after is not None:
        mark = (after.revised_ms, stored_text(after.alert_id), after.revision)
        conditions.append(tuple_(*place) < tuple_(*(literal(value) for value in mark)))
    return (
        select(AlertRow.body, *place)
        .where(and_(*conditions))
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )


def filter_conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    """The filter's conditions on single revisions."""
    equal = {
        AlertRow.tenant: wanted.tenant,
        AlertRow.account: wanted.account,
        AlertRow.scope: wanted.scope,
        AlertRow.scope_id: wanted.scope_id,
        AlertRow.reason_code: wanted.reason_code,
        AlertRow.main_group: wanted.main_group,
    }
    among = {
        AlertRow.state: wanted.states,
        AlertRow.severity: wanted.severities,
        AlertRow.kind: wanted.kinds,
    }
    conditions: list[ColumnElement[bool]] = [
        column == stored_text(value) for column, value in equal.items() if value is not None
    ]
    conditions += [
        column.in_([stored_text(value) for value in values])
        for column, values in among.items()
        if values
    ]
    if wanted.min_verdict is not None:
        conditions.append(AlertRow.verdict_rank >= RANK[wanted.min_verdict])
    if wanted.since_ms is not None:
        conditions.append(AlertRow.revised_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        conditions.append(AlertRow.revised_ms < wanted.until_ms)
    return conditions


def _ends(as_of: Mapping[int, int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The first offset that the walk does not see, for a row and for the one that superseded it."""
    if not as_of:
        return literal(0), literal(0)
    ends = dict(as_of)
    return (
        case(ends, value=AlertRow.log_partition, else_=0),
        case(ends, value=AlertRow.superseded_partition, else_=0),
    )
