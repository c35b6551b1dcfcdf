"""Records of one partition in, requests out: decoding, dead letters, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from detector.duplicates import EventName, RecentIds
from detector.outputs import Outputs
from streams import deadletters
from streams.deadletters import CapState, DeadLetter, RatioCap
from streams.errors import MalformedRecord
from streams.files import FileRecord
from streams.intake import Intake, IntakeSettings, IntakeState
from streams.log import LogRecord
from streams.record import ApiRequest

Record = LogRecord | FileRecord


@dataclass(frozen=True, slots=True)
class ReaderState:
    """What earlier records left in a reader, as a snapshot keeps it."""

    intake: IntakeState
    recent: list[EventName]
    cap: CapState


class RecordReader:
    """Reads records in log order; bad ones become dead letters, and what came before is dropped."""

    def __init__(self, settings: IntakeSettings, recent_ids: int, cap: RatioCap) -> None:
        self._intake = Intake(settings)
        self._recent = RecentIds(recent_ids)
        self._cap = cap

    def dump(self) -> ReaderState:
        """What the records to come will be read with."""
        return ReaderState(self._intake.dump(), self._recent.dump(), self._cap.dump())

    def load(self, state: ReaderState) -> None:
        """Goes on where another reader stood."""
        self._intake.load(state.intake)
        self._recent.load(state.recent)
        self._cap.load(state.cap)

    def read(
        self, records: Sequence[Record], out: Outputs
    ) -> tuple[list[ApiRequest], list[float | None]]:
        """The requests that are new, each with the log's own time of its record.

        Dead letters and counts go to `out`. Raises TooManyBadRecords when the cap is passed.
        """
        requests: list[ApiRequest] = []
        record_times: list[float | None] = []
        values = [
            # what is known to be damaged is not to be decoded
            r.value if isinstance(r, LogRecord) or r.problem is None else b""
            for r in records
        ]
        times = [r.timestamp_s if isinstance(r, LogRecord) else r.time_s for r in records]
        i = 0
        while i < len(records):
            run = self._intake.read_run(values, i)
            self._cap.good(len(run))
            self._keep(run, times[i : i + len(run)], requests, record_times, out)
            i += len(run)
            if i == len(records):
                break
            found = self._read_one(records[i], times[i], out)
            self._keep(found, [times[i]] * len(found), requests, record_times, out)
            i += 1
        out.counts["records"] += len(records)
        out.counts["requests"] += len(requests)
        return requests, record_times

    def _read_one(self, record: Record, at_s: float | None, out: Outputs) -> list[ApiRequest]:
        """The requests of one record of any kind; none where it is a dead letter."""
        try:
            if isinstance(record, FileRecord) and record.problem is not None:
                raise record.problem
            found = self._intake.read(record.value, record_time_s=at_s)
        except MalformedRecord as error:
            out.dead_letters.append(_dead_letter(record, error))
            out.counts["dead_letters"] += 1
            self._cap.bad(error)
            return []
        self._cap.good()
        if not found:
            out.counts["empty_records"] += 1
        return found

    def _keep(
        self,
        found: list[ApiRequest],
        times: list[float | None],
        requests: list[ApiRequest],
        record_times: list[float | None],
        out: Outputs,
    ) -> None:
        """Appends what was not seen before."""
        fresh = self._recent.fresh(found)
        if not all(fresh):
            out.counts["duplicates"] += fresh.count(False)
            found, times = list(compress(found, fresh)), list(compress(times, fresh))
        requests += found
        record_times += times


def _dead_letter(record: Record, error: MalformedRecord) -> DeadLetter:
    if isinstance(record, LogRecord):
        return deadletters.from_log(record, error)
    return deadletters.from_file(record, error)
