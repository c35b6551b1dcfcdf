"""A thread that follows topics and feeds what it reads to a table, for as long as the API runs.

Staleness is about knowing, not about traffic: at moment t0 the follower asks for the end offsets;
once its positions have passed them, the table holds all that was written before t0. Staleness is
the time since the last such t0, so a quiet topic is fresh and a broker that does not answer is not.

A follower never dies silently: whatever fails is told in `error` and in the log, the reader is made
anew where it stood, and meanwhile the staleness grows.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from streams.log import LogReader, LogRecord, OffsetOutOfRange, TopicPartition

BATCH: Final = 5000
POLL_S: Final = 0.25
"""How long one poll waits."""
ASK_S: Final = 0.2
"""How long the end is taken as known before it is asked for again."""
FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0


class Follower:
    """Reads partitions from a reader and applies them in order, on its own thread.

    `apply` is called on that thread only. Raising from it means "not applied": the same records
    come again after a pause.
    """

    def __init__(
        self,
        open_reader: Callable[[], LogReader],
        apply: Callable[[Sequence[LogRecord]], object],
        monotonic_s: Callable[[], float],
        *,
        name: str = "follower",
        start_at: Mapping[TopicPartition, int] | None = None,
        forget: Callable[[], None] | None = None,
    ) -> None:
        """
        Args:
            open_reader: makes a reader of the partitions, at their earliest records. Called on the
                follower's thread, again after a failure; it may fail while the log is away.
            start_at: offsets to start from; a partition that is not named starts at the earliest.
            forget: called before the log is read from the earliest records again because it no
                longer holds a position; a table that stands for the whole log empties itself.
        """
        self.name = name
        self.error: str | None = None
        """What went wrong last; None while all is well."""
        self._open_reader = open_reader
        self._apply = apply
        self._monotonic_s = monotonic_s
        self._forget = forget
        self._positions: dict[TopicPartition, int] = dict(start_at or {})
        self._known_s = -math.inf
        self._goal: tuple[float, dict[TopicPartition, int]] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def end(self) -> None:
        """Tells the thread to end, and does not wait."""
        self._stopping.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends the thread; waits at most `timeout_s` for a log that does not answer."""
        self.end()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def caught_up(self) -> bool:
        """Whether the end was reached since the start (or since the log was read anew)."""
        return self._known_s > -math.inf

    def staleness_s(self) -> float:
        """Seconds since the table is known to have held everything; inf before the first time."""
        return self._monotonic_s() - self._known_s

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset of each partition; empty before the first reader was made."""
        return dict(self._positions)

    def behind(self) -> int | None:
        """Records between here and the end as last seen; None while that is not known."""
        goal = self._goal
        if goal is None:
            return 0 if self.caught_up and self.error is None else None
        here = self._positions
        return sum(max(end - here.get(tp, 0), 0) for tp, end in goal[1].items())

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self._stopping.is_set():
            reader: LogReader | None = None
            try:
                reader = self._open()
                while not self._stopping.is_set():
                    self._step(reader)
                    if self.error is not None:
                        self._log.info("the log answers again", follower=self.name)
                        self.error, wait_s = None, FIRST_RETRY_S
            except OffsetOutOfRange as error:
                self._start_over(error)
            except Exception as error:  # noqa: BLE001  whatever it is: told, and tried again
                self._tell(error)
                self._goal = None
                self._stopping.wait(wait_s)
                wait_s = min(2.0 * wait_s, LAST_RETRY_S)
            finally:
                if reader is not None:
                    self._close(reader)

    def _open(self) -> LogReader:
        reader = self._open_reader()
        earliest = reader.positions()
        for tp in earliest:
            if tp in self._positions:
                reader.seek(tp, self._positions[tp])
        self._positions = reader.positions()
        return reader

    def _step(self, reader: LogReader) -> None:
        """One poll. The goal is set before it, so that what it reaches is known to be the end."""
        now_s = self._monotonic_s()
        if self._goal is None and now_s - self._known_s >= ASK_S:
            self._goal = (now_s, reader.end_offsets())
        if self._goal is not None:
            asked_s, ends = self._goal
            here = reader.positions()
            if all(here.get(tp, 0) >= end for tp, end in ends.items()):
                self._known_s, self._goal = asked_s, None
        records = reader.poll(BATCH, POLL_S)
        if records:
            self._apply(records)
        self._positions = reader.positions()

    def _start_over(self, error: OffsetOutOfRange) -> None:
        self._tell(error)
        self._positions = {}
        self._goal = None
        if self._forget is not None:
            self._known_s = -math.inf
            self._forget()

    def _tell(self, error: Exception) -> None:
        words = str(error) or type(error).__name__
        if words != self.error:  # once for each cause, not once for each try
            self._log.error("cannot follow the log", follower=self.name, reason=words)
        self.error = words

    def _close(self, reader: LogReader) -> None:
        try:
            reader.close()
        except Exception as error:  # noqa: BLE001  the thread must outlive it
            self._tell(error)
