"""A partition as a worker holds it: its state and its place in the input and in the switches."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from detector.control import Result
from detector.control_book import Command, ControlBook, Past, refusal
from detector.errors import DetectorError
from detector.outputs import Outputs
from detector.partition import Partition
from detector.pipeline import Pipeline
from detector.switches import ModelShelf, apply_switch
from streams.deadletters import RatioCap
from streams.log import LogRecord, TopicPartition

log = structlog.get_logger()


class Shard:
    """One partition of the input topic.

    Attributes:
        at: the topic's partition.
        partition: its state.
        next_offset: the first input record that is not applied yet.
        not_repeated: switches of the past that could not be repeated.
    """

    def __init__(
        self,
        at: TopicPartition,
        pipeline: Pipeline,
        cap: RatioCap,
        book: ControlBook,
        shelf: ModelShelf,
        next_offset: int,
    ) -> None:
        self.at = at
        self.next_offset = next_offset
        self.not_repeated = 0
        self.partition: Partition = pipeline.renew(at.partition, cap)
        self.partition.state.accounts.born = []
        self._cap = cap
        self._pipeline = pipeline
        self._book = book
        self._shelf = shelf
        self._past: list[Past] = []
        self._pending: list[Command] = []
        self._taken = 0

    def begin(self, committed: int | None) -> None:
        """Takes the switches of the past up to the committed offset; all others are new here."""
        self._past = self._book.past(self.at, committed)
        done = {past.command.offset for past in self._past}
        self._taken = len(self._book.commands)
        self._pending = [c for c in self._book.commands if c.offset not in done]
        self._past.reverse()  # the next one is popped off the end

    def replay(self, records: Sequence[LogRecord]) -> None:
        """Applies records that were committed before, and the switches among them, silently."""
        self._cap.replaying = True
        start = 0
        while self._past and start < len(records):
            before = self._past[-1].before_offset
            stop = start
            while stop < len(records) and records[stop].offset < before:
                stop += 1
            self.process(records[start:stop])
            if stop == len(records):
                start = stop
                break
            self._repeat(self._past.pop())
            start = stop
        self.process(records[start:])

    def end_replay(self) -> None:
        """Repeats the switches that stand behind the last committed record."""
        while self._past:
            self._repeat(self._past.pop())
        self._cap.replaying = False

    def process(self, records: Sequence[LogRecord]) -> Outputs:
        """Applies records in order. Raises TooManyBadRecords."""
        if not records:
            return Outputs()
        out = self._pipeline.process(records, self.at.partition)
        self.next_offset = records[-1].offset + 1
        return out

    def has_news(self) -> bool:
        """Whether a switch waits to be applied."""
        return bool(self._pending) or self._taken < len(self._book.commands)

    def apply_new(self) -> tuple[Outputs, list[Result]]:
        """Applies every switch that waits, ahead of the next record; what came of each."""
        out = Outputs()
        results: list[Result] = []
        self._pending += self._book.commands[self._taken :]
        self._taken = len(self._book.commands)
        for command in self._pending:
            refused: str | None = None
            if command.switch is None:
                refused = refusal(command.unreadable)
            else:
                try:
                    out.add(apply_switch(self.partition, command.switch, self._shelf))
                except DetectorError as error:
                    refused = refusal(str(error))
            if refused is not None:
                log.warning(
                    f"control record {command.offset} is refused: {refused}",
                    partition=self.at.partition,
                )
            results.append(Result(command.offset, refused))
        self._pending = []
        return out, results

    def _repeat(self, past: Past) -> None:
        if past.refused or past.command.switch is None:
            return
        try:
            apply_switch(self.partition, past.command.switch, self._shelf)
        except DetectorError as error:
            # The models of long ago may be gone, as after a new release. A worker that stopped
            # here would never start again; what it rebuilds is judged by what is in force instead.
            self.not_repeated += 1
            log.warning(
                f"control record {past.command.offset} took effect before input offset "
                f"{past.before_offset} and cannot be repeated: {error}",
                partition=self.at.partition,
            )
