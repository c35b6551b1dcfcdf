"""The alert feed's store: what stood on the alerts topic, to be listed, found and followed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, tuple_

from detector.levels import RANK, Level
from detector.store.alert_query import AlertFilter, AlertPage, Bookmark, page_statement
from detector.store.database import Database
from detector.store.news import News
from detector.store.tables import AlertRow, PositionRow, stored_text
from detector.store.take_in import Taken, stored_positions, take_in
from detector.store.upgrade import check, upgrade
from streams.log import LogRecord


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One revision for a follower; `next_positions` is where to go on after it."""

    body: str
    next_positions: Mapping[int, int]


class AlertStore:
    """Alerts in SQLite or PostgreSQL. Thread-safe; several processes may share one database.

    Rows are keyed by their place on the alerts topic and written together with the positions, so
    that taking records in again changes nothing. Writers take turns; a writer skips what another
    took in before, hence no row is lost or doubled and every reader sees a partition without gaps.

    Attributes:
        news: rings after each batch; close it when the service stops, to end live streams.
    """

    def __init__(self, url: str, *, migrate: bool = True) -> None:
        """Opens the database and brings its schema up to date.

        Args:
            url: of SQLAlchemy; "sqlite://" alone is a file that goes away on `close`.
            migrate: False leaves the schema alone and only checks it.

        Raises:
            StoreError.
        """
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if url == "sqlite://":
            self._folder = tempfile.TemporaryDirectory(prefix="stillwatch-alerts-")
            url = f"sqlite:///{self._folder.name}/alerts.db"
        self._database = Database(url)
        self.news = News()
        try:
            if migrate:
                upgrade(self._database)
            else:
                check(self._database)
        except BaseException:
            self.close()
            raise

    def apply(self, records: Sequence[LogRecord]) -> Taken:
        """Takes in records of the alerts topic, in offset order within a partition.

        One transaction. Records that are no alert are counted and passed over. Raises StoreError;
        nothing was taken in then, and the same records may be given again.
        """
        if not records:
            return Taken()
        with self._database.write() as connection:
            taken = take_in(connection, records)
        self.news.ring()
        return taken

    def positions(self) -> dict[int, int]:
        """Partition of the alerts topic -> offset of the first record not taken in yet."""
        with self._database.read() as connection:
            return stored_positions(connection)

    def bad_records(self) -> int:
        """Records that were no alert, so far."""
        with self._database.read() as connection:
            return int(connection.scalar(select(func.sum(PositionRow.bad_records))) or 0)

    def page(self, wanted: AlertFilter, limit: int, after: Bookmark | None = None) -> AlertPage:
        """One page, newest revision first; the walk sees the alerts as of its first page."""
        with self._database.read() as connection:
            as_of = stored_positions(connection) if after is None else after.as_of
            rows = connection.execute(page_statement(wanted, as_of, after, limit + 1)).all()
        bodies = [row.body for row in rows[:limit]]
        if len(rows) <= limit:
            return AlertPage(bodies, None)
        last = rows[limit - 1]
        return AlertPage(bodies, Bookmark(last.revised_ms, last.alert_id, last.revision, as_of))

    def revisions(self, tenant: str | None, alert_id: str) -> list[str]:
        """JSON of every revision of an alert, latest first; empty where there is none.

        tenant: None is every tenant.
        """
        statement = (
            select(AlertRow.body)
            .where(AlertRow.alert_id == stored_text(alert_id))
            .order_by(AlertRow.revision.desc())
        )
        if tenant is not None:
            statement = statement.where(AlertRow.tenant == stored_text(tenant))
        with self._database.read() as connection:
            return list(connection.scalars(statement))

    def following(
        self,
        tenant: str | None,
        positions: Mapping[int, int],
        limit: int,
        min_verdict: Level | None = None,
    ) -> tuple[list[FeedItem], dict[int, int]]:
        """What came after `positions`: every revision, in topic order within a partition.

        Args:
            tenant: None is every tenant.
            limit: of rows read of each partition.
            min_verdict: leaves out alerts that have not reached it so far, by the verdict in force
                or the one proposed; of one that did, the fall and the end are told as well.

        Returns:
            The revisions, and where to go on after all of them
            (past those that were filtered out, too). Positions unchanged: there is nothing new.
        """
        at = dict(positions)
        items: list[FeedItem] = []
        with self._database.read() as connection:
            for partition, end in sorted(stored_positions(connection).items()):
                start = at.setdefault(partition, 0)
                if start >= end:
                    continue
                found = connection.execute(
                    select(AlertRow.body, AlertRow.log_offset, AlertRow.tenant, AlertRow.peak_rank)
                    .where(
                        AlertRow.log_partition == partition,
                        AlertRow.log_offset >= start,
                        AlertRow.log_offset < end,
                    )
                    .order_by(AlertRow.log_offset)
                    .limit(limit)
                ).all()
                for row in found:
                    at[partition] = row.log_offset + 1
                    if tenant is not None and row.tenant != stored_text(tenant):
                        continue
                    if min_verdict is None or row.peak_rank >= RANK[min_verdict]:
                        items.append(FeedItem(row.body, dict(at)))
                if len(found) < limit:
                    at[partition] = end
        return items, at

    def prune(self, before_s: float) -> int:
        """Removes alerts, whole ones, whose latest revision is older. Returns rows removed.

        before_s: UTC epoch seconds. Positions stay: what was removed is not taken in again.
        """
        ended = (
            select(AlertRow.tenant, AlertRow.alert_id)
            .group_by(AlertRow.tenant, AlertRow.alert_id)
            .having(func.max(AlertRow.revised_ms) < round(before_s * 1000))
        )
        with self._database.write() as connection:
            done = connection.execute(
                delete(AlertRow).where(tuple_(AlertRow.tenant, AlertRow.alert_id).in_(ended))
            )
        return done.rowcount

    def ping(self) -> None:
        """Raises StoreError when the database does not answer."""
        with self._database.read() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Ends live streams and closes the database."""
        self.news.close()
        self._database.close()
        if self._folder is not None:
            self._folder.cleanup()
