"""Rows held back before they are written, by table, tenant and UTC day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detector.alerts import Alert
from detector.lake_files import part_folder
from detector.lake_tables import alert_table, fact_table, score_table, utc_day
from detector.score_row import ScoreRow
from streams.record import ApiRequest


class LakeRows:
    """A buffer of rows as Arrow tables. `count` is the number of rows in it."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: dict[str, list[Any]] = {}

    def add_facts(
        self,
        requests: Sequence[ApiRequest],
        times_s: NDArray[np.float64],
        new_pieces: NDArray[np.int64] | None,
    ) -> None:
        """Takes requests; arguments as of `fact_table`."""
        parts: dict[tuple[str, str], list[int]] = {}
        numbers = np.floor_divide(times_s, 86_400.0).astype(np.int64)
        days = {n: str(np.datetime64(n, "D")) for n in np.unique(numbers).tolist()}
        for i, number in enumerate(numbers.tolist()):
            parts.setdefault((requests[i].tenant, days[number]), []).append(i)
        for (tenant, day), rows in parts.items():
            new = None if new_pieces is None else new_pieces[rows]
            made = fact_table([requests[i] for i in rows], times_s[rows], new)
            self._hold("facts", tenant, day, made)

    def add_scores(self, scores: Sequence[ScoreRow]) -> None:
        """Takes scorings."""
        parts: dict[tuple[str, str], list[ScoreRow]] = {}
        for score in scores:
            parts.setdefault((score.tenant, utc_day(score.at_s)), []).append(score)
        for (tenant, day), found in parts.items():
            self._hold("scores", tenant, day, score_table(found))

    def add_alerts(self, told: Sequence[tuple[Alert, float]]) -> None:
        """Takes revisions of alerts with their event times."""
        parts: dict[tuple[str, str], list[tuple[Alert, float]]] = {}
        for alert, at_s in told:
            parts.setdefault((alert.tenant, utc_day(at_s)), []).append((alert, at_s))
        for (tenant, day), found in parts.items():
            self._hold("alerts", tenant, day, alert_table(found))

    def files(self) -> Iterator[tuple[str, Any]]:
        """Folder (see `part_folder`) and whole table of each file to write, in a fixed order."""
        for folder in sorted(self._parts):
            yield folder, pa.concat_tables(self._parts[folder])

    def clear(self) -> None:
        """Forgets all rows."""
        self._parts.clear()
        self.count = 0

    def _hold(self, table: str, tenant: str, day: str, rows: Any) -> None:
        self._parts.setdefault(part_folder(table, tenant, day), []).append(rows)
        self.count += rows.num_rows
