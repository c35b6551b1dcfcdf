"""A partition as a worker holds it: its state and its place in the input and in the switches."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from detector.control import ModelSwitch, PolicySwitch, Result
from detector.control_book import Command, ControlBook, Past, refusal
from detector.errors import DetectorError
from detector.outputs import Outputs
from detector.partition import Partition
from detector.pipeline import Pipeline
from detector.policy import parse_policy
from detector.snapshot_head import Anchor, Mark, anchor_of
from detector.snapshot_store import Loaded
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
        marks: the control records that are in the state, in the order in which they took effect.
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
        self.marks: list[Mark] = []
        self.partition: Partition = pipeline.renew(at.partition, cap)
        self.partition.state.accounts.born = []
        self._cap = cap
        self._pipeline = pipeline
        self._book = book
        self._shelf = shelf
        self._past: list[Past] = []
        self._pending: list[Command] = []
        self._taken = 0
        self._last: LogRecord | None = None
        self._anchor: Anchor | None = None

    @property
    def anchor(self) -> Anchor | None:
        """The last record that was applied; None before the first."""
        return self._anchor if self._last is None else anchor_of(self._last)

    @property
    def past(self) -> list[Mark]:
        """The switches of the past that are to be repeated yet, in order."""
        return [_mark(past) for past in reversed(self._past)]

    def begin(self, committed: int | None) -> None:
        """Takes the switches of the past up to the committed offset; all others are new here."""
        self._past = self._book.past(self.at, committed)
        done = {past.command.offset for past in self._past}
        self._taken = len(self._book.commands)
        self._pending = [c for c in self._book.commands if c.offset not in done]
        self._past.reverse()  # the next one is popped off the end

    def load(self, loaded: Loaded) -> None:
        """Goes on, after `begin`, where a snapshot stands: the switches in it are not repeated.

        Only with a snapshot that does not contradict `past`.
        """
        marks = {mark.control_offset for mark in loaded.head.marks}
        inside = [past for past in reversed(self._past) if past.command.offset in marks]
        self._past = [past for past in self._past if past.command.offset not in marks]
        self.marks = [_mark(past) for past in inside]
        self.next_offset = loaded.head.next_offset
        self._anchor = loaded.head.anchor
        switches = [past for past in inside if not past.refused]
        policies = [past for past in switches if isinstance(past.command.switch, PolicySwitch)]
        models = [past for past in switches if isinstance(past.command.switch, ModelSwitch)]
        for past in (*policies[-1:], *models[-1:]):
            self._set(past)  # nothing stands yet, so nothing comes of it
        self.partition.load(loaded.dump, loaded.state)
        accounts = self.partition.state.accounts
        accounts.born = accounts.identities[accounts.identities != 0].tolist()

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
        self._last = records[-1]
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
            self.marks.append(Mark(command.offset, self.next_offset, refused is not None))
        self._pending = []
        return out, results

    def _repeat(self, past: Past) -> None:
        self.marks.append(_mark(past))
        if past.refused or past.command.switch is None:
            return
        try:
            apply_switch(self.partition, past.command.switch, self._shelf)
        except DetectorError as error:
            # The models of long ago may be gone, as after a new release. A worker that stopped
            # here would never start again; what it rebuilds is judged by what is in force instead.
            self._not_repeated(past, error)

    def _set(self, past: Past) -> None:
        """Puts in force what a policy or model switch brought, without its effects of then."""
        switch = past.command.switch
        try:
            if isinstance(switch, PolicySwitch):
                self.partition.switch_policy(parse_policy(switch.text, f"policy {switch.stamp}"))
            elif isinstance(switch, ModelSwitch):
                models = self._shelf.take(switch)
                self.partition.switch_model(models.cues, models.scorer, models.prompts)
        except DetectorError as error:
            self._not_repeated(past, error)

    def _not_repeated(self, past: Past, error: DetectorError) -> None:
        self.not_repeated += 1
        log.warning(
            f"control record {past.command.offset} took effect before input offset "
            f"{past.before_offset} and cannot be repeated: {error}",
            partition=self.at.partition,
        )


def _mark(past: Past) -> Mark:
    return Mark(past.command.offset, past.before_offset, past.refused)
